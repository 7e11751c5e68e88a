"""What a planned set of runs is worth beside others of equal cost: errors at a budget far beyond, by simulation.

    .venv/bin/python -m benchmarks.experiments [--repeats 40] [--noise 0.005 0.01] [--objective mse-log]

Each repeat draws twelve small runs from a true law with noise in ln L, fits Chinchilla's law, asks for runs worth 1e20
FLOPs in view of a target of 1e23, measures those runs too (four times over), refits on all and compares the lowest
loss of the target, and the size that reaches it, with the truth. The same first runs are also followed by a uniform
grid, one largest run, and two layouts that people use: a ladder at 20 tokens per parameter, and three isoFLOP sets.
Every layout costs the same and has at most twelve runs. True laws are published constants; the last one is not of
Chinchilla's form, so there the fit is wrong however many runs it gets. In a last setting the first runs all have 20
tokens per parameter, which leaves open what is due to size and what to data.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_core.fitting import fit, get_objective
from scaling_core.fitting.solver import Problem, minimise
from scaling_core.laws import get_law
from scaling_core.planning.candidates import TARGETS
from scaling_core.planning.experiments import next_experiments
from scaling_core.runs import RunTable

TARGET, BUDGET = 1e23, 1e20
#: How often what was chosen is measured: fits cost little beside the choice.
REDRAWS = 4
#: Name, law and constants of each truth.
TRUTHS = (
    ("Besiroglu et al. 2024", "chinchilla", (1.8172, 482.01, 2085.43, 0.3478, 0.3658)),
    ("Hoffmann et al. 2022", "chinchilla", (1.69337368, 406.401018, 410.722827, 0.33917084, 0.2849083)),
    ("Muennighoff et al. 2023", "chinchilla", (1.86914, 520.825, 1487.716, 0.3526596, 0.3526596)),
    ("Gadre et al. 2024", "over-training", (1.5083, 141.28, 189.52, 0.12124)),
    ("Busbridge et al. 2025 (not Chinchilla)", "gamma", (1.220, 3355, 18186, 0.408, 0.431, 0.452)),
)
_FOLLOWED, _ITERATIONS = 6, 150
#: An error beyond this (in ln) is a fit that has failed, whatever its size.
_WORST = {"loss": 1.0, "params": 5.0}

Array = np.ndarray


@dataclass(frozen=True)
class Layout:
    """Runs: N and D."""

    params: Array
    tokens: Array


@dataclass(frozen=True)
class Errors:
    """Absolute errors of ln loss and ln N* at the target, (repeats,) each, and what was expected of them."""

    name: str
    error: dict[str, Array]
    expected: dict[str, Array]


def main() -> None:
    """Print a table for each truth, and for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=40, help="repeats for each true law")
    parser.add_argument("--noise", type=float, nargs=2, default=(0.005, 0.01), help="least and most noise in ln L")
    parser.add_argument("--objective", default="mse-log")
    options = parser.parse_args()
    start = time.perf_counter()
    few = max(1, options.repeats // 4)
    with ProcessPoolExecutor() as pool:
        grids = [pool.submit(simulate, law, theta, options.repeats, tuple(options.noise), options.objective, seed=i)
                 for i, (_, law, theta) in enumerate(TRUTHS)]  # fmt: skip
        ladders = [pool.submit(simulate, law, theta, few, tuple(options.noise), options.objective, seed=i,
                               first=first_ladder()) for i, (_, law, theta) in enumerate(TRUTHS[:-1])]  # fmt: skip
        every = [run.result() for run in grids]
        for (title, *_), found in zip(TRUTHS, every, strict=True):
            report(title, found)
        report("all laws of Chinchilla's form", [joined(rows) for rows in zip(*every[:-1], strict=True)])
        report("all", [joined(rows) for rows in zip(*every, strict=True)])
        rows = zip(*(run.result() for run in ladders), strict=True)
        report("first runs all at 20 tokens per parameter", [joined(row) for row in rows])
    print(f"\n{time.perf_counter() - start:.0f} s")


def first_runs() -> Layout:
    """Four sizes by three lengths; 5e18 FLOPs together."""
    params, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 8e7, 4), [5.0, 20.0, 80.0]))
    return Layout(params, params * ratio)


def first_ladder() -> Layout:
    """Twelve sizes at one D/N, which leave open what is due to N and what to D."""
    params = np.geomspace(1e7, 8e7, 12)
    return Layout(params, 20 * params)


