"""Is the fit what it claims to be: an optimum, found from many starts, inside its bounds, pinned down by the runs?

These read the certificate and are what lowers its grade.
"""

from __future__ import annotations

from scaling_core.fitting.certificate import few_to_spare, lonely, not_an_optimum, not_pinned_down, on_edge
from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import Finding


def convergence(e: Evidence) -> Finding | None:
    """The solver reached an optimum, and starts agree on it; or not."""
    c = e.fit.certificate
    failed = not_an_optimum(c.gradient_norm)
    if failed or lonely(c.starts_agreeing, c.starts):
        return failed
    text = (
        f"The solver reached an optimum (scaled gradient {c.gradient_norm:.0e}), "
        f"and {c.starts_agreeing} of {c.starts} starts ended there."
    )
    return Finding("convergence", "good", text, c.gradient_norm)


def starts(e: Evidence) -> Finding | None:
    """Hardly any start found this optimum."""
    return lonely(e.fit.certificate.starts_agreeing, e.fit.certificate.starts)


def bounds(e: Evidence) -> Finding | None:
    """A parameter ended on a bound."""
    return on_edge(e.fit.certificate.on_bound)


def spare(e: Evidence) -> Finding | None:
    """Hardly more runs than parameters."""
    if len(e.rows):
        return few_to_spare(len(e.rows) - e.posed.problem.free)
    fixed = sum(c.is_fixed for c in e.fit.constraints)
    return few_to_spare(e.fit.n_points - len(e.fit.law.parameters) + fixed)


def condition(e: Evidence) -> Finding | None:
    """Some combination of parameters that the runs leave open."""
    return not_pinned_down(e.fit.certificate.condition, e.posed.problem.working.centred)
