"""Which rows stand behind the fit: how many scales, which checkpoints, whether data was repeated."""

from __future__ import annotations

import math

import numpy as np

from scaling_core.fitting import doubts
from scaling_core.fitting.diagnostics.chance import clipped, within_correlation
from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.levels import same_level
from scaling_core.runs.schema import COLUMNS, PREDICTORS

_FEWEST_SCALES = 3
#: Values nearer than this, as a share, are one scale.
_SAME_SCALE = 0.1
#: With fewer runs than this, resampling them says little (Cameron, Gelbach & Miller 2008).
_FEWEST_RUNS = 10
_ALIKE = 0.5
_NARROWER = 1.5
_FEW_EARLY = 5
#: Losses of checkpoints that lie this far, and this many standard errors, above those of ends are not on one law.
_ABOVE, _STANDARD_ERRORS = 0.003, 3.0


def collinear(e: Evidence) -> Finding | None:
    """N and D vary along one line."""
    return doubts.on_one_line(e.fit.law, e.rows)


def epochs(e: Evidence) -> Finding | None:
    """Runs that see their data more than once, under a law that takes every token as new."""
    return doubts.repeats(e.fit.law, e.rows)


def scales(e: Evidence) -> Finding | None:
    """Fewer than three scales of a predictor: a power law through two points is no test of one."""
    for name in (p for p in e.fit.law.predictors if p in PREDICTORS):
        count = int(same_level(e.rows[name].to_numpy(dtype=float), _SAME_SCALE).max()) + 1
        if count < _FEWEST_SCALES:
            what = COLUMNS[name]
            text = (
                f"The runs have only {count} scale{'s' * (count > 1)} of {what.symbol} ({what.title.lower()}): "
                f"the shape of the law in {what.symbol} is assumed, not seen."
            )
            return Finding("scales", "doubt", text, float(count), f"Add runs at a third {what.symbol}.")
    return None


def checkpoints(e: Evidence) -> Finding | None:
    """Checkpoints of a run are not independent: there must be runs enough, and they must be drawn together."""
    groups = np.unique(e.posed.groups, return_inverse=True)[1]
    runs = int(groups.max()) + 1
    if runs == len(groups):
        return _alike(e)
    if runs >= _FEWEST_RUNS:
        return None
    text = f"Behind {len(groups)} checkpoints stand only {runs} runs: intervals from so few are too narrow."
    return Finding("checkpoints", "doubt", text, float(runs), "Add runs; more checkpoints of the same do not help.")


def _alike(e: Evidence) -> Finding | None:
    """Rows that share a run's name but are drawn apart, with residuals that go together."""
    names = np.asarray(e.rows.groupby(["file", "run"], sort=False).ngroup(), dtype=np.intp)
    shared = names.max() + 1 < len(names)
    if not shared or len(e.fit.draws) < 2:
        return None
    r = within_correlation(clipped(e.residuals), names)
    narrower = math.sqrt(1 + (len(names) / (names.max() + 1) - 1) * max(r, 0.0))
    if r < _ALIKE or narrower < _NARROWER:
        return None
    text = (
        f"{len(names)} rows share {names.max() + 1} run names and their residuals go together (r = {r:.2f}), but they "
        f"are drawn apart: if they are checkpoints, intervals are {narrower:.1f}× too narrow."
    )
    return Finding("checkpoints", "doubt", text, narrower, "Name the step column, so that checkpoints are known.")


def last_or_all(e: Evidence) -> Finding | None:
    """Checkpoints before the end lie above the law: their learning rate had not come down yet."""
    early = ~e.rows["is_final"].to_numpy(dtype=bool)
    if min(early.sum(), (~early).sum()) < _FEW_EARLY:
        return None
    typical = [float(np.median(e.residuals[m])) for m in (early, ~early)]
    error = 1.4826 * math.hypot(
        *(float(np.median(np.abs(e.residuals[m] - t))) / math.sqrt(m.sum())
          for m, t in zip((early, ~early), typical, strict=True))
    )  # fmt: skip
    above = typical[0] - typical[1]
    if above < max(_ABOVE, _STANDARD_ERRORS * error):
        return None
    text = (
        f"Checkpoints before the end of their runs lie {100 * above:.2g}% above the ends: "
        "their learning rate had not come down."
    )
    return Finding("last or all", "doubt", text, above, "Fit the last checkpoint of each run only.")
