"""What share of its learning rate a step uses."""

from __future__ import annotations

import math

from scaling_core.training.spec import OptimiserSpec


def cooldown_begin(spec: OptimiserSpec, steps: int) -> int:
    """First step of the cool-down of a "wsd" run of so many steps: up to there a trunk of any length is the same."""
    return steps - math.ceil(spec.cooldown * steps)


def share(spec: OptimiserSpec, step: int, steps: int | None) -> float:
    """Share of the learning rate that step ``step`` (from 0) of ``steps`` uses; None never ends, as a trunk.

    "wsd" warms up, stays, and falls linearly so that 0 would be the step after the last (Hu et al. 2024);
    "cosine" falls to a tenth along half a wave (Hoffmann et al. 2022); "constant" only warms up.
    """
    warm = min(1.0, (step + 1) / max(spec.warmup_steps, 1))
    if steps is None or spec.schedule == "constant":
        return warm
    if spec.schedule == "cosine":
        done = max(0, step - spec.warmup_steps) / max(1, steps - spec.warmup_steps)
        return warm * (0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, done))))
    falling = steps - cooldown_begin(spec, steps)
    return min(warm, (steps - step) / (falling + 1)) if falling else warm
