"""One run in two processes, as torchrun starts them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling_core.training.folder import RunFolder, Wanted
from scaling_core.training.loop import train
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec, TrainSpec

BATCH = 64


class Follower:
    """Let a run go on, and keep what it told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def check(self) -> Wanted:
        return "run"

    def report(self, **progress: Any) -> None:
        self.told.append(progress)


def test_two_processes_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path / "home"))
    text = tmp_path / "verse.txt"
    text.write_text("".join(f"{n} bottles of ale on the wall, {n * 7 % 13} more in the hall.\n" for n in range(400)))
    spec = TrainSpec(
        "small",
        12 * BATCH,
        ModelSpec(width=16, layers=1, context=16),
        DataSpec("text", str(text), validation_tokens=256),
        OptimiserSpec(batch_tokens=BATCH, warmup_steps=4),
        log_every=4,
        validate_every=10,
        seed=3,
    )
    results, follower = [], Follower()
    for processes in (1, 2):
        folder = RunFolder(tmp_path / str(processes))
        several = replace(spec, processes=processes)
        folder.create(several.to_json())
        train(several, folder, follower)
        assert folder.result is not None
        results.append(folder.result)
    one, two = results
    assert two["processes"] == 2
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-4)
    assert follower.told[-1]["steps"] == 12
