"""Fits of random runs, most of them hopeless: what a fit may answer, and nothing else.

    .venv/bin/python -m tests.fuzz_fit --seconds 60
    .venv/bin/python -m tests.fuzz_fit --seed 1234

A seed makes one case: runs, a law, an objective and choices. The answer must be a fit with an honest certificate, or
an error in words. ``check`` says what honest means; the unit tests hold the first seeds to it.
"""

from __future__ import annotations

import argparse
import collections
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from scaling_core.errors import UserError
from scaling_core.fitting import OBJECTIVES, FitResult, Objective, Selection, fit
from scaling_core.fitting.options import Constraint
from scaling_core.fitting.selection import Range
from scaling_core.fitting.uncertainty import METHODS
from scaling_core.laws import LAWS, Law
from scaling_core.runs import RunTable

#: Laws that most people fit, and that take a few milliseconds; the others take their turn once in so many cases.
COMMON = ("chinchilla", "power-c", "power-c-offset", "power-n", "power-n-offset", "power-d-offset")
OTHERS_EVERY = 12
#: What made most of the runs: E, A, B, alpha and beta of the Chinchilla law.
TRUTH = np.array([1.8, 400.0, 2000.0, 0.34, 0.36])
#: No fit called good may be improved by more than this share of its objective.
IMPROVED = 1e-6
#: An objective of this many relative residuals' rounding is 0.
ROUNDING = 1e-8


@dataclass(frozen=True)
class Case:
    """What is fitted, and how the runs were made."""

    seed: int
    law: Law
    table: RunTable
    objective: Objective
    selection: Selection
    resamples: int
    options: dict[str, Any] = field(default_factory=dict)
    story: tuple[str, ...] = ()


def case(seed: int) -> Case:
    """The case of a seed."""
    rng = np.random.default_rng(seed)
    law = _law(rng, seed)
    few, many = int(rng.integers(0, 7)), int(rng.choice([7, 8, 10, 14, 20, 30, 40]))
    N, D, designed = _design(rng, few if rng.random() < 0.15 else many)
    loss, followed = _loss(rng, N, D)
    loss, spoilt = _spoil(rng, loss)
    (N, D, loss), scaled = _scale(rng, N, D, loss)
    table, told = _table(rng, N, D, loss, law)
    objective = OBJECTIVES[str(rng.choice(list(OBJECTIVES), p=_likely(rng, "huber-log")))]
    resamples = int(rng.choice([0, 3, 8], p=[0.95, 0.03, 0.02]))
    story = (designed, followed, spoilt, scaled, told)
    return Case(seed, law, table, objective, _selection(rng, table), resamples, _options(rng, law), story)


