"""Let MLflow write runs of known losses: ``python -m written_by.mlflow_runs URI…``, as ``sqlite:///x/mlflow.db``.

A run that ended, one with nested parameters and many metrics, one of two sittings, one that failed with values that are
no numbers, one still running, one deleted, one within another, and one that logged nothing.
"""

from __future__ import annotations

import sys
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from sqlalchemy import event
from sqlalchemy.engine import Engine

from written_by import loss

STEPS = 60
START = 1_700_000_000_000  # milliseconds


@event.listens_for(Engine, "connect")
def _without_waiting_for_the_disk(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


class Writer:
    """Creates runs in one experiment of a store."""

    def __init__(self, uri: str) -> None:
        self.client = MlflowClient(uri)
        self.experiment = self.client.create_experiment("sweep")

    def run(self, name: str, params: dict[str, object], **tags: str) -> str:
        """Create a run with its parameters and a tag."""
        made = self.client.create_run(self.experiment, start_time=START, run_name=name, tags={"note": "a test", **tags})
        self.client.log_batch(made.info.run_id, params=[Param(key, str(value)) for key, value in params.items()])
        return str(made.info.run_id)

    def log(self, run_id: str, number: int, steps: range, began: int = START) -> None:
        """Log training at every step, tokens and validation at some."""
        rows = [Metric("train/loss", loss(number, s) + 0.1, began + 1000 * s, s) for s in steps]
        rows += [Metric("val_loss", loss(number, s), began + 1000 * s, s) for s in steps if s % 10 == 0]
        rows += [Metric("train/tokens", 4096 * s, began + 1000 * s, s) for s in steps if s % 4 == 0]
        self.client.log_batch(run_id, metrics=rows)


def write(uri: str) -> None:
    """Write all runs."""
    writer = Writer(uri)
    client = writer.client
    tiny = writer.run("tiny", {"n_params": 1_000_000, "optimizer": "adamw"})
    writer.log(tiny, 0, range(STEPS))
    client.set_terminated(tiny, "FINISHED")

    nested = writer.run("nested", {"n_params": 2e6, "model/n_layer": 4, "model.d_model": 128, "betas": [0.9, 0.95]})
    writer.log(nested, 1, range(STEPS))
    norms = [Metric(f"grad_norm/layer {i}.weight", 0.5 + i + s, START, s) for i in range(40) for s in (0, 10)]
    client.log_batch(nested, metrics=norms)
    client.set_terminated(nested, "FINISHED")

    resumed = writer.run("resumed", {"n_params": 4_000_000})
    writer.log(resumed, 2, range(40))
    writer.log(resumed, 3, range(30, STEPS), START + 3_600_000)
    client.set_terminated(resumed, "FINISHED")

    failed = writer.run("failed", {"n_params": 8_000_000})
    writer.log(failed, 4, range(21))
    odd = [("val_loss", float("nan"), 30), ("val_loss", float("inf"), 40), ("train/loss", float("-inf"), 40)]
    client.log_batch(failed, metrics=[Metric(key, value, START, step) for key, value, step in odd])
    client.set_terminated(failed, "FAILED")

    running = writer.run("running", {"n_params": 16_000_000})
    writer.log(running, 5, range(11))

    deleted = writer.run("deleted", {"n_params": 3_000_000})
    writer.log(deleted, 9, range(11))
    client.delete_run(deleted)

    child = writer.run("child", {"n_params": 32_000_000}, **{"mlflow.parentRunId": tiny})
    writer.log(child, 6, range(STEPS))
    client.set_terminated(child, "FINISHED")
    writer.run("empty", {"n_params": 5})


if __name__ == "__main__":
    for uri in sys.argv[1:]:
        write(uri)
