"""IsoFLOP profiles (Hoffmann et al. 2022, approach 2): the best size at each of several budgets, and how it grows.

Runs of one budget differ in size; loss against ln N is lowest at N*. Power laws through these minima say how N* and D*
grow with compute. Intervals come from a wild bootstrap (Wu 1986): each run's noise about the parabola of its budget
takes a random sign, which keeps the sizes as they were chosen. Noise is half that of the run itself and half that of
all budgets: from five runs, two of them to spare, a budget's own noise is hardly known. (Over 600 made-up ladders of 5
to 9 budgets with 5 to 9 sizes, 90% intervals of the exponent held the truth in 87 to 90%.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting.budget import FEWEST_SIZES, Budget, group_by_budget, placed_rows, slope_in_compute
from scaling_core.fitting.exponents import PowerFit, power_fit
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.minimum import METHODS, Method, Parabola, akima_curve, akima_lowest
from scaling_core.fitting.result import DEFAULT_LEVEL, quantile_interval
from scaling_core.fitting.selection import Selection
from scaling_core.laws import Array
from scaling_core.runs.schema import RunTable
from scaling_core.units import format_flops

DEFAULT_TOLERANCE = 0.1
DEFAULT_RESAMPLES = 1000
_FEWEST_USED = 4
#: A parabola's vertex on a law of two power terms is off by up to 4% of N* if the sizes reach 4 times to either side
#: of the best, by up to 10% at 8 times, 20% at 16 times (exponents .25 to .45, no noise).
_WIDE = 8.0
#: Off-centre by half of the half-width; up to 3 times to either side that moves the vertex by less than 2%.
_OFF_CENTRE, _NARROW = 0.5, 3.0
#: A run further off its parabola than so many times the typical run of all budgets, without which N* is another by
#: more than a tenth, pulls it aside. (Of 2,160 made-up budgets with normal noise 2 had one.)
_FAR_OFF, _MOVED = 5.0, 1.1
_CURVE_POINTS = 41
#: Budgets with one flag that are named; of more, only how many.
_MOST_NAMED = 3
#: Losses this near to a parabola differ from it by rounding.
_ROUNDING = 1e-9
#: A draw whose parabola is nearly flat has its vertex anywhere: so far beyond the sizes in ln N is far enough.
_FAR = 7.0

#: What a flag means, and what to do about it.
FLAGS: dict[str, tuple[str, str]] = {
    "few sizes": (
        f"fewer than {_FEWEST_USED} sizes, so nothing tells whether the minimum is real; not used",
        "Add sizes.",
    ),
    "no minimum": ("loss bends the wrong way along ln N; not used", "Add sizes on both sides, or look for bad runs."),
    "not bracketed": (
        "loss is lowest at the smallest or largest size, so the minimum lies outside; not used",
        "Add sizes beyond that end.",
    ),
    "weak curvature": (
        "the bend of loss along ln N is less than twice its error, so the minimum is hardly known",
        "Add sizes further out, or repeat runs.",
    ),
    "outlier": (
        "one run lies far off the parabola and pulls its minimum aside",
        "Look at that run: a spike, a unit, a wrong row? Leave it out, or repeat it.",
    ),
    "wide grid": (
        f"sizes reach more than {_WIDE:g} times beyond the best, where loss is no parabola: N* is off by 10% or more",
        "Leave the outermost sizes out, or take the Akima spline.",
    ),
    "off-centre": (
        "the best size lies far from the middle of the sizes, which pulls the vertex of a parabola aside",
        "Add sizes on the short side, leave some out on the long one, or take the Akima spline.",
    ),
}
#: With one of these a budget says nothing of N*.
_UNUSED = {"few sizes", "no minimum", "not bracketed"}


@dataclass(frozen=True)
class IsoflopProfiles:
    """Best sizes by budget.

    Attributes
    ----------
    profiles : pandas.DataFrame
        A row for each budget, ascending: ``flops``, ``params``, ``tokens``, ``tokens_per_param`` and ``loss`` at the
        minimum (NaN where there is none), ``params_low`` and ``params_high``, ``n`` (runs), ``sizes``, ``params_min``,
        ``params_max``, ``curvature`` (second derivative of loss by ln N), ``flags`` (tuple of keys of ``FLAGS``) and
        ``used`` (whether the power laws go through it).
    points : pandas.DataFrame
        The rows at these budgets, with ``budget`` (its ``flops``) and ``loss_at_budget`` (moved to exactly that).
    curves : pandas.DataFrame
        ``flops``, ``params``, ``loss``: the fitted parabolas or splines over the sizes of each budget.
    params, tokens : PowerFit or None
        N* and D* against C; None with fewer than two budgets to use.
    method : {"parabola", "akima"}
    findings : tuple of Finding
        What speaks against the minima, worst first.
    notes : tuple of str
        What was left out.
    """

    profiles: pd.DataFrame
    points: pd.DataFrame
    curves: pd.DataFrame
    params: PowerFit | None
    tokens: PowerFit | None
    method: Method
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def isoflop_profiles(
    table: RunTable,
    selection: Selection | None = None,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    method: Method = "parabola",
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = DEFAULT_LEVEL,
) -> IsoflopProfiles:
    """Find the size of lowest loss at each budget of the chosen runs, and the power laws through them.

    Parameters
    ----------
    tolerance : float
        How far the compute of runs of one budget may differ, as a share.
    method : {"parabola", "akima"}
        Least-squares parabola of loss in ln N, or a spline through the runs.
    level : float
        Of the intervals of N* in ``profiles``.

    Raises
    ------
    UserError
        If the runs have no loss, no budget has runs of three sizes, or the method is not known.
    """
    rows = placed_rows(table, selection or Selection())
    return profiles_of(rows, tolerance=tolerance, method=method, resamples=resamples, seed=seed, level=level)


def profiles_of(
    rows: pd.DataFrame,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    method: Method = "parabola",
    resamples: int = 0,
    seed: int = 0,
    level: float = DEFAULT_LEVEL,
) -> IsoflopProfiles:
    """``isoflop_profiles`` of rows that are already chosen: they need N, D, C and loss."""
    if method not in METHODS:
        raise UserError(f"There is no way to find a minimum called “{method}”.",
                        fix=f"Choose one of: {', '.join(METHODS)}.")  # fmt: skip
    groups = group_by_budget(rows, tolerance)
    if not groups:
        raise UserError(
            f"No budget has runs of {FEWEST_SIZES} sizes or more: these runs hold no isoFLOP profile.",
            fix="Train several sizes with the same compute, or raise the tolerance.",
        )
    slope = slope_in_compute(groups)
    rng = np.random.default_rng(seed)
    at = [Budget.of(group, slope) for group in groups]
    noise = sum(b.curve.square for b in at) / max(sum(b.curve.spare for b in at), 1)
    typical = 1.4826 * float(np.median(np.abs(np.concatenate([b.curve.residuals for b in at]))))
    found = [_profile(b, method, b.draws(resamples, noise, rng), level, typical) for b in at]
    profiles = pd.DataFrame([f.record for f in found])
    power = [
        power_fit(
            profiles["flops"].to_numpy(dtype=float),
            np.where(profiles["used"], profiles[name], np.nan).astype(float),
            np.where(profiles["used"], np.stack([f.draws[i] for f in found], axis=1), np.nan),
        )
        for i, name in enumerate(("params", "tokens"))
    ]
    return IsoflopProfiles(
        profiles=profiles,
        points=pd.concat([f.points for f in found]),
        curves=pd.concat([f.curve for f in found], ignore_index=True),
        params=power[0],
        tokens=power[1],
        method=method,
        findings=_findings(profiles),
        notes=_notes(len(rows) - sum(map(len, groups))),
    )


@dataclass(frozen=True)
class _Found:
    """What one budget gives; draws are N* and D* of each resample, (R,) each."""

    record: dict[str, Any]
    draws: tuple[Array, Array]
    curve: pd.DataFrame
    points: pd.DataFrame


def _profile(budget: Budget, method: Method, noisy: Array, level: float, typical: float) -> _Found:
    curve = budget.curve
    if method == "parabola":
        (log_n,), (loss,) = curve.lowest(budget.loss[None])
        drawn, _ = curve.lowest(noisy)
    else:
        log_n, loss, drawn = _by_spline(budget, noisy)
    x, average = budget.merged()
    flags = _flags(curve, x, average @ budget.loss, float(log_n), method)
    if method == "parabola" and not _UNUSED & set(flags) and _is_pulled(curve, float(log_n), typical):
        flags = (*flags, "outlier")
    tokens = float(budget.tokens(np.array([log_n]))[0])
    drawn = np.clip(drawn, x[0] - _FAR, x[-1] + _FAR)
    low, high = _interval(np.exp(drawn), level)
    record = {
        "flops": budget.flops, "params": float(np.exp(log_n)), "tokens": tokens,
        "tokens_per_param": tokens / float(np.exp(log_n)), "loss": float(loss), "params_low": low, "params_high": high,
        "n": len(budget.x), "sizes": len(x), "params_min": float(np.exp(x[0])), "params_max": float(np.exp(x[-1])),
        "curvature": curve.curvature, "flags": flags, "used": not _UNUSED & set(flags),
    }  # fmt: skip
    points = budget.rows.assign(budget=budget.flops, loss_at_budget=budget.loss)
    return _Found(record, (np.exp(drawn), budget.tokens(drawn)), _curve(budget, method), points)


def _by_spline(budget: Budget, noisy: Array) -> tuple[Array, Array, Array]:
    """Lowest point of the spline, and of its draws: noise is put on the parabola, or it would be in them twice."""
    x, average = budget.merged()
    (log_n,), (loss,) = akima_lowest(x, (average @ budget.loss)[None])
    (smooth,), _ = akima_lowest(x, (average @ budget.curve.value(budget.x))[None])
    drawn, _ = akima_lowest(x, noisy @ average.T)
    return log_n, loss, drawn - smooth + log_n


def _flags(curve: Parabola, x: Array, loss: Array, log_n: float, method: Method) -> tuple[str, ...]:
    """``x`` and ``loss`` (k,) are those of the sizes, ascending."""
    reach = (log_n - x[0], x[-1] - log_n)
    half = (x[-1] - x[0]) / 2
    outside = not min(reach) > 0 or loss.argmin() in (0, len(x) - 1)
    bent = method == "akima" or curve.curvature > 0
    found = {
        "few sizes": len(x) < _FEWEST_USED,
        "no minimum": not bent,
        "not bracketed": bent and outside,
        "weak curvature": 0 < curve.curvature <= 4 * curve.curvature_error and len(x) >= _FEWEST_USED,
    }
    if method == "parabola" and bent and not outside:
        found["wide grid"] = max(reach) > np.log(_WIDE)
        found["off-centre"] = abs(reach[1] - reach[0]) / 2 > _OFF_CENTRE * half and half > np.log(_NARROW)
    return tuple(name for name, present in found.items() if present)


def _is_pulled(curve: Parabola, log_n: float, typical: float) -> bool:
    """Whether a run that lies far off moves the vertex; ``typical`` is the scatter of a run at all budgets."""
    far = np.abs(curve.residuals) > _FAR_OFF * max(typical, _ROUNDING)
    moved = np.abs(curve.lowest_without() - log_n)
    return bool((far & ~(moved <= np.log(_MOVED))).any())


def _interval(draws: Array, level: float) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = quantile_interval(known, level)
    return float(low), float(high)


def _curve(budget: Budget, method: Method) -> pd.DataFrame:
    x, average = budget.merged()
    at = np.linspace(x[0], x[-1], _CURVE_POINTS)
    loss = budget.curve.value(at) if method == "parabola" else akima_curve(x, average @ budget.loss, at)
    return pd.DataFrame({"flops": budget.flops, "params": np.exp(at), "loss": loss})


def _findings(profiles: pd.DataFrame) -> tuple[Finding, ...]:
    total = len(profiles)
    findings = []
    for name, (text, fix) in FLAGS.items():
        at = [row["flops"] for row in profiles.to_dict("records") if name in row["flags"]]
        if count := len(at):
            which = f" ({', '.join(format_flops(c, 2) for c in at)} FLOPs)" if count <= _MOST_NAMED else ""
            said = f"At {count} of {total} budgets{which} {text}."
            findings.append(Finding(name, "problem" if name in _UNUSED else "doubt", said, count, fix))
    used = int(profiles["used"].sum())
    if used < 3:
        said = f"{used} of {total} budgets show a minimum: a power law through fewer than three is a guess."
        findings.insert(0, Finding("few budgets", "problem", said, used, "Add budgets, or sizes where flagged."))
    return tuple(findings)


def _notes(left: int) -> tuple[str, ...]:
    if not left:
        return ()
    return (f"{left} runs lie at no budget with {FEWEST_SIZES} sizes or more, or at one with far fewer than others, "
            "and are left out.",)  # fmt: skip
