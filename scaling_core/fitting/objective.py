"""What a fit minimises: residuals of ln L or of L, and how much each costs.

Objectives are sums over runs, never means: a mean of tiny Huber losses meets an optimiser's absolute tolerance
at once, wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
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
        ``huber-log``, ``mse-log`` or ``mse``.
    title : str
        What a person reads in a menu.
    space : {"log", "linear"}
        Whether a residual is ln L_pred − ln L or L_pred − L.
    delta : float
        Huber's threshold; infinite for squared error.
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

    def reported(self, total: float, n: float, loss_scale: float) -> float:
        """Return the value as people quote it: the sum for Huber, the mean of squares for squared error."""
        if np.isfinite(self.delta):
            return total
        return 2.0 * total / n * (loss_scale**2 if self.space == "linear" else 1.0)


OBJECTIVES: dict[str, Objective] = {
    o.name: o
    for o in (
        Objective("huber-log", "Huber on ln L (robust)", "log", DEFAULT_DELTA),
        Objective("mse-log", "Squared error on ln L", "log", np.inf),
        Objective("mse", "Squared error on L", "linear", np.inf),
    )
}


def get_objective(name: str) -> Objective:
    """Return an objective by name, or raise UserError with the choices."""
    if name not in OBJECTIVES:
        raise UserError(f"There is no objective called “{name}”.", fix=f"Choose one of: {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]
