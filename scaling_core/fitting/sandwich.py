"""How far parameters scatter, from derivatives at the optimum alone: the sandwich of an M-estimator.

With r the residuals, ψ the slope of the cost and j the derivatives of r by the parameters, the optimum moves by
−H⁻¹ Σ ψ j for H = Σ E[ψ'] j jᵀ, so its covariance is H⁻¹ M H⁻¹ with M = Σ ψ² j jᵀ (Huber 1967; White 1982; Huber &
Ronchetti 2009, section 7.6). Two things are done about few runs:

- Huber's ψ' is 1 within delta and 0 outside. Its mean is the density of residuals around zero, seen through a window
  wide enough to hold some (Powell 1991; Koenker 2005, section 3.4.2).
- A fit bends towards its runs. M takes each residual as it would be had the law been fitted without that run, by one
  Newton step: for squared error r/(1 − leverage), which is HC3 of MacKinnon & White 1985.

Rows of one group scatter together: they are left out together, and M sums over groups first (Bell & McCaffrey 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.fitting.objective import Objective
from scaling_core.fitting.solver import Problem
from scaling_core.laws import Array, Index, Mask

#: Eigenvalues of the scaled bread below this are rounding: that direction is open.
_OPEN = 1e-12
#: A run that the law passes through whatever its loss would be stretched without end.
_LEAST_REMAINDER = 0.1
#: Normal density at its middle.
_PHI = 0.3989422804014327


@dataclass(frozen=True)
class Sandwich:
    """Scatter of the working coordinates around an optimum; zero for parameters that are fixed or on a bound.

    Attributes
    ----------
    inverse : array, shape (p, p)
        H⁻¹.
    covariance : array, shape (p, p)
        H⁻¹ M H⁻¹.
    stretched : array, shape (n,)
        Residuals as they would be without the pull of the row's own group.
    """

    inverse: Array
    covariance: Array
    stretched: Array

    def inflation(self, index: int) -> float:
        """Variance of a coordinate over what the curvature of the objective alone says; 0 where there is neither."""
        expected = float(self.inverse[index, index])
        return float(self.covariance[index, index]) / expected if expected > 0 else 0.0


def sandwich(problem: Problem, u: Array, weights: Array, groups: Array, moving: int | None = None) -> Sandwich:
    """Scatter around the optimum ``u`` (p,) with weights (n,) and ``groups`` (n,) of rows that go together.

    The parameter ``moving`` is let go even where it sits on a bound.
    """
    here, r = problem.evaluate(u[None])
    jac = here.gradient()[0] / (here.value if problem.objective.space == "log" else 1.0)
    jac[~_free(problem, u, moving)] = 0.0
    _, group = np.unique(groups, return_inverse=True)
    bread = _by_group(jac, weights * smooth_bend(problem.objective, r[0]), group)
    root = _inverse_root(bread.sum(axis=0))
    pull = _scores(jac, weights * problem.objective.slope(r[0]), group)
    stretched = r[0] + np.einsum("pn,np->n", jac, _without(root, bread, pull)[group])
    score = _scores(jac, weights * problem.objective.slope(stretched), group)
    inverse = root.T @ root
    half = score @ inverse
    return Sandwich(inverse, half.T @ half, stretched)  # a square, so that rounding leaves no negative variance


def smooth_bend(objective: Objective, r: Array) -> Array:
    """Second derivative of the cost at residuals (n,), as the mean over a window around each."""
    width = window(r)
    if np.isinf(objective.delta) or not width > 0:
        return objective.bend(r)
    return np.asarray((objective.slope(r + width) - objective.slope(r - width)) / (2 * width))


def window(r: Array) -> float:
    """Half-width of a window around zero to see the density of residuals (n,) there: Hall & Sheather 1988.

    As in Koenker 2005, section 3.4.2, at the median and for intervals of 90%.
    """
    share = len(r) ** (-1 / 3) * normal_quantile(0.95) ** (2 / 3) * (1.5 * _PHI**2) ** (1 / 3)
    spread = min(float(np.std(r)), float(np.subtract(*np.quantile(r, [0.75, 0.25]))) / 1.34)
    return 2 * normal_quantile(min(0.5 + share, 0.9)) * spread


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution."""
    from statistics import NormalDist  # 30 ms that the first page need not wait for

    return NormalDist().inv_cdf(p)


def _free(problem: Problem, u: Array, moving: int | None) -> Mask:
    """Parameters that can move both ways."""
    free = (u > problem.working.lower) & (u < problem.working.upper)
    free[list(problem.fixed)] = False
    if moving is not None:
        free[moving] = True
    return np.asarray(free)


def _scores(jac: Array, slope: Array, group: Index) -> Array:
    """Σ slope·j over the rows of each group: (G, p)."""
    out = np.zeros((int(group.max()) + 1, len(jac)))
    np.add.at(out, group, (jac * slope).T)
    return out


def _by_group(jac: Array, bend: Array, group: Index) -> Array:
    """Σ bend·j jᵀ over the rows of each group: (G, p, p)."""
    p = len(jac)
    pairs = (jac[:, None] * (jac * bend)[None]).reshape(p * p, -1)
    return _scores(pairs, np.ones(len(group)), group).reshape(-1, p, p)


def _without(root: Array, bread: Array, pull: Array) -> Array:
    """How far one Newton step takes the optimum when a group is left out, (G, p): (H − H_g)⁻¹ Σ_g ψ j."""
    share, along = np.linalg.eigh(root @ bread @ root.T)  # of what is known along each direction, the group's part
    steps = np.einsum("gpk,gp->gk", along, pull @ root.T) / np.maximum(1.0 - share, _LEAST_REMAINDER)
    return np.asarray(np.einsum("gpk,gk->gp", along, steps) @ root)


def _inverse_root(bread: Array) -> Array:
    """R with Rᵀ R the inverse over the parameters that have any; open directions become very wide ones."""
    size = np.sqrt(np.diag(bread))
    unit = np.where(size > 0, size, np.inf)
    values, vectors = np.linalg.eigh(bread / np.outer(unit, unit))
    return np.asarray((vectors / np.sqrt(np.maximum(values, _OPEN))).T / unit)
