"""What the law of all other runs says the held-back run will reach, written down before its end is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, fit, get_objective, quantile_interval
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array, get_law
from scaling_core.training.folder import RunFolder, write_whole
from scaling_core.training.ladder_spec import ForecastSpec
from scaling_core.training.outcomes import finished, table_of
from scaling_core.training.spec import read
from scaling_core.units import format_count

#: Name of the job, and so of its folder; the forecast itself lies in the ladder's folder.
FORECAST = "forecast"
FILE_NAME = "forecast.json"
_FORMAT = 1
#: Runs that a law needs beyond its parameters before a cut by tokens is kept.
_SPARE = 3
#: Laws that a forecast tells of beside its own: what they say is written down as well, and judged by nobody.
_OTHERS = ("chinchilla", "chinchilla-tied", "gamma")


@dataclass(frozen=True)
class ForecastJob:
    """What a forecast is made of.

    Attributes
    ----------
    runs : tuple of str
        Runs that it may see.
    test : str
        The run that it is about; ``params``, ``tokens`` and ``flops`` say where that will stand.
    how : ForecastSpec
        How the law is fitted.
    """

    runs: tuple[str, ...]
    test: str
    params: int
    tokens: int
    flops: float
    how: ForecastSpec = field(default_factory=ForecastSpec)

    @classmethod
    def from_json(cls, text: str) -> ForecastJob:
        """Read the specification of a forecast job; raises UserError if it is something else."""
        try:
            return read(cls, json.loads(text))
        except ValueError as error:
            raise UserError(f"This is not JSON ({error}).") from None


@dataclass(frozen=True)
class Law:
    """A law of the runs so far.

    Attributes
    ----------
    fit : FitResult
    rows : pandas.DataFrame
        The runs that it was fitted to.
    left_out : dict
        Why each other run was not.
    """

    fit: FitResult
    rows: pd.DataFrame
    left_out: dict[str, str]

    def expect(self, points: pd.DataFrame, level: float, seed: int = 0) -> pd.DataFrame:
        """What single runs will reach: ``predicted``, ``low`` and ``high`` beside the columns of ``points``.

        The interval holds what the law is unsure of (draws of its parameters) and how single runs scatter around it
        (their residuals, drawn anew and widened for the degrees of freedom that the fit took).
        """
        x = {name: points[name].to_numpy(dtype=float) for name in self.fit.law.predictors}
        low = high = np.full(len(points), np.nan)
        if len(self.fit.draws):
            drawn = self.fit.law.predict(self.fit.draws, x) * np.exp(self._scatter(seed)[:, None])
            low, high = quantile_interval(drawn, level)
        return points.assign(predicted=self.fit.law.predict(self.fit.theta, x), low=low, high=high)

    def curves(self, sizes: Sequence[float], low: float, high: float, level: float, count: int = 40) -> pd.DataFrame:
        """The law at each size from ``low`` to ``high`` tokens: ``params``, ``tokens``, ``loss``, ``low``, ``high``.

        The band is that of the law alone; single runs scatter around it.
        """
        grid = [(n, d) for n in sizes for d in np.geomspace(low, high, count)]
        params, tokens = np.array(grid, dtype=float).reshape(-1, 2).T
        band = self.fit.predict(
            {"params": params, "tokens": tokens, "flops": FLOPS_PER_PARAM_TOKEN * params * tokens}, level
        )
        return pd.DataFrame(
            {"params": params, "tokens": tokens, "loss": band.value, "low": band.low, "high": band.high}
        )

    def _scatter(self, seed: int) -> Array:
        """A residual in ln L for each draw of the law."""
        own = self.fit.points.loc[self.fit.points["role"] == "fitted", "residual"].to_numpy(dtype=float)
        widened = np.log1p(own) * np.sqrt(len(own) / max(1, len(own) - len(self.fit.theta)))
        return np.asarray(np.random.default_rng(seed).choice(widened, len(self.fit.draws)))


def law_of(rows: pd.DataFrame, how: ForecastSpec) -> Law:
    """Fit the law to finished runs (``outcomes.finished``); pure.

    Raises
    ------
    UserError
        If they cannot support it.
    """
    kept, left_out = _cut(rows, how)
    law = get_law(how.law)
    result = fit(law, table_of(kept), get_objective(how.objective), resamples=how.draws, seed=how.seed)
    if result.certificate.grade == "failed":
        raise UserError(f"{law.title} could not be fitted: {' '.join(result.certificate.reasons)}")
    return Law(result, kept, left_out)


def _cut(rows: pd.DataFrame, how: ForecastSpec) -> tuple[pd.DataFrame, dict[str, str]]:
    """Leave out short runs, unless too few would be left."""
    long = rows["tokens"] >= how.min_tokens
    if long.all() or int(long.sum()) < len(get_law(how.law).parameters) + _SPARE:
        return rows, {}
    why = f"fewer than {format_count(how.min_tokens)} tokens: still in the steep fall after the start"
    return rows[long], {str(name): why for name in rows.loc[~long, "run"]}


def write_forecast(folder: Path) -> dict[str, Any]:
    """Fit the runs of a ladder's folder that have ended, and write ``forecast.json`` there, once.

    What it may see and what it is about stand in ``forecast/spec.json``.

    Returns
    -------
    dict
        What was written. A forecast that is there already is left as it is and returned.

    Raises
    ------
    UserError
        If no law can be fitted, or the held-back run has ended already: then nothing would be foretold.
    """
    if (there := read_forecast(folder)) is not None:
        return there
    job = ForecastJob.from_json(RunFolder(folder / FORECAST).spec_json)
    if RunFolder(folder / job.test).result is not None:
        raise UserError("The run to be foretold has ended already.", where=job.test)
    rows = finished(folder)
    found = law_of(rows[rows["run"].isin(job.runs)], job.how)
    content = _content(job, found)
    content["digest"] = digest_of(content)
    write_whole(folder / FILE_NAME, json.dumps(content, indent=1).encode())
    return content


def _content(job: ForecastJob, found: Law) -> dict[str, Any]:
    point = pd.DataFrame([{"params": float(job.params), "tokens": float(job.tokens), "flops": job.flops}])
    point = point.assign(unique_tokens=point["tokens"])
    expected = found.expect(point, job.how.level, job.how.seed).iloc[0]
    result = found.fit
    missing = sorted(set(job.runs) - set(found.rows["run"]) - set(found.left_out))
    return {
        "format": _FORMAT,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "test": job.test,
        "params": job.params,
        "params_are": "blocks and head, embedding not counted",
        "tokens": job.tokens,
        "flops": job.flops,
        "predicted": float(expected["predicted"]),
        "low": float(expected["low"]),
        "high": float(expected["high"]),
        "level": job.how.level,
        "interval_is": "draws of the law and scatter of single runs",
        "law": result.law.name,
        "parameters": result.parameters,
        "objective": {"name": result.objective, "value": result.value, "delta": result.delta},
        "scatter": result.scatter(),
        "certificate": result.certificate.to_json(),
        "rows": found.rows[["run", "params", "tokens", "flops", "loss"]].to_dict("records"),
        "left_out": {**found.left_out, **dict.fromkeys(missing, "did not end well")},
        "other_laws": _others(job, found, point),
        "how": asdict(job.how),
    }


def _others(job: ForecastJob, found: Law, point: pd.DataFrame) -> dict[str, Any]:
    """What other laws of the same rows say, with how near the rows lie to them."""
    said: dict[str, Any] = {}
    for name in _OTHERS:
        if name != job.how.law:
            with suppress(UserError):
                other = law_of(found.rows, replace(job.how, law=name, min_tokens=0, draws=0))
                predicted = float(other.expect(point, job.how.level).iloc[0]["predicted"])
                said[name] = {"predicted": predicted, "scatter": other.fit.scatter()}
    return said


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of a forecast without its digest: a changed number shows."""
    rest = {k: v for k, v in content.items() if k != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_forecast(folder: Path) -> dict[str, Any] | None:
    """The forecast of a ladder's folder, or None before there is one.

    Raises
    ------
    UserError
        If the file was changed after it was written.
    """
    try:
        content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("digest") != digest_of(content):
        raise UserError("This forecast is not as it was written.", where=str(folder / FILE_NAME))
    return content


@dataclass(frozen=True)
class Verdict:
    """How a forecast did.

    Attributes
    ----------
    test : str
    predicted, low, high, level
        The forecast, nats per token.
    actual : float
        What the run reached.
    written : str
        When the forecast was written (ISO 8601, UTC).
    before : bool
        Whether that was before the run ended, by the clock of its result, or where that says none by its file's time.
    """

    test: str
    predicted: float
    low: float
    high: float
    level: float
    actual: float
    written: str
    before: bool

    @property
    def off(self) -> float:
        """How far the forecast was off, as a share of what came: above 0 it said too high a loss."""
        return self.predicted / self.actual - 1.0

    @property
    def inside(self) -> bool:
        """Whether the run ended inside the interval."""
        return self.low <= self.actual <= self.high


def verdict(folder: Path) -> Verdict | None:
    """Forecast against outcome, from a ladder's folder; None until both are there. Raises as ``read_forecast``."""
    content = read_forecast(folder)
    if content is None:
        return None
    path = folder / str(content["test"]) / "result.json"
    result = RunFolder(path.parent).result
    if result is None:
        return None
    written = datetime.fromisoformat(content["time"])
    before = written.timestamp() <= _ended(result, path)
    said = {name: content[name] for name in ("test", "predicted", "low", "high", "level")}
    return Verdict(**said, actual=float(result["loss"]), written=content["time"], before=before)


def _ended(result: Mapping[str, Any], path: Path) -> float:
    """When a run ended; a copied file's time says when it was copied."""
    try:
        return datetime.fromisoformat(result["ended"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return path.stat().st_mtime


@dataclass(frozen=True)
class Growing:
    """The law of a ladder while it grows.

    Attributes
    ----------
    law : Law or None
    why_not : str
        Why there is none yet.
    forecasts : pandas.DataFrame
        Runs to come: ``run``, ``params``, ``tokens``, ``flops``, ``predicted``, ``low``, ``high``; empty without a law.
    """

    law: Law | None
    why_not: str
    forecasts: pd.DataFrame


def growing(done: pd.DataFrame, coming: pd.DataFrame, how: ForecastSpec) -> Growing:
    """The law of what has ended, and what it says of what has not; pure.

    Parameters
    ----------
    done : ``outcomes.finished``
    coming : frame with ``run``, ``params``, ``tokens``, ``flops``
    """
    nothing = coming.iloc[:0].assign(predicted=[], low=[], high=[])
    try:
        found = law_of(done, replace(how, draws=min(how.draws, 200)))
    except UserError as error:
        return Growing(None, error.what, nothing)
    points = coming.assign(unique_tokens=coming["tokens"])
    return Growing(found, "", found.expect(points, how.level, how.seed).drop(columns="unique_tokens"))
