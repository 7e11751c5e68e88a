"""What a second look at a fit finds, worst first. One registry: a new look is a function and a line below."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scaling_core.fitting.diagnostics import (
    arithmetic,
    counting,
    hangs_on,
    isoflops,
    parameters,
    reach,
    recipe,
    residuals,
    sampling,
    unknowns,
)
from scaling_core.fitting.diagnostics.evidence import Evidence
from scaling_core.fitting.finding import SEVERITIES, Finding, Severity
from scaling_core.fitting.result import FitResult
from scaling_core.runs.schema import RunTable


class Diagnostic(NamedTuple):
    """A look at a fit: what it is called, and the function. It finds one thing, or nothing.

    ``on_rows`` says that it needs the rows that were fitted, which a fit read from a file no longer has.
    """

    name: str
    look: Callable[[Evidence], Finding | None]
    on_rows: bool = True


DIAGNOSTICS: tuple[Diagnostic, ...] = (
    Diagnostic("convergence", arithmetic.convergence, on_rows=False),
    Diagnostic("starts", arithmetic.starts, on_rows=False),
    Diagnostic("bounds", arithmetic.bounds, on_rows=False),
    Diagnostic("spare", arithmetic.spare, on_rows=False),
    Diagnostic("condition", arithmetic.condition),
    Diagnostic("correlation", parameters.correlation, on_rows=False),
    Diagnostic("weak", parameters.weak, on_rows=False),
    Diagnostic("open split", parameters.open_answer),
    Diagnostic("narrow", parameters.too_narrow),
    Diagnostic("highest losses", hangs_on.highest_losses),
    Diagnostic("single run", hangs_on.single_run),
    Diagnostic("objective", hangs_on.objective),
    Diagnostic("collinear", sampling.collinear),
    Diagnostic("epochs", sampling.epochs),
    Diagnostic("far off", residuals.far_off),
    Diagnostic("scatter", residuals.scatter),
    Diagnostic("scales", sampling.scales),
    Diagnostic("checkpoints", sampling.checkpoints),
    Diagnostic("last or all", sampling.last_or_all),
    Diagnostic("seeds", residuals.seeds),
    Diagnostic("kinds", residuals.kinds),
    Diagnostic("lack of fit", residuals.lack_of_fit),
    Diagnostic("embeddings", counting.embeddings),
    Diagnostic("compute", counting.compute),
    Diagnostic("warm-up", recipe.warmup),
    Diagnostic("decay", recipe.decay),
    Diagnostic("learning rate", recipe.learning_rate),
    Diagnostic("not bracketed", isoflops.not_bracketed),
    Diagnostic("curvature", isoflops.curvature),
    Diagnostic("isoflop grid", isoflops.grid),
    Diagnostic("extrapolation", reach.extrapolation),
    Diagnostic("largest held out", reach.largest_held_out),
    Diagnostic("random folds", reach.random_folds),
    Diagnostic("unsaid", unknowns.unsaid),
)


def diagnose(table: RunTable, fit: FitResult, flops: float | None = None) -> tuple[Finding, ...]:
    """Look at a fit and its runs from every side.

    Parameters
    ----------
    table : RunTable
        The runs that the fit was made of.
    fit : FitResult
    flops : float, optional
        The budget that is asked about. Without one, answers are compared at 10 times the largest run.

    Returns
    -------
    tuple of Finding
        Problems first, then doubts, what is good to know, and what is well.
    """
    evidence = Evidence(table, fit, flops)
    looks = [d for d in DIAGNOSTICS if len(evidence.rows) or not d.on_rows]
    found = [finding for d in looks if (finding := d.look(evidence))]
    return tuple(sorted(found, key=lambda f: SEVERITIES.index(f.severity)))


__all__ = ["DIAGNOSTICS", "Diagnostic", "Evidence", "Finding", "Severity", "diagnose"]
