"""What the runs do not say, where it would matter: gathered into one line."""

from __future__ import annotations

import numpy as np

from scaling_core.fitting.diagnostics import logged
from scaling_core.fitting.diagnostics.counting import SMALL_MODEL
from scaling_core.fitting.diagnostics.evidence import Evidence, listed
from scaling_core.fitting.diagnostics.recipe import schedule_length, warmup_share
from scaling_core.fitting.diagnostics.residuals import repeats_noise
from scaling_core.fitting.finding import Finding

#: Runs that differ by less than this in N or D share what is not said.
_SPAN = 4.0


def unsaid(e: Evidence) -> Finding | None:
    """What might bias the fit and cannot be told from the columns."""
    missing = _missing(e)
    if not missing:
        return None
    text = f"These runs say nothing of {listed(list(missing), 'or')}: we can't tell whether that biases the fit."
    fix = f"Add what you know of it as columns: {listed(list(missing.values()))}."
    return Finding("unsaid", "info", text, float(len(missing)), fix)


def _missing(e: Evidence) -> dict[str, str]:
    """What is not known, and the column that would say it."""
    lengths_differ, sizes_differ = _span(e, "tokens") > _SPAN, _span(e, "params") > _SPAN
    small = e.rows["params"].min() < SMALL_MODEL
    asks = (
        (lengths_differ and not np.isfinite(warmup_share(e)).any(), "warm-up", "warmup_steps"),
        (lengths_differ and not (np.isfinite(schedule_length(e)).any() or logged.has(e.rows, "schedule")),
         "learning-rate decay", "lr_schedule"),
        (sizes_differ and not logged.has(e.rows, "lr"), "learning rates by size", "lr"),
        (sizes_differ and small and {s.params_convention for s in e.table.sources} <= {"unknown"},
         "embeddings in N", "params_non_embedding"),
        (lengths_differ and "unique_tokens" not in e.rows, "repeated data", "unique_tokens"),
        (repeats_noise(e)[1] == 0 and not logged.has(e.rows, "seed"), "seeds", "seed"),
    )  # fmt: skip
    return {what: column for matters, what, column in asks if matters}


def _span(e: Evidence, column: str) -> float:
    values = e.rows[column].dropna()
    return float(values.max() / values.min()) if len(values) else 1.0
