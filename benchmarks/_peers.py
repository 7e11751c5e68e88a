"""Other ways to fit the Chinchilla law by the same objective: what each offers, used as well as it allows.

All minimise the sum over points of Huber's cost, delta 1e-3, of ln L_pred − ln L, in u = (ln E, ln A, ln B, alpha,
beta), from start points of Hoffmann et al. 2022 unless said.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares, minimize

from benchmarks._machine import is_installed

DELTA = 1e-3
STARTS = 36
#: exp of the logarithm of the largest start must not overflow where a resample pushes it.
_LARGEST = 700.0


@dataclass(frozen=True)
class Peer:
    """A tool: ``solve`` goes from one start (5,) to a solution; ``fit`` does a cold fit with all its starts.

    ``needs`` is a package that may be missing; ``starts`` what a cold fit tries.
    """

    name: str
    solve: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    starts: np.ndarray
    needs: str = "scipy"
    fit: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    @property
    def is_here(self) -> bool:
        """Whether it can be run."""
        return is_installed(self.needs)

    def cold(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        """The best of all starts, and the share of starts that came within 1e-6 of it; NaN where it does not tell."""
        if self.fit:
            return self.fit(x, y), float("nan")
        ends = [self.solve(start, x, y) for start in self.starts]
        costs = np.array([huber(u, x, y) for u in ends])
        return ends[int(costs.argmin())], float(np.mean(costs <= costs.min() * (1 + 1e-6)))


def hoffmann_starts(count: int = STARTS, seed: int = 0) -> np.ndarray:
    """Some of the 4,500 starts of Hoffmann et al. 2022, section D.3, drawn at random."""
    a, e, power = np.arange(0, 30, 5), np.arange(-1, 1.5, 0.5), np.arange(0, 2.5, 0.5)
    grid = np.array(list(itertools.product(e, a, a, power, power)))
    return grid[np.random.default_rng(seed).permutation(len(grid))[:count]]


def residuals(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """ln L_pred − ln L."""
    return np.logaddexp.reduce(_terms(u, x), axis=0) - y


def jacobian(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Derivatives of the residuals, shape (n, 5)."""
    terms = _terms(u, x)
    share = np.exp(terms - np.logaddexp.reduce(terms, axis=0))
    return np.column_stack([*share, -x[:, 0] * share[1], -x[:, 1] * share[2]])


def huber(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Sum of Huber's costs."""
    return float(_cost(residuals(u, x, y)).sum())


def _cost(r: np.ndarray) -> np.ndarray:
    size = np.abs(r)
    return np.where(size <= DELTA, 0.5 * size**2, DELTA * (size - 0.5 * DELTA))


def _slope(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(residuals(u, x, y), -DELTA, DELTA) @ jacobian(u, x, y))


def _terms(u: np.ndarray, x: np.ndarray) -> np.ndarray:
    terms = np.stack([np.full(len(x), u[0]), u[1] - u[3] * x[:, 0], u[2] - u[4] * x[:, 1]])
    return np.clip(terms, -_LARGEST, _LARGEST)


def _lbfgs(gradient: Callable[..., np.ndarray] | None) -> Callable[..., np.ndarray]:
    """L-BFGS-B on the sum, with tolerances that the differences of tiny costs need, and no tighter."""
    options = {"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-8}
    return lambda start, x, y: minimize(huber, start, (x, y), "L-BFGS-B", jac=gradient, options=options).x


def _trust_region(start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    options = {"loss": "huber", "f_scale": DELTA, "xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    return np.asarray(least_squares(residuals, start, jacobian, args=(x, y), **options).x)


def _lmfit(start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    import lmfit

    parameters = lmfit.Parameters()
    for name, value in zip("eabcd", start, strict=True):
        parameters.add(name, value=value)
    function = lambda p, *data: residuals(np.array([p[n].value for n in "eabcd"]), *data)  # noqa: E731
    options = {"loss": "huber", "f_scale": DELTA, "xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    best = lmfit.minimize(function, parameters, method="least_squares", args=(x, y), **options)
    return np.array([best.params[n].value for n in "eabcd"])


#: The range of starts in the documentation of ``chinchilla``; it takes five values of each.
_CHINCHILLA_GRID = {"E": (1, 2), "a": (1, 10), "b": (1, 10), "alpha": (0.1, 0.7), "beta": (0.1, 0.7)}


def _chinchilla(unit: float, values: int) -> Callable[..., np.ndarray]:
    """Its cold fit on a grid of so many values a parameter; costs are in ``unit``, of which it takes the mean."""
    grid = {name: np.linspace(*ends, values) for name, ends in _CHINCHILLA_GRID.items()}
    return lambda x, y: _run_chinchilla(grid, unit, x, y)


def _chinchilla_from(unit: float) -> Callable[..., np.ndarray]:
    """Its fit from one start, which it takes as a grid of one value."""

    def solve(start: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        values = (np.exp(start[0]), *start[1:])
        return _run_chinchilla({n: [float(v)] for n, v in zip(_CHINCHILLA_GRID, values, strict=True)}, unit, x, y)

    return solve


def _run_chinchilla(grid: dict[str, Any], unit: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    os.environ.setdefault("MPLBACKEND", "agg")
    from chinchilla import Chinchilla
    from chinchilla._metrics import log_huber

    with tempfile.TemporaryDirectory() as folder, _silence():
        tool = Chinchilla(folder, grid, loss_fn=lambda a, b: log_huber(a, b, DELTA) / unit, log_level=50)
        columns = {"C": 6 * np.exp(x.sum(axis=1)), "N": np.exp(x[:, 0]), "D": np.exp(x[:, 1]), "loss": np.exp(y)}
        tool.database.df = pd.DataFrame(columns)
        tool.visualizer.optim = lambda *_, **__: None  # a picture of each fit is not what is timed
        tool.fit()
    return np.array([np.log(tool.E), np.log(tool.A), np.log(tool.B), tool.alpha, tool.beta], dtype=float)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Its overflows at far starts are its own affair."""
    with np.errstate(all="ignore"), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def peers(points: int, full: bool = False) -> list[Peer]:
    """All that are compared; with ``full``, on the whole grid of starts that each publication used."""
    starts = hoffmann_starts(4500 if full else STARTS)
    values = 5 if full else 2
    none = np.zeros((values**5, 5))
    sharp = DELTA**2 / points  # a sum over points, in units in which its tolerance of 1e-5 is small
    return [
        Peer("SciPy L-BFGS-B", _lbfgs(None), starts),
        Peer("SciPy L-BFGS-B, exact gradient", _lbfgs(_slope), starts),
        Peer("SciPy least_squares, exact Jacobian", _trust_region, starts),
        Peer("lmfit, least_squares", _lmfit, starts, "lmfit"),
        Peer("chinchilla, as documented (mean)", _chinchilla_from(1.0), none, "chinchilla", _chinchilla(1.0, values)),
        Peer("chinchilla, sum in units of delta²", _chinchilla_from(sharp), none, "chinchilla",
             _chinchilla(sharp, values)),
    ]  # fmt: skip
