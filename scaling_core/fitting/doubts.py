"""Reasons in the runs themselves to doubt a fit that is sound as arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.fitting.recommend import COLLINEAR, correlation
from scaling_core.laws import Array, Law

#: Root mean square of relative residuals above which a law is no description of its runs.
_LARGE_SCATTER = 0.05
#: How many times the typical scatter the root mean square may be before a few runs must be to blame: the 245
#: Chinchilla points give 4.7, without their five outliers 1.6.
_HEAVY_TAIL = 3.0
#: Tokens may exceed unique tokens by this much for rounding.
_REPEATED = 1.001


def doubts(law: Law, rows: pd.DataFrame, residuals: Array) -> tuple[str, ...]:
    """Sentences for what in the fitted ``rows`` speaks against the law; ``residuals`` (n,) are relative."""
    found = (_on_one_line(law, rows), _repeats(law, rows), *_scatter(residuals))
    return tuple(text for text in found if text)


def _on_one_line(law: Law, rows: pd.DataFrame) -> str:
    """At one D/N, or at one C, terms in N and D may change places at no cost: no derivative at the optimum shows it."""
    if {"params", "tokens"} <= set(law.predictors) and abs(correlation(rows)) > COLLINEAR:
        return "N and D of these runs lie along one line: neither what is due to which nor the best split can be told."
    return ""


def _repeats(law: Law, rows: pd.DataFrame) -> str:
    if "tokens" not in law.predictors or "unique_tokens" not in rows:
        return ""
    repeated = int((rows["tokens"] > _REPEATED * rows["unique_tokens"]).sum())
    if not repeated:
        return ""
    return f"{repeated} of {len(rows)} runs repeat their data, and this law takes every token as new."


def _scatter(residuals: Array) -> tuple[str, ...]:
    size = np.abs(residuals)
    rms, typical = float(np.sqrt(np.mean(size**2))), 1.4826 * float(np.median(size))
    texts = []
    if rms > _HEAVY_TAIL * typical and rms > 1e-6 and len(size) >= 10:
        texts.append(
            f"A few runs lie far off (up to {100 * size.max():.0f}%): leave out the highest losses and see whether "
            "the law moves."
        )
    if rms > _LARGE_SCATTER:
        texts.append(f"The runs scatter {100 * rms:.0f}% around the law: it does not describe them well.")
    return tuple(texts)
