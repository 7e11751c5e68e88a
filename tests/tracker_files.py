"""Files of trackers by their published layouts, small and exact: to damage, to vary, and to make hostile.

What the tools themselves write is read in ``written_by``.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scaling_core.runs.readers.messages import message_types
from scaling_core.runs.readers.tfrecord import framed

#: As MLflow 3.17 creates them, without the tables that hold no metrics.
MLFLOW = (
    """CREATE TABLE "runs" (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20),
    status VARCHAR(9), start_time BIGINT, end_time BIGINT, lifecycle_stage VARCHAR(20), experiment_id INTEGER,
    CONSTRAINT run_pk PRIMARY KEY (run_uuid), CHECK (lifecycle_stage IN ('active', 'deleted')))""",
    """CREATE TABLE "metrics" ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan),
    FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1)))""",
    """CREATE TABLE "params" ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid))""",
)
#: As trackio 0.43 creates them.
TRACKIO = (
    """CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL,
    run_name TEXT NOT NULL, step INTEGER NOT NULL, metrics TEXT NOT NULL, log_id TEXT, space_id TEXT)""",
    """CREATE TABLE configs (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, run_name TEXT NOT NULL,
    config TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE(run_id))""",
)
START = 1_700_000_000


def database(statements: Iterable[str], rows: Mapping[str, Sequence[Sequence[object]]] | None = None) -> bytes:
    """Return an SQLite file; ``rows`` go into tables by ``name(columns)``."""
    connection = sqlite3.connect(":memory:")
    for statement in statements:
        connection.execute(statement)
    for table, values in (rows or {}).items():
        marks = ", ".join("?" * len(values[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


def mlflow_rows() -> dict[str, list[tuple[object, ...]]]:
    """Three runs: one whole, one failed, one deleted; and values that are not numbers."""
    runs = [("a" * 32, "tiny", "FINISHED", "active"), ("b" * 32, "fails", "FAILED", "active")]
    runs.append(("c" * 32, "old", "FINISHED", "deleted"))
    metrics = [("train/loss", 3 - s / 20, (START + s) * 1000, "a" * 32, 10 * s, 0) for s in range(20)]
    metrics += [("val_loss", 3.1 - s / 20, (START + s) * 1000, "a" * 32, 10 * s, 0) for s in range(0, 20, 5)]
    metrics += [("val_loss", 2.5, START * 1000, "b" * 32, 10, 0), ("val_loss", 0.0, START * 1000, "b" * 32, 20, 1)]
    metrics += [("val_loss", 9.0, START * 1000, "c" * 32, 10, 0)]
    params = [("n_params", "1000000", "a" * 32), ("n_params", "2000000", "b" * 32), ("optimizer", "adam", "a" * 32)]
    return {
        "runs(run_uuid, name, status, lifecycle_stage)": runs,
        "metrics(key, value, timestamp, run_uuid, step, is_nan)": metrics,
        "params(key, value, run_uuid)": params,
    }


def trackio_rows() -> dict[str, list[tuple[object, ...]]]:
    """Two runs of twenty steps, as JSON in bytes."""
    metrics, configs = [], []
    for run in ("a", "b"):
        for s in range(20):
            values = {"train/loss": 3 - s / 20, "nested": {"x": float(s)}, "broken": "NaN"}
            values |= {"val/loss": 3.1 - s / 20} if s % 5 == 0 else {}
            metrics.append((f"id-{run}", f"2026-11-24T17:51:{s:02d}+00:00", run, s, json.dumps(values).encode()))
        config = {"n_params": 1e6 if run == "a" else 2e6, "model": {"layers": 3}, "_Username": None}
        configs.append((f"id-{run}", run, json.dumps(config).encode(), "2026-11-24"))
    return {
        "metrics(run_id, timestamp, run_name, step, metrics)": metrics,
        "configs(run_id, run_name, config, created_at)": configs,
    }


def mlruns_files() -> dict[str, str]:
    """A folder of MLflow's file store, path to content: one run that ended, one that was deleted."""
    meta = "artifact_uri: file:///x\nlifecycle_stage: {}\nrun_id: {}\nrun_name: {}\nstatus: {}\ntags: []\n"
    losses = "".join(f"{(START + s) * 1000} {3 - s / 20} {10 * s}\n" for s in range(20))
    return {
        "mlruns/0/meta.yaml": "experiment_id: '0'\nname: Default\n",
        "mlruns/1/meta.yaml": "experiment_id: '1'\nname: sweep\n",
        "mlruns/1/r1/meta.yaml": meta.format("active", "r1", "tiny", 3),
        "mlruns/1/r1/metrics/train/loss": losses,
        "mlruns/1/r1/metrics/val_loss": f"{START * 1000} 3.1 0\n{START * 1000 + 5000} 2.85 50\nnonsense\n",
        "mlruns/1/r1/params/n_params": "1000000",
        "mlruns/1/r1/tags/mlflow.runName": "tiny",
        "mlruns/1/r2/meta.yaml": meta.format("deleted", "r2", "old", 3),
        "mlruns/1/r2/metrics/val_loss": f"{START * 1000} 9.0 0\n",
        "mlruns/1/models/m-1/meta.yaml": "model_id: m-1\n",
        "mlruns/1/models/m-1/metrics/val_loss": f"{START * 1000} 3.1 0\n",
        "notes.txt": "not of MLflow",
    }


