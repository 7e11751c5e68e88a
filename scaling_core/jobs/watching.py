"""A ladder while it is trained: where its runs stand, the law of those that have ended, forecast and verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.jobs.model import ACTIVE, Job, Ladder
from scaling_core.jobs.view import curve
from scaling_core.training.folder import RunFolder
from scaling_core.training.forecast import Growing, Verdict, growing, read_forecast, verdict
from scaling_core.training.ladder_spec import ForecastSpec, LadderSpec
from scaling_core.training.outcomes import finished, planned, tuned
from scaling_core.training.spec import read

Stamp = tuple[tuple[str, int], ...]
_DROPPED = ("failed", "cancelled")
#: Runs that the earlier of two fits needs.
_LEAST = 6


@dataclass(frozen=True)
class Narrowed:
    """The interval for the largest run, by the first runs that ended and by all: half its width, as a share."""

    run: str
    few: int
    many: int
    then: float
    now: float


@dataclass(frozen=True)
class Watched:
    """What a ladder has come to.

    Attributes
    ----------
    done : frame ``outcomes.finished`` with ``test``, true for the run that was held back
    tuned : frame ``outcomes.tuned``
        Runs that began with the weights of another: the law leaves them out.
    law : Growing
        The law of the runs that were not held back, and what it says of runs that have not ended.
    coming : frame
        Those forecasts; of the held-back run, once it stands in the file, the written one.
    curves : frame or None
        The law at each size.
    forecast : dict or None
        As it was written down.
    verdict : Verdict or None
    trouble : str
        What is wrong with the forecast's file; empty where nothing is.
    narrowed : Narrowed or None
        How much surer the law has become of the largest run; None before there are enough runs.
    """

    done: pd.DataFrame
    tuned: pd.DataFrame
    law: Growing
    coming: pd.DataFrame
    curves: pd.DataFrame | None
    forecast: dict[str, Any] | None
    verdict: Verdict | None
    trouble: str
    narrowed: Narrowed | None = None


def spec_of(ladder: Ladder) -> LadderSpec | None:
    """The specification that a ladder was planned from; None of jobs that were queued by hand."""
    try:
        return read(LadderSpec, ladder.meta["ladder"])
    except (KeyError, UserError):
        return None


def unit_of(ladder: Ladder) -> str:
    """What its D counts: a "token" of text, or an "example" of data with labels."""
    spec = spec_of(ladder)
    return "token" if spec is None or spec.family == "decoder" else "example"


def forecast_spec(ladder: Ladder) -> ForecastSpec:
    """How the ladder's law is fitted."""
    spec = spec_of(ladder)
    return spec.forecast if spec else ForecastSpec()


def results_stamp(folder: Path) -> Stamp:
    """What changes when, and only when, a run ends or the forecast is written."""
    paths = [*folder.glob("*/result.json"), *folder.glob("forecast.json")]
    return ((str(folder), 0), *sorted((str(path), path.stat().st_mtime_ns) for path in paths))


def metrics_stamp(jobs: Sequence[Job]) -> Stamp:
    """What changes when, and only when, a run has logged something."""
    return tuple((str(job.folder), _size(job.folder / "metrics.jsonl")) for job in jobs)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def dots(folder: Path, jobs: Sequence[Job]) -> pd.DataFrame:
    """Where each run stands on the plane of N and D: ``outcomes.planned`` with ``state`` and ``loss``."""
    rows, states = planned(folder), {job.name: job.state for job in jobs}
    results = {name: RunFolder(folder / name).result or {} for name in rows["run"]}
    return rows.assign(
        state=[_dot_state(states.get(name, "queued")) for name in rows["run"]],
        loss=[float(results[name].get("loss", math.nan)) for name in rows["run"]],
    )


def _dot_state(state: str) -> str:
    if state in (*ACTIVE, "done"):
        return "done" if state == "done" else "running"
    return "failed" if state in _DROPPED else "planned"


