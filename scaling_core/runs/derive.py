"""Filling N, D and C from one another, and doubting them where they disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_core.runs.schema import COLUMNS, PREDICTORS, Note

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
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
    """Values with their gaps filled, by canonical column, and where each rule filled them.

    ``given`` and ``values`` hold arrays of float64, shape (n,); ``filled`` has a mask of that shape for each rule.
    """

    given: dict[str, Floats]
    values: dict[str, Floats]
    filled: tuple[tuple[Rule, Mask], ...]

    def rules(self, kept: Mask) -> dict[str, str]:
        """Return the rules that filled a column in any of the kept rows."""
        texts: dict[str, list[str]] = {}
        for rule, mask in self.filled:
            if (mask & kept).any():
                texts.setdefault(rule.target, []).append(rule.text)
        return {target: " or ".join(found) for target, found in texts.items()}

    def notes(self, kept: Mask, file: str) -> list[Note]:
        """Say what was filled in the kept rows, and where C disagrees with 6ND."""
        counts = [(rule, int(np.count_nonzero(mask & kept))) for rule, mask in self.filled]
        texts = [_note_text(rule, count, int(kept.sum())) for rule, count in counts if count]
        given = {name: column if kept.all() else column[kept] for name, column in self.given.items()}
        return [*_agreement(given, file), *(Note("info", text, file) for text in texts)]


def derive(given: dict[str, Floats]) -> Derived:
    """Fill missing parameters, tokens and FLOPs where the others of the row give them.

    Parameters
    ----------
    given : dict of str to ndarray of float64, shape (n,)
        ``params``, ``tokens`` and ``flops``, NaN where unknown; ``tokens_per_param`` if given.
    """
    values = dict(given)
    filled: list[tuple[Rule, Mask]] = []
    for rule in RULES:
        gaps = np.isnan(values[rule.target])
        if not gaps.any() or not all(name in values and _is_known(values[name]) for name in rule.needs):
            continue
        with np.errstate(all="ignore"):
            result = rule.formula(*(values[name] for name in rule.needs))
        gaps &= np.isfinite(result) & (result > 0)
        values[rule.target] = result if gaps.all() else np.where(gaps, result, values[rule.target])
        filled.append((rule, gaps))
    return Derived(given, values, tuple(filled))


def _is_known(values: Floats) -> bool:
    """Whether any value is known; mostly the first is."""
    return bool(len(values)) and not (np.isnan(values[0]) and np.isnan(values).all())


def _note_text(rule: Rule, count: int, rows: int) -> str:
    column = COLUMNS[rule.target]
    share = f"{count:,} of {rows:,} rows" if count < rows else f"any of the {rows:,} rows" if rows > 1 else "the row"
    return f"{column.title} ({column.symbol}) not given in {share}: computed as {rule.text}."


def _agreement(values: dict[str, Floats], file: str) -> list[Note]:
    """Note where C, as the file gives it, differs from 6ND."""
    n, d, c = (values[name] for name in PREDICTORS)
    if not all(map(_is_known, (n, d, c))):
        return []
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
