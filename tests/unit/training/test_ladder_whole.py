"""A small ladder really trained, job after job in the order of its needs, to forecast and verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder, Wanted
from scaling_core.training.forecast import verdict, write_forecast
from scaling_core.training.ladder import plan_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.loop import train
from scaling_core.training.outcomes import finished
from scaling_core.training.spec import DataSpec, OptimiserSpec, TrainSpec
from scaling_core.training.speed import SUPPOSED


class Quiet:
    """Wants a run to go on, and hears nothing."""

    def check(self) -> Wanted:
        return "run"

    def report(self, **progress: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products are slower on two threads, and very slow where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_ladder_from_plan_to_verdict(tmp_path: Path) -> None:
    spec = LadderSpec(
        "small", ("16/1", "32/1"), (1024.0, 2048.0, 4096.0, 8192.0), context=32, device="cpu",
        data=DataSpec("markov", validation_tokens=4096), optimiser=OptimiserSpec(batch_tokens=256, warmup_steps=2),
    )  # fmt: skip
    ladder = plan_ladder(spec, SUPPOSED, 1)
    folders = {job.name: RunFolder(tmp_path / job.name) for job in ladder.requests()}
    for job in ladder.requests():
        folders[job.name].create(job.spec_json)
    order = sorted(ladder.requests(), key=lambda job: ladder.timeline[job.name].start)
    assert [job.name for job in order][-2:] == ["forecast", "w32-l1-8.19k"]
    for job in order:
        if job.kind == "forecast":
            assert write_forecast(tmp_path)["test"] == "w32-l1-8.19k"
        else:
            train(TrainSpec.from_json(job.spec_json), folders[job.name], Quiet())
    rows = finished(tmp_path)
    planned = ladder.dots.set_index("run")
    assert set(rows["run"]) == set(planned.index)
    for row in rows.to_dict("records"):
        there = planned.loc[row["run"]]
        assert (row["params"], row["tokens"]) == (there["params"], there["tokens"])
        assert row["flops"] == pytest.approx(there["flops"])
    result = verdict(tmp_path)
    assert result is not None
    assert result.before
    assert result.actual == rows.set_index("run")["loss"]["w32-l1-8.19k"]
    assert abs(result.off) < 0.5
    (tmp_path / "forecast.json").unlink()
    with pytest.raises(UserError, match="ended already"):
        write_forecast(tmp_path)
