"""Laws to be found again: for every law the runs that show it, and a range of plausible parameters."""

from __future__ import annotations

import numpy as np

from scaling_core.laws import Array, Law

#: Parameters at the centre of the runs, by family; the names of laws in one predictor end in -c, -n or -d.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "chinchilla": {"E": (1, 2.5), "A": (0.2, 1.5), "B": (0.2, 1.5), "alpha": (0.15, 0.6), "beta": (0.15, 0.6)},
    "chinchilla-tied": {"E": (1, 2.5), "A": (0.2, 1.5), "B": (0.2, 1.5), "alpha": (0.15, 0.6)},
    "power": {"a": (0.5, 4), "b": (0.05, 0.8)},
    "power-offset": {"a": (0.5, 4), "b": (0.05, 0.8), "c": (0.5, 3)},
    "gamma": {"E": (1, 2.5), "A": (0.3, 1.5), "B": (0.3, 1.5), "alpha": (0.2, 0.5), "beta": (0.2, 0.5),
              "gamma": (0.5, 1.3)},
    "additive-power": {"E": (1, 2.5), "A": (0.3, 1.5), "R": (0.4, 2.5), "alpha": (0.2, 0.5), "beta": (0.2, 0.5),
                       "k": (0.5, 1.3)},
    "over-training": {"E": (1, 2.5), "a": (0.2, 1.5), "b": (0.2, 1.5), "eta": (0.08, 0.3)},
    "data-constrained": {"E": (1, 2.5), "A": (0.3, 1.2), "B": (0.3, 1.2), "alpha": (0.25, 0.5), "beta": (0.25, 0.5),
                         "R_D": (3, 40), "R_N": (2, 20)},
    "kaplan-joint": {"N_c": (1e3, 1e5), "D_c": (1e3, 1e5), "alpha_N": (0.08, 0.12), "alpha_D": (0.08, 0.12)},
    "multiplicative": {"K": (1.5, 5), "alpha": (-0.3, -0.02), "beta": (-0.3, -0.02), "gamma": (-0.1, 0.1)},
    "kaplan": {"x_c": (1e4, 1e7), "alpha_x": (0.03, 0.15)},
    "shifted": {"a": (0.5, 3), "b": (0.15, 0.8), "c": (0.5, 2), "d": (0.1, 5)},
    "log": {"a": (4, 6), "b": (0.05, 0.12)},
    "piecewise": {"a": (1.5, 5), "d": (0.2, 5), "b0": (0.02, 0.15), "b1": (0.2, 0.6)},
    "broken": {"a": (0.3, 2), "b": (0.5, 3), "c0": (0.03, 0.3), "c1": (0.2, 1.5), "d1": (0.2, 5), "f1": (0.2, 0.8)},
    "m4": {"e": (0.5, 1.5), "e0": (6, 11), "a": (0.3, 1.5), "b": (1, 3), "c": (-0.5, -0.15)},
    "metric-exponential": {"epsilon": (0.7, 1), "k": (1, 3), "gamma": (0.5, 1.2)},
    "metric-logistic": {"b": (0.05, 0.2), "a": (0.4, 0.7), "k": (1.5, 5), "L0": (2.6, 3.6)},
}  # fmt: skip


def family(law: Law) -> str:
    """The key of ``RANGES`` for a law."""
    if law.name == "kaplan":
        return "kaplan-joint"
    return law.name if law.name in RANGES else "-".join(p for p in law.name.split("-") if p not in ("c", "n", "d"))


def runs_for(law: Law) -> dict[str, Array]:
    """Predictors of runs that show every parameter of the law."""
    if law.predictors == ("proxy_loss",):
        return {"proxy_loss": np.linspace(2.0, 4.5, 12)}
    if len(law.predictors) == 1:
        return {law.predictors[0]: np.geomspace(1e7, 1e11, 14)}
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5)))
    rng = np.random.default_rng(3)
    extra = {"flops": 6 * n * d * rng.uniform(0.5, 2, n.size), "unique_tokens": d / rng.uniform(0.7, 30, n.size)}
    return {"params": n, "tokens": d, **{k: v for k, v in extra.items() if k in law.predictors}}


def truth(law: Law, x: dict[str, Array], shares: Array) -> Array:
    """Parameters at these shares (0 to 1) of their ranges."""
    low, high = np.array(list(RANGES[family(law)].values())).T
    at_centre = low + shares * (high - low)
    u = np.where([p.log for p in law.parameters], np.log(np.where(at_centre > 0, at_centre, 1.0)), at_centre)
    return law.working(x, 1.0).to_natural(u)