def others() -> dict[str, Layout]:
    """Layouts to compare with, scaled to cost ``BUDGET``."""
    size, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(1, 8, 4), [5.0, 20.0, 80.0]))
    sets = np.repeat([1.0, 10.0, 100.0], 4)
    around = np.sqrt(sets) * np.tile([0.35, 0.7, 1.4, 2.8], 3)
    return {
        "uniform grid": _costing(size, size * ratio),
        "one largest run": _costing(np.ones(1), np.full(1, 20.0)),
        "ladder at 20 D/N": _costing(np.geomspace(1, 10, 12), 20 * np.geomspace(1, 10, 12)),
        "three isoFLOP sets": _costing(around, 20 * sets / around),
    }


def simulate(
    law: str,
    theta: tuple[float, ...],
    repeats: int,
    noise: tuple[float, float],
    objective: str = "mse-log",
    seed: int = 0,
    redraws: int = REDRAWS,
    first: Layout | None = None,
) -> list[Errors]:
    """Errors of every layout when a truth is sampled so often, and what was chosen then measured ``redraws`` times."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(*noise, repeats)
    first = first or first_runs()
    begun = _measured(law, theta, first, spread, rng)
    designed: dict[str, list[Layout]] = {f"ours for {quantity}": [] for quantity in TARGETS}
    expected: dict[str, list[float]] = {name: [] for name in designed}
    for losses in begun:
        fitted = fit(get_law("chinchilla"), _table(first, losses), get_objective(objective), resamples=0)
        for quantity, name in zip(TARGETS, designed, strict=True):
            answer = next_experiments(fitted, TARGET, BUDGET, quantity=quantity)
            designed[name].append(Layout(answer.runs["params"].to_numpy(), answer.runs["tokens"].to_numpy()))
            expected[name].append(np.log(answer.after[1] / answer.after[0]) / 2)
    layouts = designed | {name: [layout] * repeats for name, layout in others().items()}
    truth = _at_target(law, np.array([theta]))
    begun, spread = np.repeat(begun, redraws, axis=0), np.repeat(spread, redraws)
    out = []
    for i, (name, chosen) in enumerate(layouts.items()):
        # noise of its own for each layout: that of one does not hang on how many runs another has
        own_noise = np.random.default_rng([seed, i])
        refitted = _refits(first, begun, _repeated(chosen, redraws), law, theta, spread, objective, own_noise)
        got = _at_target("chinchilla", refitted)
        error = {q: np.minimum(np.nan_to_num(np.abs(got[q] - truth[q]), nan=np.inf), _WORST[q]) for q in TARGETS}
        own = {name.removeprefix("ours for "): np.repeat(expected[name], redraws)} if name in expected else {}
        out.append(Errors(name, error, own))
    return out


def _repeated(layouts: list[Layout], times: int) -> list[Layout]:
    return [layout for layout in layouts for _ in range(times)]


def rms(error: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(error**2)))


def ratio_of(ours: Array, other: Array) -> tuple[float, float]:
    """Ratio of root mean squares, and its standard error by resampling the repeats."""
    squares = [(e**2).reshape(-1, REDRAWS).mean(axis=1) for e in (ours, other)]
    picks = np.random.default_rng(0).integers(0, len(squares[0]), (400, len(squares[0])))
    drawn = np.sqrt(squares[0][picks].mean(axis=1) / squares[1][picks].mean(axis=1))
    return rms(ours) / rms(other), float(drawn.std())


def joined(rows: tuple[Errors, ...]) -> Errors:
    """The same layout over several truths."""
    expected = {q: np.concatenate([r.expected[q] for r in rows]) for q in rows[0].expected}
    return Errors(rows[0].name, {q: np.concatenate([r.error[q] for r in rows]) for q in TARGETS}, expected)


def report(title: str, found: list[Errors]) -> None:
    """Print errors, and how those of the design made for each quantity compare."""
    best = {q: next(e for e in found if e.name == f"ours for {q}").error[q] for q in TARGETS}
    print(f"\n{title}, {len(best['loss']) // REDRAWS} repeats")
    head = [f"{f'{what}: rms':>13} {'median':>8} {'ours/this':>14}" for what in ("ln loss", "ln N*")]
    print(f"{'':22} {head[0]} {head[1]}")
    for e in found:
        cells = []
        for q, digits in zip(TARGETS, (4, 3), strict=True):
            ratio, about = ratio_of(best[q], e.error[q])
            against = "" if e.name.startswith("ours") else f"{ratio:.2f} ± {about:.2f}"
            cells.append(f"{rms(e.error[q]):13.{digits}f} {np.median(e.error[q]):8.{digits}f} {against:>14}")
        print(f"{e.name:22} {cells[0]} {cells[1]}")
    for q in TARGETS:
        one = next(e for e in found if e.name == f"ours for {q}")
        inside = np.mean(one.error[q] <= one.expected[q])
        print(f"  the 90% interval expected of “{one.name}” held the truth in {inside:.0%}")
        lost = [e.name for e in found if not e.name.startswith("ours") and rms(one.error[q]) >= rms(e.error[q])]
        if lost:
            print(f"  not better than {' and '.join(lost)} for {'ln loss' if q == 'loss' else 'ln N*'}")


def _costing(params: Array, tokens: Array) -> Layout:
    """Scale N and D alike until 6ND comes to ``BUDGET``."""
    factor = np.sqrt(BUDGET / (6 * params * tokens).sum())
    return Layout(params * factor, tokens * factor)


def _measured(law: str, theta: tuple[float, ...], runs: Layout, spread: Array, rng: np.random.Generator) -> Array:
    """Losses, shape (repeats, n), with noise of each repeat's spread in ln L."""
    true = get_law(law).predict(np.array(theta), {"params": runs.params, "tokens": runs.tokens})
    return true * np.exp(spread[:, None] * rng.standard_normal((len(spread), len(true))))


