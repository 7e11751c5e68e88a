"""Filling N, D and C from one another, and doubting them where they disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_core.runs.schema import COLUMNS, PREDICTORS, Note

Floats = NDArray[np.float64]
#: A median difference between C and 6ND beyond this says that C was counted in another way.
TOLERANCE = 0.05
#: And beyond this factor, that a unit is wrong.
_ABSURD = 100.0


@dataclass(frozen=True)
class Rule:
    """How a missing value follows from others of its row."""

    target: str
    text: str
    needs: tuple[str, str]
    formula: Callable[[Floats, Floats], Floats]


#: In the order in which they are tried. C = 6ND: Kaplan et al. 2020, section 2.1.
RULES = (
    Rule("params", "sqrt(C/(6 × tokens_per_param))", ("flops", "tokens_per_param"), lambda c, r: np.sqrt(c / 6 / r)),
    Rule("params", "D/tokens_per_param", ("tokens", "tokens_per_param"), lambda d, r: d / r),
    Rule("tokens", "tokens_per_param × N", ("tokens_per_param", "params"), lambda r, n: r * n),
    Rule("tokens", "C/(6N)", ("flops", "params"), lambda c, n: c / 6 / n),
    Rule("params", "C/(6D)", ("flops", "tokens"), lambda c, d: c / 6 / d),
    Rule("flops", "6ND", ("params", "tokens"), lambda n, d: 6 * n * d),
)  # fmt: skip


@dataclass(frozen=True)
class Derived:
    """Values with their gaps filled, by canonical column, and how."""

    values: dict[str, Floats]
    rules: dict[str, str]
    notes: tuple[Note, ...]


def derive(values: dict[str, Floats], file: str) -> Derived:
    """Fill missing parameters, tokens and FLOPs where the others of the row give them.

    Parameters
    ----------
    values : dict of str to ndarray of float64, shape (n,)
        ``params``, ``tokens`` and ``flops``, NaN where unknown; ``tokens_per_param`` if given.
    file : str
        For the notes.
    """
    filled = {name: column.copy() for name, column in values.items()}
    rules: dict[str, list[str]] = {}
    notes = list(_agreement(values, file))
    for rule in RULES:
        count = _apply(rule, filled)
        if count:
            rules.setdefault(rule.target, []).append(rule.text)
            notes.append(Note("info", _note_text(rule, count, len(filled[rule.target])), file))
    return Derived(filled, {target: " or ".join(texts) for target, texts in rules.items()}, tuple(notes))


def _apply(rule: Rule, filled: dict[str, Floats]) -> int:
    """Fill the gaps of one column by one rule, in place; return how many."""
    if any(name not in filled for name in rule.needs):
        return 0
    with np.errstate(all="ignore"):
        result = rule.formula(*(filled[name] for name in rule.needs))
    gaps = np.isnan(filled[rule.target]) & np.isfinite(result) & (result > 0)
    filled[rule.target][gaps] = result[gaps]
    return int(np.count_nonzero(gaps))


def _note_text(rule: Rule, count: int, rows: int) -> str:
    column = COLUMNS[rule.target]
    share = f"all {rows:,} rows" if count == rows else f"{count:,} of {rows:,} rows"
    return f"{column.title} ({column.symbol}) not given in {share}: computed as {rule.text}."


def _agreement(values: dict[str, Floats], file: str) -> list[Note]:
    """Note where C, as the file gives it, differs from 6ND."""
    n, d, c = (values[name] for name in PREDICTORS)
    with np.errstate(all="ignore"):
        ratio = c / (6 * n * d)
    ratio = ratio[np.isfinite(ratio)]
    if not len(ratio) or np.median(np.abs(ratio - 1)) <= TOLERANCE:
        return []
    typical = float(np.median(ratio))
    if not 1 / _ABSURD < typical < _ABSURD:
        text = f"C is typically {typical:.3g} times 6ND: check the units of parameters, tokens and FLOPs."
        return [Note("warning", text, file)]
    median = float(np.median(np.abs(ratio - 1)))
    return [Note("info", f"C differs from 6ND by a median of {median:.0%}: it was counted otherwise.", file)]
