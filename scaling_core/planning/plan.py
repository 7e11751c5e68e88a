"""From a budget to what to train: one scenario, or a whole frontier of them, by the same arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL, quantile_interval
from scaling_core.laws import Array
from scaling_core.planning.basis import Basis
from scaling_core.units import format_count, format_flops, format_ratio

#: Quantities of a plan that have an interval.
QUANTITIES = ("params", "tokens", "tokens_per_param", "loss")
#: Below one FLOP nothing is trained; above this the sum of all computing on Earth is passed many times over.
MIN_FLOPS, MAX_FLOPS = 1.0, 1e40
#: Step between budgets of a frontier in powers of ten: about 5%.
LOG_STEP = 0.02
#: What lies beyond by no more than rounding lies inside.
_EDGE = 1 + 1e-9
_LETTER = {"flops": "C", "params": "N", "tokens": "D"}


@dataclass(frozen=True)
class Scenario:
    """What a person asks: a budget in training FLOPs, and the level of the intervals."""

    flops: float
    level: float = DEFAULT_LEVEL

    def __post_init__(self) -> None:
        if not (math.isfinite(self.flops) and MIN_FLOPS <= self.flops <= MAX_FLOPS):
            raise UserError(
                f"A budget of {self.flops:g} FLOPs cannot be planned for.",
                fix=f"Give one between {MIN_FLOPS:g} and {MAX_FLOPS:g} FLOPs, say 1e22.",
            )


@dataclass(frozen=True)
class Plan:
    """The answer to a scenario.

    Attributes
    ----------
    flops, params, tokens, tokens_per_param, loss : float
        NaN where the law cannot tell.
    intervals : dict
        Low and high of each quantity that has an interval.
    extrapolation : dict
        For C, N and D how many times the answer lies beyond the runs: 1 inside them, above 1 past the largest,
        below 1 short of the smallest. A quantity whose extent is unknown is absent.
    notes : tuple of str
    """

    flops: float
    params: float
    tokens: float
    tokens_per_param: float
    loss: float
    intervals: dict[str, tuple[float, float]]
    extrapolation: dict[str, float]
    law: str
    level: float
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON types at full precision; what cannot be told is null."""
        numbers = {name: _null(getattr(self, name)) for name in ("flops", *QUANTITIES)}
        return {
            "law": self.law,
            **numbers,
            "intervals": {k: list(v) for k, v in self.intervals.items()},
            "interval_level": self.level,
            "extrapolation": self.extrapolation,
            "notes": list(self.notes),
        }


def plan(basis: Basis, scenario: Scenario) -> Plan:
    """Answer one scenario."""
    row = frontier(basis, np.array([scenario.flops]), scenario.level).iloc[0]
    intervals = {
        name: (float(row[f"{name}_low"]), float(row[f"{name}_high"]))
        for name in QUANTITIES
        if math.isfinite(row[f"{name}_low"])
    }
    beyond = {name: times_beyond(float(row[name]), basis.ranges[name]) for name in _LETTER if _known(basis, row, name)}
    return Plan(
        **{name: float(row[name]) for name in ("flops", *QUANTITIES)},
        intervals=intervals,
        extrapolation=beyond,
        law=basis.law.name,
        level=scenario.level,
        notes=(*_extrapolation_notes(beyond, basis), *_doubt_notes(basis), *basis.notes),
    )


def frontier(basis: Basis, flops: Array, level: float | None = DEFAULT_LEVEL) -> pd.DataFrame:
    """Best N and D, and the loss they reach, for each budget.

    Returns a row for each of ``flops`` (shape (m,)) with ``flops``, each of ``QUANTITIES`` with ``_low`` and
    ``_high`` (NaN without draws, or with ``level`` None), and ``beyond``: how many times the budget lies beyond the
    runs.
    """
    columns = _optimum_columns(basis, flops, level) if basis.has_optimum else _line_columns(basis, flops, level)
    out: dict[str, Array] = {"flops": flops}
    for name, (value, low, high) in columns.items():
        out[name], out[f"{name}_low"], out[f"{name}_high"] = value, low, high
    extent = basis.ranges.get("flops")
    out["beyond"] = np.array([times_beyond(float(c), extent) if extent else np.nan for c in flops])
    return pd.DataFrame(out)