def _table(runs: Layout, loss: Array) -> RunTable:
    n = len(loss)
    frame = pd.DataFrame({
        "run": [f"run {i}" for i in range(n)], "params": runs.params, "tokens": runs.tokens,
        "flops": 6 * runs.params * runs.tokens, "loss": loss, "file": "made.csv", "line": range(n), "is_final": True,
    })  # fmt: skip
    return RunTable(frame, pd.DataFrame(), (), ())


def _at_target(law: str, theta: Array) -> dict[str, Array]:
    best = get_law(law).optimum(theta, np.array([TARGET]))
    return {"loss": np.log(best.loss[:, 0]), "params": np.log(best.params[:, 0])}


def _refits(
    first: Layout, begun: Array, chosen: list[Layout], law: str, theta: tuple[float, ...], spread: Array,
    objective: str, rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Chinchilla's parameters (repeats, 5) from the first runs and the chosen ones: all repeats in one solve.

    The runs are all that any repeat has; a weight of 0 leaves out what a repeat does not.
    """
    pairs = sorted({pair for layout in chosen for pair in zip(layout.params, layout.tokens, strict=True)})
    place = {pair: len(first.params) + i for i, pair in enumerate(pairs)}
    new = Layout(*np.array(pairs).T)
    loss = np.concatenate([begun, _measured(law, theta, new, spread, rng)], axis=1)
    weights = np.zeros(loss.shape)
    weights[:, : len(first.params)] = 1.0
    for row, layout in zip(weights, chosen, strict=True):
        for pair in zip(layout.params, layout.tokens, strict=True):
            row[place[pair]] += 1.0
    x = {name: np.concatenate([getattr(first, name), getattr(new, name)]) for name in ("params", "tokens")}
    return fit_many(x, loss, weights, objective)


def fit_many(x: dict[str, Array], loss: Array, weights: Array, objective: str) -> Array:
    """Chinchilla's parameters (B, 5) for losses (B, n) and weights (B, n), from the best few starts of each."""
    scale = float(np.exp(np.log(loss).mean()))
    working = get_law("chinchilla").working(x, scale)
    goal = get_objective(objective)
    target = np.log(loss / scale)
    starts = working.starts(np.exp(target.mean(axis=0)))
    off = np.log(working.at(starts).value)[:, None] - target
    order = np.argsort(np.einsum("sbn,bn->bs", goal.cost(off), weights), axis=1)[:, :_FOLLOWED]
    owner = np.repeat(np.arange(len(loss)), _FOLLOWED)
    found = minimise(Problem(working, goal, target[owner]), starts[order.ravel()], weights[owner], _ITERATIONS)
    best = found.total.reshape(-1, _FOLLOWED).argmin(axis=1) + _FOLLOWED * np.arange(len(loss))
    return working.to_natural(found.u[best])


if __name__ == "__main__":
    main()
