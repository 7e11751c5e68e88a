"""How the runs were trained, where their columns say it: warm-up, decay and size of the learning rate."""

from __future__ import annotations

import numpy as np

from scaling_core.fitting.diagnostics import logged
from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding, Severity
from scaling_core.laws import Array

#: A warm-up of more of a run than this shows in its loss (Porian et al. 2024, section 3.2).
_LONG_WARMUP = 0.2
#: A schedule longer than the run by more than this leaves loss on the table (Hoffmann et al. 2022, appendix B).
_TOO_LONG = 1.25
#: Sizes that span this much do not share one best learning rate, unless it was scaled in the model.
_WIDE, _VERY_WIDE = 10.0, 100.0
_CONSTANT = ("constant", "none", "constant_with_warmup")


def warmup(e: Evidence) -> Finding | None:
    """Warm-up of one length for all takes a large part of the short runs."""
    share = warmup_share(e)
    known = np.isfinite(share)
    if not known.any():
        return None
    most, least = float(share[known].max()), float(share[known].min())
    if most <= _LONG_WARMUP or most < 2 * least:
        return None
    text = (
        f"Warm-up takes up to {100 * most:.0f}% of a run and as little as {100 * least:.2g}%: "
        "short runs look worse than they are, which steepens the law."
    )
    return Finding("warm-up", "doubt", text, most, "Warm up for the same small share of every run, or leave those out.")


def warmup_share(e: Evidence) -> Array:
    """Part of each run that was warm-up, (n,); NaN where it is not known."""
    rows = e.rows
    share = logged.number(rows, "warmup_share")
    by_tokens = logged.number(rows, "warmup_tokens") / rows["tokens"].to_numpy(dtype=float)
    steps = logged.number(rows, "warmup_steps")
    by_steps = np.where(steps < 1, steps, steps / logged.number(rows, "steps"))
    return np.where(np.isfinite(share), share, np.where(np.isfinite(by_tokens), by_tokens, by_steps))


def decay(e: Evidence) -> Finding | None:
    """A schedule made for longer runs, or for runs that never come down."""
    length = schedule_length(e)
    over = length[np.isfinite(length)] > _TOO_LONG
    if over.any():
        text = (
            f"{int(over.sum())} of {len(over)} runs end before their learning rate has come down (schedules up to "
            f"{np.nanmax(length):.2g}× as long as the run): their loss is too high."
        )
        return Finding(
            "decay", "doubt", text, float(np.nanmax(length)), "Leave them out, or decay over each run's length."
        )
    constant = logged.text(e.rows, "schedule").isin(_CONSTANT)
    if not constant.any() or constant.all():
        return None
    text = f"{int(constant.sum())} of {len(constant)} runs keep their learning rate, the others let it decay."
    return Finding("decay", "doubt", text, float(constant.mean()), "Fit runs of one schedule.")


def schedule_length(e: Evidence) -> Array:
    """Length of the schedule over that of the run, (n,); NaN where it is not known."""
    by_tokens = logged.number(e.rows, "decay_tokens") / e.rows["tokens"].to_numpy(dtype=float)
    by_steps = logged.number(e.rows, "decay_steps") / logged.number(e.rows, "steps")
    return np.where(np.isfinite(by_tokens), by_tokens, by_steps)


def learning_rate(e: Evidence) -> Finding | None:
    """One learning rate for all sizes."""
    rate, sizes = logged.number(e.rows, "lr"), e.rows["params"].to_numpy(dtype=float)
    known = np.isfinite(rate) & np.isfinite(sizes)
    if not known.any() or len(np.unique(rate[known])) > 1:
        return None
    span = float(sizes[known].max() / sizes[known].min())
    if span < _WIDE:
        return None
    text = (
        f"One learning rate ({rate[known][0]:.3g}) for sizes {span:.0f}× apart: unless it was scaled with width, "
        "some sizes are worse trained than others."
    )
    severity: Severity = "doubt" if span >= _VERY_WIDE else "info"
    return Finding(
        "learning rate", severity, text, span, "Tune it at the smallest and largest size, or scale it with size."
    )