def _law(rng: np.random.Generator, seed: int) -> Law:
    others = [name for name in LAWS if name not in COMMON]
    if seed % OTHERS_EVERY == 0 and others:
        return LAWS[others[seed // OTHERS_EVERY % len(others)]]
    return LAWS[str(rng.choice([name for name in COMMON if name in LAWS]))]


def _likely(rng: np.random.Generator, name: str) -> np.ndarray:
    """Half of the cases take the usual objective, a few the slow absolute error."""
    share = np.array([3.0 if n.startswith("mae") else 10.0 for n in OBJECTIVES])
    share[list(OBJECTIVES).index(name)] = share.sum()
    return np.asarray(share / share.sum())


def _design(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Where the runs stand."""
    N, D = np.exp(rng.uniform(np.log(1e6), np.log(1e11), n)), np.exp(rng.uniform(np.log(1e8), np.log(1e13), n))
    side = max(1, int(np.sqrt(n)))
    designs = {
        "a cloud": (N, D),
        "a grid": (np.resize(np.geomspace(1e7, 1e10, side), n), np.repeat(np.geomspace(1e9, 1e12, side), side + 3)[:n]),
        "one D/N": (N, 20 * N),
        "almost one D/N": (N, 20 * N * np.exp(1e-4 * rng.normal(size=n))),
        "one C": (N, 1e21 / 6 / N),
        "one size": (np.full(n, 1e8), D),
        "one length": (N, np.full(n, 1e10)),
        "two points": (np.resize(N[:2], n), np.resize(D[:2], n)),
        "three places": (np.resize(N[:3], n), np.resize(D[:3], n)),
        "a tiny spread": (1e9 * np.exp(1e-9 * rng.normal(size=n)), 1e11 * np.exp(1e-9 * rng.normal(size=n))),
        "a small spread": (1e9 * np.exp(1e-3 * rng.normal(size=n)), 1e11 * np.exp(1e-3 * rng.normal(size=n))),
        "a huge spread": (np.exp(rng.uniform(-90, 90, n)), np.exp(rng.uniform(-90, 90, n))),
        "all but one at one place": (np.where(np.arange(n) == 0, 1e9, 1e8), np.where(np.arange(n) == 0, 3e10, 1e10)),
    }
    name = str(rng.choice(list(designs), p=[0.28, 0.16] + [0.56 / 11] * 11))
    return *designs[name], name


def _loss(rng: np.random.Generator, N: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, str]:
    """What the runs reached."""
    n = len(N)
    E, A, B, alpha, beta = TRUTH
    with np.errstate(over="ignore"):
        losses = {
            "a law": E + A / N**alpha + B / D**beta,
            "no offset": 30 * (6 * N * D) ** -0.05,
            "equal losses": np.full(n, 3.0),
            "nothing": rng.uniform(1, 10, n),
            "rising": 1 + 0.01 * N**0.1 + 0.01 * D**0.1,
            "a step": np.where(np.log(N) > np.log(N).mean() if n else N > 0, 2.0, 5.0),
            "wild": np.exp(rng.normal(0, 10, n)),
        }
    name = str(rng.choice(list(losses), p=[0.55, 0.1, 0.05, 0.1, 0.08, 0.06, 0.06]))
    size = float(rng.choice([0, 1e-12, 1e-4, 1e-3, 1e-2, 1e-1, 1]))
    return losses[name] * np.exp(size * rng.normal(size=n)), f"{name}, noise {size:g}"


def _spoil(rng: np.random.Generator, loss: np.ndarray) -> tuple[np.ndarray, str]:
    """What went wrong with some of them."""
    few = rng.random(len(loss)) < 0.15
    wrongs = {
        "sound": loss,
        "outliers up": np.where(few, 100 * loss, loss),
        "outliers down": np.where(few, loss / 100, loss),
        "missing": np.where(few, np.nan, loss),
        "infinite": np.where(few, np.inf, loss),
        "zero": np.where(few, 0.0, loss),
        "negative": np.where(few, -loss, loss),
        "all missing": np.full(len(loss), np.nan),
    }
    name = str(rng.choice(list(wrongs), p=[0.62, 0.12, 0.06, 0.06, 0.04, 0.04, 0.04, 0.02]))
    return wrongs[name], name


def _scale(rng: np.random.Generator, *columns: np.ndarray) -> tuple[list[np.ndarray], str]:
    """Units from 1e-30 to 1e30."""
    powers = [int(p) for p in rng.choice([0, -30, -12, 12, 30], size=3, p=[0.8, 0.05, 0.05, 0.05, 0.05])]
    return [c * 10.0**p for c, p in zip(columns, powers, strict=True)], "units 1e" + ", 1e".join(map(str, powers))


def _table(rng: np.random.Generator, N: np.ndarray, D: np.ndarray, loss: np.ndarray, law: Law) -> tuple[RunTable, str]:
    n = len(N)
    frame = pd.DataFrame({
        "run": [f"run {i + 1}" for i in range(n)], "params": N, "tokens": D, "flops": 6 * N * D, "loss": loss,
        "file": "random.csv", "line": np.arange(2, n + 2), "is_final": np.ones(n, dtype=bool),
    })  # fmt: skip
    for name in law.predictors:
        if name not in frame:
            frame[name] = D * rng.uniform(0.05, 1.5, n) if name == "unique_tokens" else np.exp(rng.normal(size=n))
    story = str(rng.choice(["as is", "twice", "holes", "checkpoints"], p=[0.7, 0.1, 0.1, 0.1]))
    if story == "twice":
        frame = pd.concat([frame, frame], ignore_index=True)
    if story == "holes":
        for name in ("params", "tokens", "flops"):
            bad = float(rng.choice([np.nan, 0.0, -1.0, np.inf]))
            frame.loc[rng.random(n) < 0.1, name] = bad
    if story == "checkpoints":
        frame["run"] = [f"run {i // 4 + 1}" for i in range(n)]
        frame["is_final"] = ~frame["run"].duplicated(keep="last")
    return RunTable(frame, pd.DataFrame(columns=["file", "line", "reason", "content"]), (), ()), story


def _selection(rng: np.random.Generator, table: RunTable) -> Selection:
    loss = table.frame["loss"].to_numpy()
    middle = float(np.nanmedian(loss)) if np.isfinite(loss).any() else 1.0
    return Selection(
        checkpoints="all" if not table.frame["is_final"].all() and rng.random() < 0.7 else "final",
        drop_highest_loss=int(rng.choice([0, 2, 5], p=[0.85, 0.1, 0.05])),
        box=(Range("loss", 0.0, 1.5 * middle),) if rng.random() < 0.05 else (),
    )


def _options(rng: np.random.Generator, law: Law) -> dict[str, Any]:
    options: dict[str, Any] = {"seed": int(rng.integers(100)), "method": str(rng.choice(list(METHODS)))}
    if rng.random() < 0.08:
        options["weights"] = str(rng.choice(["flops^0.5", "loss", "params^-1", "line"]))
    if rng.random() < 0.08:
        name = str(rng.choice(law.parameter_names))
        low, high = sorted(rng.uniform(0, 2, 2))
        options["constraints"] = (Constraint(name, low, low if rng.random() < 0.5 else high),)
    return options


def answer(made: Case) -> FitResult | UserError:
    """The answer; any other exception, and any warning, is let through as an exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return fit(made.law, made.table, made.objective, made.selection, made.resamples, **made.options)
        except UserError as error:
            return error


def check(made: Case, thorough: bool = False) -> FitResult | UserError:
    """Answer a case and assert that the answer is honest; ``thorough`` also minimises again with SciPy."""
    found = answer(made)
    if isinstance(found, UserError):
        assert found.what, "an error without words"
        return found
    judge = Judge(made, found)
    judge.numbers()
    certificate = found.certificate
    assert (certificate.grade == "good") == (not certificate.reasons), (certificate.grade, certificate.reasons)
    if certificate.grade == "good":
        judge.optimum(thorough)
    return found


class Judge:
    """A fit and its runs, with the objective written out again."""

    def __init__(self, made: Case, found: FitResult) -> None:
        self.made, self.found, self.theta = made, found, found.theta
        rows = found.points[found.points["role"] == "fitted"]
        self.x = {c: rows[c].to_numpy(dtype=float) for c in found.law.predictors}
        self.loss = rows["loss"].to_numpy(dtype=float)
        self.scale = float(np.exp(np.log(self.loss).mean()))
        self.weights = weights_of(made, rows)
        self.delta = made.objective.delta
        self.floor = float(self._cost(np.full(len(rows), ROUNDING)).sum())
        self.total = self.cost(self.theta)

    def cost(self, theta: np.ndarray) -> float:
        """Sum of costs at any parameters: squares, or Huber's with its delta, of ln L or of L over its scale."""
        with np.errstate(all="ignore"):
            predicted = self.found.law.predict(theta, self.x)
            if self.made.objective.space == "log":
                off = np.log(predicted / self.loss)
            else:
                off = (predicted - self.loss) / self.scale
            total = float(np.sum(self.weights * self._cost(off)))
        return total if np.isfinite(total) else float("inf")

    def _cost(self, off: np.ndarray) -> np.ndarray:
        size = np.abs(off)
        if np.isinf(self.delta):
            return size**2 / 2
        return np.where(size <= self.delta, size**2 / 2, self.delta * (size - self.delta / 2))

    def reported(self) -> float:
        """The sum behind the value that the fit reports."""
        unit = self.scale if self.made.objective.space == "linear" else 1.0
        n, value = float(self.weights.sum()), self.found.value
        if np.isinf(self.delta):
            return value * n / 2 / unit**2
        return value * n * self.delta / unit if self.delta <= 1e-7 else value

    def allows(self, theta: np.ndarray) -> bool:
        """Whether parameters lie inside the law's bounds and the person's."""
        law = self.found.law
        inside = all(p.lower <= v <= p.upper for p, v in zip(law.parameters, theta, strict=True))
        limits = [(law.parameter_names.index(c.name), c) for c in self.found.constraints]
        return inside and all(c.low <= theta[i] <= c.high for i, c in limits)

    def numbers(self) -> None:
        """Finite parameters inside their bounds, an objective that is what it says, draws of the right shape."""
        found, theta = self.found, self.theta
        assert np.isfinite(theta).all(), f"parameters {found.parameters}"
        for parameter, value in zip(found.law.parameters, theta, strict=True):
            assert parameter.lower <= value <= parameter.upper, f"{parameter.name} = {value} is out of bounds"
        for c in found.constraints:
            value, slack = found.parameters[c.name], 1e-9 * max(abs(c.low), abs(c.high))
            assert c.low - slack <= value <= c.high + slack, f"{c.name} = {value} is not in {c.low} to {c.high}"
        assert np.isfinite(self.total), "no objective"
        assert abs(self.total - self.reported()) <= 1e-9 * self.total + self.floor, "not the objective it says"
        assert found.draws.shape[1:] == theta.shape
        assert len(found.draws) <= self.made.resamples
        assert np.isfinite(found.draws).all(), "draws that are not finite"
        assert found.summary()

    def optimum(self, thorough: bool) -> None:
        """Nothing beside it is better, nor the law that made the runs, nor what SciPy finds from there."""
        allowed = self.total * (1 - IMPROVED) - self.floor
        for other in self.beside():
            assert self.cost(other) >= allowed, f"{other} is better than {self.theta}"
        if self.found.law.name == "chinchilla" and self.allows(TRUTH):
            assert self.cost(TRUTH) >= allowed, "the law that made the runs is better"
        if thorough:
            best = self.minimised_again()
            assert best >= allowed, f"SciPy finds {best}, the fit {self.total}: {1 - best / self.total:.1e} better"

    def beside(self) -> Iterator[np.ndarray]:
        """Parameters moved by small shares: one by one, and all together against finite differences of the cost."""
        unit = np.where(self.theta == 0, 1.0, self.theta)
        ones = list(np.eye(len(unit)))
        slopes = np.array(
            [self.cost(self.theta + 1e-7 * unit * e) - self.cost(self.theta - 1e-7 * unit * e) for e in ones]
        )
        steepest = (
            slopes / max(float(np.abs(slopes).max()), 1e-300) if np.isfinite(slopes).all() else np.zeros(len(ones))
        )
        for direction in (*ones, steepest):
            for share in (1e-2, 1e-4, 1e-6):
                for sign in (-1, 1):
                    other = self.theta + sign * share * unit * direction
                    if self.allows(other):
                        yield other

    def minimised_again(self) -> float:
        """The best that the simplex of Nelder and Mead finds from the fit and from around it, in shares of the fit."""
        unit = np.where(self.theta == 0, 1.0, self.theta)
        rng = np.random.default_rng(self.made.seed)
        options = {"maxiter": 300 * len(unit), "xatol": 1e-10, "fatol": 1e-18, "adaptive": True}
        cost = lambda v: self.cost(v * unit) if self.allows(v * unit) else float("inf")  # noqa: E731
        best = np.inf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for spread in (0.0, 0.1):
                start = self.theta / unit * np.exp(spread * rng.normal(size=len(unit)))
                best = min(best, float(minimize(cost, start, method="Nelder-Mead", options=options).fun))
        return best


def weights_of(made: Case, rows: pd.DataFrame) -> np.ndarray:
    """Weights of mean 1, written out again."""
    by = made.options.get("weights", "")
    if not by:
        return np.ones(len(rows))
    column, _, power = by.partition("^")
    weights = rows[column].to_numpy(dtype=float) ** float(power or 1)
    return np.asarray(weights / weights.mean())


def main() -> None:
    """Try seeds for so many seconds and print what was answered; the first dishonest answer of each kind in full."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first", type=int, default=1_000_000, help="the seed to begin with")
    parser.add_argument("--seed", type=int, help="one case only")
    options = parser.parse_args()
    if options.seed is not None:
        made = case(options.seed)
        print(made.law.name, made.objective.name, made.selection, made.options, made.story, sep="\n")
        print(made.table.frame.to_string())
        found = check(made, thorough=True)
        print(found.summary() if isinstance(found, FitResult) else found.line())
        return
    counts: collections.Counter[str] = collections.Counter()
    slowest: list[tuple[float, int, str]] = []
    began, seed = time.perf_counter(), options.first
    while time.perf_counter() - began < options.seconds:
        start = time.perf_counter()
        made = case(seed)
        try:
            found = check(made, thorough=seed % 5 == 0)
            counts[found.certificate.grade if isinstance(found, FitResult) else "refused"] += 1
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} {where.name}:{where.lineno}"
            counts[kind] += 1
            if counts[kind] <= 3:
                print(f"seed {seed}: {made.law.name}, {made.objective.name}, {made.story}, {made.options}")
                print(f"  {kind}: {error}")
        slowest = sorted([*slowest, (time.perf_counter() - start, seed, made.law.name)], reverse=True)[:8]
        seed += 1
    print(f"{seed - options.first} cases: {dict(counts)}")
    print("slowest:", ", ".join(f"{t:.2f} s (seed {s}, {law})" for t, s, law in slowest))


if __name__ == "__main__":
    main()