def event_file(points: Iterable[tuple[str, int, float]]) -> bytes:
    """Return a TensorBoard file of scalars (tag, step, value), a second apart, after the record of its version."""
    types = message_types(
        "sample_events",
        {
            "Event": {"wall_time": (1, "double"), "step": (2, "int64"), "version": (3, "bytes"), "summary": (5, "Sum")},
            "Sum": {"value": (1, "Value*")},
            "Value": {"tag": (1, "bytes"), "simple_value": (2, "float")},
        },
    )
    event = types["Event"]
    parts = [framed(event(wall_time=START, version=b"brain.Event:2").SerializeToString())]
    for i, (tag, step, value) in enumerate(points):
        logged = event(wall_time=START + i, step=step)
        logged.summary.value.add(tag=tag.encode(), simple_value=value)
        parts.append(framed(logged.SerializeToString()))
    return b"".join(parts)


def wandb_file(payloads: Iterable[bytes]) -> bytes:
    """Frame records as W&B does: LevelDB blocks of 32 KiB after seven bytes of header."""
    data = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for payload in payloads:
        first = True
        while True:
            left = 2**15 - len(data) % 2**15
            if left < 7:
                data += b"\x00" * left
                continue
            piece, payload = payload[: left - 7], payload[left - 7 :]
            kind = (1 if first else 4) if not payload else (2 if first else 3)
            data += struct.pack("<IHB", zlib.crc32(piece, zlib.crc32(bytes([kind]))), len(piece), kind) + piece
            first = False
            if not payload:
                break
    return bytes(data)


def wandb_records(steps: int, exit_code: int | None = 0) -> list[bytes]:
    """Records of a small run as W&B numbers them; without an exit if ``exit_code`` is None."""
    types = message_types(
        "sample_wandb",
        {
            "Record": {"history": (2, "History"), "run": (17, "Run"), "exit": (18, "Exit")},
            "History": {"item": (1, "Item*"), "step": (2, "Step")},
            "Step": {"num": (1, "int64")},
            "Item": {"key": (1, "bytes"), "nested_key": (2, "bytes*"), "value_json": (16, "bytes")},
            "Config": {"update": (1, "Item*")},
            "Run": {"run_id": (1, "bytes"), "config": (4, "Config"), "display_name": (8, "bytes")},
            "Exit": {"exit_code": (1, "int32")},
        },
    )
    record = types["Record"]
    began = record()
    began.run.run_id, began.run.display_name = b"abc", b"small"
    began.run.config.update.add(key=b"n_params", value_json=b"1000000")
    found = [began.SerializeToString()]
    for s in range(steps):
        logged = record()
        logged.history.step.num = s
        logged.history.item.add(key=b"loss", value_json=str(3 - s / 8).encode())
        logged.history.item.add(nested_key=[b"a", b"b"], value_json=str(s).encode())
        found.append(logged.SerializeToString())
    if exit_code is not None:
        ended = record()
        ended.exit.exit_code = exit_code
        found.append(ended.SerializeToString())
    return found


_WANDB = """
import sys, wandb
settings = wandb.Settings(silent=True, x_disable_stats=True, disable_git=True, disable_code=True, console="off")
config = {"n_params": 1e6, "model": {"n_layer": 4}, "batch_size": 8, "seq_len": 128, "world_size": 2, "betas": [0.9]}
run = wandb.init(project="p", name="tiny", dir=sys.argv[1], config=config, mode="offline", settings=settings)
for s in range(int(sys.argv[2])):
    row = {"train/loss": 3 - s / 1000, "text": "hello", "gone": float("nan")}
    if s % 100 == 0:
        row |= {"val/loss": 3.1 - s / 1000, "nested": {"a": 2.0 * s}, "histogram": wandb.Histogram([1, 2, 3])}
    run.log(row)
run.finish()
"""


def real_wandb_file(folder: Path, steps: int) -> bytes:
    """Let W&B itself write the file of a run, without a network."""
    names = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "HOME")
    environment = {name: str(folder) for name in names} | {"WANDB_ERROR_REPORTING": "false", "WANDB_MODE": "offline"}
    subprocess.run(
        [sys.executable, "-c", _WANDB, str(folder), str(steps)],
        check=True,
        env=environment,
        capture_output=True,
        timeout=240,
    )
    (found,) = folder.glob("wandb/offline-run-*/*.wandb")
    return found.read_bytes()
