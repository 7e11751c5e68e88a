"""How far a fit can be believed as a piece of arithmetic: did it converge, do starts agree, is it pinned down?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from scaling_core.fitting.finding import Finding, present
from scaling_core.fitting.solver import EXACT, Problem, Solution
from scaling_core.laws import Array

Grade = Literal["good", "doubtful", "failed"]
#: A scaled gradient above this is not an optimum.
CONVERGED_GRADIENT = 1e-6
#: Starts whose objective is within this of the best have found the same optimum.
AGREEMENT = 1e-6
#: Condition number of the scaled Jacobian above which the runs leave some combination of parameters open.
#: Ladders that vary N and D apart give 30 to 160 (240 Chinchilla points: 33); all at one D/N gives 660 and more.
LARGE_CONDITION = 500.0
#: Working coordinates are of order one: one this near to its bound is on it, but for rounding.
_EDGE = 1e-9
#: The same where predictors are not centred: coefficients and exponents then move together whatever the runs.
_LARGE_UNCENTRED = 3e4


@dataclass(frozen=True)
class Certificate:
    """Evidence that a fit is what it claims to be.

    Attributes
    ----------
    gradient_norm : float
        Scaled gradient at the reported parameters (see ``Solution``); 0 at an exact optimum.
    starts, starts_agreeing : int
        Start points tried, and how many ended at the best objective.
    on_bound : tuple of str
        Parameters that ended on a bound.
    condition : float
        Condition number of the Jacobian with unit columns.
    grade, reasons
        The verdict, and why it is not better.
    """

    gradient_norm: float
    starts: int
    starts_agreeing: int
    on_bound: tuple[str, ...]
    condition: float
    grade: Grade
    reasons: tuple[str, ...]

    def with_doubts(self, found: tuple[Finding, ...]) -> Certificate:
        """Add reasons for doubt that lie in the runs rather than in the arithmetic."""
        if not found:
            return self
        grade: Grade = "failed" if self.grade == "failed" else "doubtful"
        return replace(self, grade=grade, reasons=(*self.reasons, *(f.text for f in found)))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {**asdict(self), "on_bound": list(self.on_bound), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Certificate:
        """Rebuild from ``to_json``; an infinite number may have become null on the way, since JSON has none.

        Raises
        ------
        KeyError, TypeError, ValueError, OverflowError
            If something is missing or of another kind.
        """
        if data["grade"] not in get_args(Grade):
            raise ValueError(f"there is no grade {data['grade']}")
        return cls(
            gradient_norm=_number(data["gradient_norm"]),
            starts=int(data["starts"]),
            starts_agreeing=int(data["starts_agreeing"]),
            on_bound=tuple(str(name) for name in data["on_bound"]),
            condition=_number(data["condition"]),
            grade=data["grade"],
            reasons=tuple(str(reason) for reason in data["reasons"]),
        )


def _number(value: Any) -> float:
    return float("inf") if value is None else float(value)


def certify(problem: Problem, solution: Solution, names: tuple[str, ...]) -> tuple[int, Certificate]:
    """Pick the best start and say how far to trust it. Returns its index and the certificate."""
    best = _best(solution)
    rounding = float(problem.objective.cost(np.full(problem.target.size, EXACT)).sum())
    agreeing = int(np.sum(solution.total <= solution.total[best] * (1 + AGREEMENT) + rounding))
    u = solution.u[best]
    on_bound = _on_bound(problem, u, names)
    condition = _condition(problem, u)
    norm = float(solution.gradient_norm[best])
    spare = problem.target.size - len(names) + len(problem.fixed)
    failed = not_an_optimum(norm)
    found = present(
        on_edge(on_bound),
        lonely(agreeing, len(solution.u)),
        not_pinned_down(condition, problem.working.centred),
        few_to_spare(spare),
    )
    reasons = tuple(f.text for f in (*present(failed), *found))
    grade: Grade = "failed" if failed else "doubtful" if found else "good"
    return best, Certificate(norm, len(solution.u), agreeing, on_bound, condition, grade, reasons)


def not_an_optimum(gradient_norm: float) -> Finding | None:
    """The iterations ended where the objective still falls."""
    if gradient_norm <= CONVERGED_GRADIENT:
        return None
    text = "The solver did not reach an optimum."
    return Finding("convergence", "problem", text, gradient_norm, "Choose another objective or a simpler law.")


def on_edge(names: tuple[str, ...]) -> Finding | None:
    """Parameters that would go further if they could."""
    if not names:
        return None
    text = f"{', '.join(names)} ended on the edge of what is allowed: the runs ask for a simpler law."
    return Finding("bounds", "doubt", text, float(len(names)), "Choose a law without it, or widen the bounds you set.")


def lonely(agreeing: int, starts: int) -> Finding | None:
    """An optimum that hardly any start found."""
    if agreeing >= min(3, starts):
        return None
    text = f"Only {agreeing} of {starts} starts reached this optimum: there may be a better one."
    return Finding("starts", "doubt", text, float(agreeing), "Choose another objective or a simpler law and compare.")


def not_pinned_down(condition: float, centred: bool) -> Finding | None:
    """Some combination of parameters that the runs leave open."""
    if condition <= (LARGE_CONDITION if centred else _LARGE_UNCENTRED):
        return None
    text = "The runs do not pin down every parameter: some change together without changing the fit."
    fix = "Add runs that vary N and D apart, choose a simpler law, or fix a parameter."
    return Finding("condition", "doubt", text, condition, fix)


def few_to_spare(spare: int) -> Finding | None:
    """Hardly more runs than parameters."""
    if spare > 2:
        return None
    text = f"Only {spare} more runs than parameters: almost any law would pass through them."
    return Finding("spare", "doubt", text, float(spare), "Add runs, or choose a simpler law.")


def _best(solution: Solution) -> int:
    """Lowest objective; among equals the best converged, so that rounding does not pick a stalled start."""
    lowest = solution.total.min()
    near = np.flatnonzero(solution.total <= lowest * (1 + 1e-12))
    return int(near[np.argmin(solution.gradient_norm[near])])


def _on_bound(problem: Problem, u: Array, names: tuple[str, ...]) -> tuple[str, ...]:
    working = problem.working
    held = (u <= working.lower + _EDGE) | (u >= working.upper - _EDGE)
    return tuple(n for i, (n, h) in enumerate(zip(names, held, strict=True)) if h and i not in problem.fixed)


def _condition(problem: Problem, u: Array) -> float:
    here = problem.working.at(u[None])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        jac = np.delete(here.gradient()[0] / here.value, problem.fixed, axis=0)
    if not np.isfinite(jac).all():
        return float("inf")
    length = np.linalg.norm(jac, axis=1, keepdims=True)
    if (length == 0).any():  # a parameter that changes nothing
        return float("inf")
    singular = np.linalg.svd(jac / length, compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] > 0 and len(singular) == len(jac) else float("inf")
