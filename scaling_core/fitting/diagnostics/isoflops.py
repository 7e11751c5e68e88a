"""Runs trained as isoFLOP profiles: whether the sizes at each budget show where its best size lies."""

from __future__ import annotations

from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding, Severity
from scaling_core.fitting.levels import same_level

#: Runs count as profiles where this share of them stands at shared budgets.
_SHARE = 0.4
#: On a grid of sizes by lengths, budgets are shared as well, but lengths are few.
_LENGTHS_PER_BUDGET = 2
_SAME_LENGTH = 0.01
_SERIOUS = 0.5


def not_bracketed(e: Evidence) -> Finding | None:
    """Loss is lowest at the smallest or largest size of a budget."""
    return _flagged(e, "not bracketed", ("not bracketed",))


def curvature(e: Evidence) -> Finding | None:
    """Loss hardly bends along ln N, or the wrong way."""
    return _flagged(e, "curvature", ("no minimum", "weak curvature"))


def grid(e: Evidence) -> Finding | None:
    """A parabola's vertex is off: sizes reach too far, or lie to one side, or one run pulls it."""
    found = _flagged(e, "isoflop grid", ("wide grid", "off-centre", "outlier"))
    return found and Finding(found.name, "info", found.text, found.number, found.fix)


def _flagged(e: Evidence, name: str, flags: tuple[str, ...]) -> Finding | None:
    found = e.profiles if _are_profiles(e) else None
    said = [f for f in found.findings if f.name in flags] if found else []
    if not found or not said:
        return None
    worst = max(said, key=lambda f: f.number or 0)
    share = (worst.number or 0) / len(found.profiles)
    severity: Severity = "doubt" if share >= _SERIOUS else "info"
    return Finding(name, severity, worst.text.replace("; not used", ""), worst.number, worst.fix)


def _are_profiles(e: Evidence) -> bool:
    """Whether the runs were trained as profiles, and do not just meet at budgets."""
    if not {"params", "tokens"} <= set(e.fit.law.predictors) or e.profiles is None:
        return False
    points = e.profiles.points
    lengths = int(same_level(points["tokens"].to_numpy(dtype=float), _SAME_LENGTH).max()) + 1
    return len(points) >= _SHARE * len(e.rows) and lengths > _LENGTHS_PER_BUDGET * len(e.profiles.profiles)
