"""What a fit minimises: residuals of ln L or of L, and how much each costs.

Objectives are sums over runs, never means: a mean of tiny Huber losses meets an optimiser's absolute tolerance
at once, wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scaling_core.errors import UserError
from scaling_core.laws import Array

#: Huber's threshold in ln L used by Hoffmann et al. 2022, section 3.3.
DEFAULT_DELTA = 1e-3


@dataclass(frozen=True)
class Objective:
    """A cost of residuals.

    Attributes
    ----------
    name : str
        Key of ``OBJECTIVES``.
    title : str
        What a person reads in a menu.
    space : {"log", "linear"}
        Whether a residual is ln L_pred − ln L or L_pred − L.
    delta : float
        Huber's threshold, in ln L or as a share of the typical L; infinite for squared error, and for absolute error
        so small that only the runs a law passes through lie within it.
    """

    name: str
    title: str
    space: Literal["log", "linear"]
    delta: float

    def cost(self, r: Array) -> Array:
        """Cost of residuals: r²/2 up to delta, then linear (Huber 1964)."""
        size = np.abs(r)
        if np.isinf(self.delta):
            return 0.5 * r * r
        return np.where(size <= self.delta, 0.5 * r * r, self.delta * (size - 0.5 * self.delta))

    def slope(self, r: Array) -> Array:
        """First derivative of the cost."""
        return np.clip(r, -self.delta, self.delta)

    def bend(self, r: Array) -> Array:
        """Second derivative of the cost."""
        return (np.abs(r) <= self.delta).astype(float)

    def secant(self, r: Array) -> Array:
        """Slope over residual: the weights of iteratively reweighted least squares, positive everywhere."""
        return np.minimum(1.0, self.delta / np.maximum(np.abs(r), 1e-300))

    @property
    def has_delta(self) -> bool:
        """Whether this is a Huber objective, whose threshold can be chosen."""
        return _ABSOLUTE < self.delta < np.inf

    @property
    def continuation(self) -> tuple[Objective, ...]:
        """Objectives to minimise one after another, each from where the last ended: a kink is come at by degrees."""
        if self.delta > _ABSOLUTE:
            return (self,)
        return (*(replace(self, delta=d) for d in _APPROACH), self)

    def with_delta(self, delta: float) -> Objective:
        """Return the same objective with another threshold.

        Raises
        ------
        UserError
            If this objective has no threshold to choose, or it is not a positive number.
        """
        if not self.has_delta:
            raise UserError(f"{self.title} has no delta.", fix="Choose a Huber objective to set one.")
        if not _ABSOLUTE < delta < np.inf:
            raise UserError(f"A delta of {delta:g} is not possible.", fix=f"Give one above {_ABSOLUTE:g}, say 1e-3.")
        return replace(self, delta=float(delta))

    def reported(self, total: float, n: float, loss_scale: float) -> float:
        """Return the value as people quote it: the sum for Huber, the mean for squared and absolute error."""
        unit = loss_scale if self.space == "linear" else 1.0
        if np.isinf(self.delta):
            return 2.0 * total / n * unit**2
        return total / self.delta / n * unit if self.delta <= _ABSOLUTE else total


#: Huber's cost with a threshold of this or less is the absolute error, but for the few runs a law passes through.
_ABSOLUTE = 1e-7
_APPROACH = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)

OBJECTIVES: dict[str, Objective] = {
    o.name: o
    for o in (
        Objective("huber-log", "Huber on ln L (robust)", "log", DEFAULT_DELTA),
        Objective("mse-log", "Squared error on ln L", "log", np.inf),
        Objective("mse", "Squared error on L", "linear", np.inf),
        Objective("mae-log", "Absolute error on ln L", "log", _ABSOLUTE),
        Objective("mae", "Absolute error on L", "linear", _ABSOLUTE),
        Objective("huber", "Huber on L", "linear", DEFAULT_DELTA),
    )
}


def get_objective(name: str) -> Objective:
    """Return an objective by name, or raise UserError with the choices."""
    if name not in OBJECTIVES:
        raise UserError(f"There is no objective called “{name}”.", fix=f"Choose one of: {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]
