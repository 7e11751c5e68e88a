"""A run really trained through the queue, and others really fine-tuned from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaling_core.cli import main
from scaling_core.errors import UserError
from scaling_core.fitting import fit, get_objective
from scaling_core.jobs import Queue
from scaling_core.jobs.results import ladder_upload
from scaling_core.laws import get_law
from scaling_core.runs import load
from scaling_core.runs.began import is_tuned

BASE = """
name = "base"
sizes = ["16/1"]
budgets = [16384]
context = 32
share_trunk = false

[data]
source = "markov"
validation_tokens = 4096

[optimiser]
batch_tokens = 256
"""


def trained(queue: Queue, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the command says of a ladder that it has trained to its end."""
    assert main(["train", *arguments, "--no-measure", "--slots", "1", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_is_trained_then_others_are_fine_tuned_from_it(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path))
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "verse.txt").write_text("".join(f"{n} bottles of ale, {n * 7 % 13} more\n" for n in range(2000)))
    first = trained(queue, capsys, str(tmp_path / "base.toml"))
    (base,) = first["runs"]
    said = trained(
        queue, capsys, "--start-from", base["run"], "--path", str(tmp_path / "verse.txt"), "--tokens", "8192,16384"
    )
    assert said["runs"] == []
    assert said["law"] is None, "they are no points of one"
    short, long = sorted(said["tuned"], key=lambda row: row["tokens"])
    assert (short["tuned_from"], long["tuned_from"]) == (base["run"], base["run"])
    assert (short["tokens"], long["tokens"], long["params"]) == (8192, 16384, base["params"])
    assert short["before"] == long["before"]  # the same weights on the same windows
    assert long["loss"] < short["loss"] < short["before"]
    assert {job.state for job in queue.jobs()} == {"done"}
    assert main(["jobs", "list", "--all"]) == 0
    assert capsys.readouterr().out.count(f"from base/{base['run']}") == 3  # a shared trunk among them
    runs = load([ladder_upload(queue.ladders()[0].folder)])
    assert is_tuned(runs.frame).all()
    assert (~runs.frame["is_final"]).sum() > 2, "their curves are in it"
    with pytest.raises(UserError, match="Left out: 2 runs that began with the weights of another"):
        fit(get_law("power-d"), runs, get_objective("mse-log"), resamples=0)
