"""Reasons in the runs themselves to doubt a fit that is sound as arithmetic: they lower the grade of every fit.

They are diagnostics like those of ``scaling_core.fitting.diagnostics``, which shows them too, but cost next to nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.fitting.finding import Finding, present
from scaling_core.fitting.recommend import COLLINEAR, REPEATED, correlation, epochs_of
from scaling_core.laws import Array, Law
from scaling_core.units import format_number

#: Root mean square of relative residuals above which a law is no description of its runs.
_LARGE_SCATTER = 0.05
#: How many times the typical scatter the root mean square may be before a few runs must be to blame: the 245
#: Chinchilla points give 4.4, without their five largest residuals 1.3.
_HEAVY_TAIL = 3.0
#: Up to four epochs, repeated tokens were worth nearly as much as new ones (Muennighoff et al. 2023, section 5).
_HARMLESS_EPOCHS = 4.0


def doubts(law: Law, rows: pd.DataFrame, residuals: Array) -> tuple[Finding, ...]:
    """What in the fitted ``rows`` speaks against the law; ``residuals`` (n,) are relative."""
    of_rows = on_one_line(law, rows), repeats(law, rows)
    return present(*of_rows, far_off(residuals, len(law.parameters)), scatter(residuals))


def on_one_line(law: Law, rows: pd.DataFrame) -> Finding | None:
    """At one D/N, or at one C, terms in N and D may change places at no cost: no derivative at the optimum shows it."""
    if not {"params", "tokens"} <= set(law.predictors):
        return None
    r = correlation(rows)
    if not abs(r) > COLLINEAR:
        return None
    text = "N and D of these runs lie along one line: neither what is due to which nor the best split can be told."
    return Finding("collinear", "problem", text, r, "Add runs off that line, or fit a law in C alone.")


def repeats(law: Law, rows: pd.DataFrame) -> Finding | None:
    """A law in D takes every token as new, unless it reads how many were."""
    if "tokens" not in law.predictors or "unique_tokens" in law.predictors or "unique_tokens" not in rows:
        return None
    epochs = epochs_of(rows)
    repeated = int((epochs > REPEATED).sum())
    if not repeated:
        return None
    most = float(np.nanmax(epochs))
    text = f"{repeated} of {len(rows)} runs repeat their data, and this law takes every token as new."
    fix = f"Fit a law for repeated data, or leave out runs of more than one epoch (the most here is {most:.3g})."
    return Finding("epochs", "problem" if most > _HARMLESS_EPOCHS else "doubt", text, most, fix)


def far_off(residuals: Array, parameters: int) -> Finding | None:
    """A few runs far from the law of so many ``parameters``, and the others near it; ``residuals`` (n,) are relative.

    A robust objective lays the law through about as many runs as it has parameters, whatever the scatter, so those are
    left out of what is typical (Maronna, Martin and Yohai 2006, section 4.4: the median of the residuals that are not
    zero).
    """
    size = np.sort(np.abs(residuals))
    typical = 1.4826 * float(np.median(size[parameters:])) if len(size) > parameters else 0.0
    rms = _rms(residuals)
    if rms <= _HEAVY_TAIL * typical or rms <= 1e-6 or len(size) < 10:
        return None
    text = (
        f"A few runs lie far off (up to {_percent(float(size.max()))}): leave out the highest losses and see whether "
        "the law moves."
    )
    return Finding("far off", "doubt", text, float(size.max()), "Look at these runs: a spike, a unit, a wrong row?")


def scatter(residuals: Array) -> Finding | None:
    """Runs that scatter around the law more than a law of loss should leave."""
    rms = _rms(residuals)
    if rms <= _LARGE_SCATTER:
        return None
    text = f"The runs scatter {_percent(rms)} around the law: it does not describe them well."
    fix = "Fit runs of one recipe and data set, or another law."
    return Finding("scatter", "doubt", text, rms, fix)


def _percent(share: float) -> str:
    """A share as a percentage; one beyond all measure as how many times."""
    return f"{100 * share:.0f}%" if share < 10 else f"{format_number(share, 2)} times the law"


def _rms(residuals: Array) -> float:
    return float(np.sqrt(np.mean(np.square(residuals))))
