"""Time of plans with all their draws, beside one SciPy minimisation a draw, in one run.

    .venv/bin/python -m benchmarks.plan [--scenarios 10] [--draws 1000] [--peer-draws 50]

A scenario asks for the cheapest model over its life under limited data, the hardest question there is. The peer
solves the same problem by ``scipy.optimize.minimize_scalar``, one draw at a time, as a notebook would; it is timed on
fewer draws and scaled up. Both must find the same size.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from scaling_core.laws import get_law
from scaling_core.planning import Basis, Demand, Scenario, basis_of_published, frontier, get_published, plan
from scaling_core.planning.frontier import budgets
from scaling_core.planning.surface import Surface

CHINCHILLA = (1.8172, 482.01, 2085.43, 0.3478, 0.3658)
SPREAD = (0.02, 0.15, 0.2, 0.02, 0.02)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenarios", type=int, default=10)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--peer-draws", type=int, default=50)
    options = parser.parse_args()
    basis = drawn_basis(options.draws)
    flops = np.geomspace(1e21, 1e25, options.scenarios)
    for name, demand, unique in (("budget alone", 0.0, np.inf), ("life and data", 1e13, 5e11)):
        asked = [Scenario(float(c), unique_tokens=unique, demand=Demand(demand)) for c in flops]
        plan(basis, asked[0])
        took, answers = timed(lambda asked=asked: [plan(basis, s) for s in asked])
        print(f"{name:14} {len(asked)} scenarios × {options.draws} draws: {1e3 * took:7.0f} ms", flush=True)
        if demand:
            peer(basis, asked, answers, options.peer_draws, took)
        row = budgets(1e17, 1e25)
        took, _ = timed(lambda row=row, asked=asked: frontier(basis, row, 0.9, replace(asked[0], flops=float(row[0]))))
        print(f"{'':14} the frontier behind the slider, {len(row)} budgets: {1e3 * took:7.0f} ms", flush=True)


def drawn_basis(draws: int) -> Basis:
    """Published constants with made-up draws around them."""
    rng = np.random.default_rng(0)
    around = np.array(CHINCHILLA) * np.exp(np.array(SPREAD) * rng.normal(size=(draws, 5)))
    return replace(basis_of_published(get_published("besiroglu")), draws=around)


def peer(basis: Basis, asked: list[Scenario], answers: list, draws: int, ours_s: float) -> None:
    """One bounded minimisation a draw and scenario."""

    def solve(theta: np.ndarray, scenario: Scenario) -> float:
        surface = Surface(get_law("chinchilla"), theta[None], scenario.unique_tokens)
        at = lambda x: np.array([[np.exp(x)]])  # noqa: E731
        best = minimize_scalar(
            lambda x: float(surface.loss(at(x), scenario.flops / 6 / at(x))[0, 0]), bounds=(10, 40), method="bounded",
            options={"xatol": 1e-8},
        )  # fmt: skip
        target = np.array([[best.fun]])

        def cost(x: float) -> float:
            tokens = float(surface.tokens_for(at(x), target)[0, 0])
            spent = 6 * np.exp(x) * tokens + 2 * np.exp(x) * scenario.demand.tokens
            return float(np.log(spent)) if np.isfinite(spent) else 1e3

        found = minimize_scalar(cost, bounds=(best.x - 4, best.x + 1), method="bounded", options={"xatol": 1e-8})
        return float(np.exp(found.x))

    took, _ = timed(lambda: [solve(theta, s) for s in asked for theta in basis.draws[:draws]])
    whole = took * len(basis.draws) / draws
    off = max(abs(solve(basis.theta, s) / a.params - 1) for s, a in zip(asked, answers, strict=True))
    print(
        f"{'':14} SciPy, a draw at a time: {1e3 * whole:7.0f} ms   ratio {whole / ours_s:.0f}×, sizes within {off:.0e}"
    )


def timed(work):
    """Seconds, and what came of it."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