def budgets(low: float, high: float, through: float | None = None) -> Array:
    """Budgets from ``low`` to ``high`` or just beyond, in steps of ``LOG_STEP`` of log10, ``through`` one exactly."""
    anchor = through or low
    first = math.floor((math.log10(low) - math.log10(anchor)) / LOG_STEP + 1e-9)
    last = math.ceil((math.log10(high) - math.log10(anchor)) / LOG_STEP - 1e-9)
    return np.asarray(anchor * 10.0 ** (np.arange(first, last + 1) * LOG_STEP))


def times_beyond(value: float, extent: tuple[float, float]) -> float:
    """How many times a value lies beyond an extent: 1 inside, above 1 past its end, below 1 before its start."""
    low, high = extent
    if value > high * _EDGE:
        return value / high
    return value / low if value * _EDGE < low else 1.0


Triple = tuple[Array, Array, Array]


def _optimum_columns(basis: Basis, flops: Array, level: float | None) -> dict[str, Triple]:
    """Values and intervals where the law has an optimum: each draw is optimised for itself."""
    values = _quantities(basis, basis.theta, flops)
    if level is None or not len(basis.draws):
        return {name: _without_interval(value) for name, value in values.items()}
    draws = _quantities(basis, basis.draws, flops)
    return {name: (values[name], *quantile_interval(draws[name], level)) for name in QUANTITIES}


def _quantities(basis: Basis, theta: Array, flops: Array) -> dict[str, Array]:
    best = basis.law.optimum(theta, flops)
    assert best is not None  # asked only where has_optimum holds
    return {
        "params": best.params,
        "tokens": best.tokens,
        "tokens_per_param": best.tokens / best.params,
        "loss": best.loss,
    }


def _line_columns(basis: Basis, flops: Array, level: float | None) -> dict[str, Triple]:
    """Values and intervals where N and D continue the runs' own line and the law says the loss there."""
    columns = {name: _on_line(basis, name, flops) for name in ("params", "tokens", "tokens_per_param")}
    predictor = basis.law.predictors[0]
    x = {predictor: flops if predictor == "flops" else columns[predictor][0]}
    loss = basis.law.predict(basis.theta, x)
    if level is None or not len(basis.draws):
        return {**columns, "loss": _without_interval(loss)}
    return {**columns, "loss": (loss, *quantile_interval(basis.law.predict(basis.draws, x), level))}


def _on_line(basis: Basis, name: str, flops: Array) -> Triple:
    line = basis.lines.get(name)
    return _without_interval(line.value(flops) if line else np.full(flops.shape, np.nan))


def _without_interval(value: Array) -> Triple:
    nothing = np.full(value.shape, np.nan)
    return value, nothing, nothing


def _known(basis: Basis, row: pd.Series, name: str) -> bool:
    return name in basis.ranges and math.isfinite(row[name])


def _extrapolation_notes(beyond: dict[str, float], basis: Basis) -> list[str]:
    notes = []
    for name, times in beyond.items():
        low, high = basis.ranges[name]
        write = format_flops if name == "flops" else format_count
        if times > 1:
            notes.append(f"{_LETTER[name]} lies {format_ratio(times)} beyond the largest of the runs ({write(high)}).")
        elif times < 1:
            notes.append(
                f"{_LETTER[name]} lies {format_ratio(1 / times)} below the smallest of the runs ({write(low)})."
            )
    return notes


def _doubt_notes(basis: Basis) -> list[str]:
    return [f"The fit behind this plan is doubtful: {reason}" for reason in basis.doubts]


def _null(value: float) -> float | None:
    return value if math.isfinite(value) else None