def watched(folder: Path, how: ForecastSpec, jobs: Sequence[Job]) -> Watched:
    """Read a ladder's folder and fit the law of what has ended."""
    plan, done = planned(folder), finished(folder)
    tests = set(plan.loc[plan["role"] == "test", "run"])
    done = done.assign(test=done["run"].isin(tests))
    dropped = {job.name for job in jobs if job.state in _DROPPED}
    is_left = ~plan["run"].isin([*done["run"], *dropped]) & (plan["role"] != "tuned")
    left = plan[is_left][["run", "params", "tokens", "flops"]]
    law = growing(done[~done["test"]].drop(columns="test"), left.reset_index(drop=True), how)
    written, judged, trouble = _written(folder)
    coming = _with_written(law.forecasts, written, judged)
    fitted = done[~done["test"]].drop(columns="test")
    return Watched(done, tuned(folder), law, coming, _curves(plan, done, law, how), written, judged, trouble,
                   _narrowed(folder, plan, fitted, law, how))  # fmt: skip


def _narrowed(
    folder: Path, plan: pd.DataFrame, fitted: pd.DataFrame, law: Growing, how: ForecastSpec
) -> Narrowed | None:
    """One more fit, to the half that ended first."""
    few = max(_LEAST, len(fitted) // 2)
    if law.law is None or plan.empty or len(fitted) <= few:
        return None
    ended = {name: (folder / name / "result.json").stat().st_mtime_ns for name in fitted["run"]}
    first = fitted.loc[fitted["run"].map(ended).sort_values().index[:few]]
    largest = plan.loc[[plan["flops"].idxmax()], ["run", "params", "tokens", "flops"]]
    point = largest.assign(unique_tokens=largest["tokens"])
    early = growing(first.reset_index(drop=True), point, how)
    if early.law is None:
        return None
    then, now = (_half_width(found.expect(point, how.level, how.seed)) for found in (early.law, law.law))
    return Narrowed(str(largest["run"].iloc[0]), few, len(fitted), then, now)


def _half_width(row: pd.DataFrame) -> float:
    return float((row["high"] / row["low"]).iloc[0] ** 0.5 - 1.0)


def _written(folder: Path) -> tuple[dict[str, Any] | None, Verdict | None, str]:
    try:
        return read_forecast(folder), verdict(folder), ""
    except UserError as error:
        return None, None, error.line()


def _with_written(forecasts: pd.DataFrame, written: dict[str, Any] | None, judged: Verdict | None) -> pd.DataFrame:
    """The ring of the held-back run stays where it was written down, before its point comes and after."""
    if written is None:
        return forecasts
    names = ("params", "tokens", "flops", "predicted", "low", "high")
    own = pd.DataFrame(
        [{"run": f"{written['test']}, as written down", **{name: float(written[name]) for name in names}}]
    )
    others = forecasts[forecasts["run"] != written["test"]]
    return pd.concat([others, own], ignore_index=True) if len(others) else own


def _curves(plan: pd.DataFrame, done: pd.DataFrame, law: Growing, how: ForecastSpec) -> pd.DataFrame | None:
    if law.law is None:
        return None
    known = pd.concat([plan[["params", "tokens"]], done[["params", "tokens"]]], ignore_index=True)
    sizes = sorted(set(known["params"]))
    return law.law.curves(sizes, known["tokens"].min(), known["tokens"].max(), how.level)


def training_lines(folder: Path, jobs: Sequence[Job]) -> pd.DataFrame:
    """What the runs have logged, a row a step, with ``run`` and ``params``; empty before the first."""
    frames = [_lines(job, params) for job, params in _sized(folder, jobs)]
    frames = [frame for frame in frames if {"tokens", "loss"} <= set(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _lines(job: Job, params: float) -> pd.DataFrame:
    return curve(job.folder).assign(run=job.name, params=params)


def _sized(folder: Path, jobs: Sequence[Job]) -> list[tuple[Job, float]]:
    """Training jobs with their N; a trunk has that of the runs which share its size."""
    plan = planned(folder)
    params = dict(zip(plan["run"], plan["params"], strict=True))
    by_size = {name.rpartition("-")[0]: n for name, n in params.items()}
    sizes = [
        (job, params.get(job.name, by_size.get(job.name.rpartition("-")[0]))) for job in jobs if job.kind == "train"
    ]
    return [(job, float(n)) for job, n in sizes if n is not None]
