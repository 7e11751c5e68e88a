"""Forecasts of a held-back run, on ladders made from a known law."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder
from scaling_core.training.forecast import (
    FORECAST,
    ForecastJob,
    growing,
    law_of,
    read_forecast,
    verdict,
    write_forecast,
)
from scaling_core.training.ladder import Ladder, plan_ladder
from scaling_core.training.ladder_spec import ForecastSpec, LadderSpec
from scaling_core.training.models.base import DataShape
from scaling_core.training.outcomes import finished, planned
from scaling_core.training.rungs import Facts
from scaling_core.training.speed import SUPPOSED

TRUTH = {"E": 0.74, "A": 40.0, "B": 900.0, "alpha": 0.42, "beta": 0.55}
STEPS = (256, 512, 1024, 2048)


def true_loss(params: float, tokens: float) -> float:
    return TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]


def a_ladder(min_tokens: int = 0) -> Ladder:
    spec = LadderSpec(
        "made", ("16/2", "32/2", "48/3", "64/4"), tuple(1024.0 * s for s in STEPS),
        forecast=ForecastSpec(min_tokens=min_tokens),
    )  # fmt: skip
    return plan_ladder(spec, SUPPOSED, 2, Facts(DataShape("text", 256, 256, (128,)), 11_000_000, 65_536))


def finish(folder: Path, ladder: Ladder, name: str, factor: float = 1.0) -> None:
    rung = next(r for r in ladder.rungs if r.name == name)
    tokens = rung.spec.tokens
    RunFolder(folder / name).finish({
        "run": name, "role": rung.spec.role, "n_params": rung.params, "tokens": tokens, "seed": 0,
        "flops": tokens * rung.flops_per_token, "loss": factor * true_loss(rung.params, tokens),
    })  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Ladder]:
    """A ladder's folder with every job's folder, and all runs but the test finished."""
    ladder = a_ladder()
    for job in ladder.requests():
        RunFolder(tmp_path / job.name).create(job.spec_json)
    for rung in ladder.rungs:
        if rung.role != "test":
            finish(tmp_path, ladder, rung.name)
    return tmp_path, ladder


def test_a_known_law_is_found_and_foretold(made: tuple[Path, Ladder]) -> None:
    folder, ladder = made
    said = write_forecast(folder)
    test = ladder.test
    assert test is not None
    assert said["predicted"] == pytest.approx(true_loss(test.params, test.spec.tokens), rel=1e-6)
    assert said["parameters"] == pytest.approx(TRUTH, rel=1e-4)
    assert len(said["rows"]) == 15
    assert said["test"] not in [row["run"] for row in said["rows"]]
    assert said["certificate"]["grade"] == "good"
    assert set(said["other_laws"]) == {"chinchilla-tied", "gamma"}
    assert said["other_laws"]["gamma"]["predicted"] == pytest.approx(said["predicted"], rel=1e-3)
    assert json.loads((folder / "forecast.json").read_text()) == read_forecast(folder)
    assert verdict(folder) is None
    finish(folder, ladder, test.name, 1.01)
    found = verdict(folder)
    assert found is not None
    assert found.off == pytest.approx(1 / 1.01 - 1, rel=1e-4)
    assert found.before
    assert not found.inside  # runs without any scatter leave no room for one that is 1% off


def test_an_interval_holds_the_scatter_of_single_runs(made: tuple[Path, Ladder]) -> None:
    folder, ladder = made
    rng = np.random.default_rng(3)
    for rung in ladder.runs:
        if rung.role != "test":
            finish(folder, ladder, rung.name, float(np.exp(0.01 * rng.standard_normal())))
    said = write_forecast(folder)
    width = np.log(said["high"] / said["low"])
    assert 2 * 1.645 * 0.006 < width < 0.15
    assert said["low"] < true_loss(said["params"], said["tokens"]) < said["high"]


def test_a_forecast_is_written_once_and_a_changed_one_is_refused(made: tuple[Path, Ladder]) -> None:
    folder, ladder = made
    first = write_forecast(folder)
    finish(folder, ladder, ladder.runs[0].name, 1.5)
    assert write_forecast(folder) == first
    path = folder / "forecast.json"
    path.write_text(path.read_text().replace(repr(first["predicted"]), repr(first["predicted"] * 0.99)))
    with pytest.raises(UserError, match="not as it was written"):
        verdict(folder)


def test_what_has_ended_cannot_be_foretold(made: tuple[Path, Ladder]) -> None:
    folder, ladder = made
    assert ladder.test is not None
    finish(folder, ladder, ladder.test.name)
    with pytest.raises(UserError, match="ended already"):
        write_forecast(folder)
    assert not (folder / "forecast.json").exists()


def test_too_few_runs_are_refused_with_the_reason(made: tuple[Path, Ladder]) -> None:
    folder, ladder = made
    for rung in ladder.runs[4:]:
        (folder / rung.name / "result.json").unlink(missing_ok=True)
    with pytest.raises(UserError, match="at least 6 runs; 4"):
        write_forecast(folder)


def test_runs_left_out_are_named_with_why(tmp_path: Path) -> None:
    ladder = a_ladder(min_tokens=512 * 1024)
    for job in ladder.requests():
        RunFolder(tmp_path / job.name).create(job.spec_json)
    for rung in ladder.runs[1:]:  # the first never ended well
        if rung.role != "test":
            finish(tmp_path, ladder, rung.name, 1.2 if rung.spec.tokens < 512 * 1024 else 1.0)
    said = write_forecast(tmp_path)
    assert said["parameters"] == pytest.approx(TRUTH, rel=1e-4)
    assert said["left_out"]["w16-l2-262k"] == "did not end well"
    short = "fewer than 524k tokens: still in the steep fall after the start"
    assert [n for n, why in said["left_out"].items() if why == short] == [
        f"w{s}-262k" for s in ("32-l2", "48-l3", "64-l4")
    ]


def test_a_cut_that_leaves_too_few_is_not_made() -> None:
    rows = rows_of(a_ladder())
    assert law_of(rows, ForecastSpec(min_tokens=2_000_000, draws=0)).left_out == {}
    assert len(law_of(rows, ForecastSpec(min_tokens=1_000_000, draws=0)).left_out) == 8


def rows_of(ladder: Ladder) -> pd.DataFrame:
    dots = ladder.dots
    return dots.assign(loss=[true_loss(n, d) for n, d in zip(dots["params"], dots["tokens"], strict=True)])


def test_a_law_grows_with_its_runs() -> None:
    rows = rows_of(a_ladder())
    early = growing(rows.iloc[:3], rows.iloc[3:], ForecastSpec())
    assert early.law is None
    assert "at least 6 runs; 3" in early.why_not
    assert early.forecasts.empty
    late = growing(rows.iloc[:12], rows.iloc[12:], ForecastSpec())
    assert late.law is not None
    assert late.forecasts["predicted"].to_numpy() == pytest.approx(rows["loss"].to_numpy()[12:], rel=1e-5)
    assert (late.forecasts["low"] <= late.forecasts["high"]).all()
    nothing = growing(rows, rows.iloc[:0], ForecastSpec())
    assert nothing.law is not None
    assert nothing.forecasts.empty


def test_trunks_and_tuned_and_torn_results_are_no_points(made: tuple[Path, Ladder]) -> None:
    folder, ladder = made
    (folder / "torn").mkdir()
    (folder / "torn" / "result.json").write_text('{"run": "torn", "lo')
    (folder / "tuned").mkdir()
    RunFolder(folder / "tuned").finish({"run": "tuned", "role": "run", "n_params": 1, "tokens": 1, "flops": 1.0,
                                        "loss": 1.0, "start": {"folder": "a", "kind": "fine-tune"}})  # fmt: skip
    assert set(finished(folder)["run"]) == {r.name for r in ladder.runs if r.role == "run"}
    assert planned(folder).empty
    (folder / "ladder.json").write_text(json.dumps({"meta": {"dots": ladder.dots.to_dict("records")}}))
    assert len(planned(folder)) == 16


def test_a_forecast_job_reads_its_own_words() -> None:
    job = a_ladder().forecast_job
    assert job is not None
    request = next(r for r in a_ladder().requests() if r.name == FORECAST)
    assert ForecastJob.from_json(request.spec_json) == job
    with pytest.raises(UserError, match="no field “tst”"):
        ForecastJob.from_json('{"tst": 1}')
