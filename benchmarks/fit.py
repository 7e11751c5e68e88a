"""Time and objective of a full Chinchilla fit and of its bootstrap, beside other tools, in one run.

    .venv/bin/python -m benchmarks.fit [--repeats 9] [--peer-repeats 3] [--peer-resamples 10] [--full]

All minimise the same objective (sum of Huber's costs of ln L, delta 1e-3) on the same 240 points. A cold fit starts
from nothing: its start points are part of it. Ours is the whole of ``fit``, with rows chosen, certificate and notes;
the others are their solver alone. SciPy and lmfit get 36 of the 4,500 starts of Hoffmann et al. 2022, the package
``chinchilla`` two values of each parameter (``--full``: all 4,500, and its documented five). Their bootstraps are timed
on a few resamples, each from the full fit, which is the quickest they can be, and scaled up.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._data import Points, standard_points
from benchmarks._machine import machine
from benchmarks._peers import Peer, huber, peers
from scaling_core.fitting import fit, get_objective
from scaling_core.fitting.fit import pose
from scaling_core.fitting.solver import minimise
from scaling_core.laws import get_law

RESAMPLES = (1000, 4000)
#: Nothing is repeated once it has taken so many seconds.
LONG_S = 4.0
#: An objective within this share of the best is the optimum.
AT_OPTIMUM = 1e-6


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    cold_s : float
        A cold fit, with ``starts`` start points.
    share : float
        Share of the starts that reached the tool's best; NaN where it does not tell.
    objective : float
    bootstrap_s : tuple of float
        For each of ``RESAMPLES``.
    refits_there : float
        Share of the resamples whose refit reached the optimum of that resample.
    """

    name: str
    cold_s: float
    starts: int
    share: float
    objective: float
    bootstrap_s: tuple[float, ...]
    refits_there: float

    @property
    def sure_s(self) -> float:
        """Time for as many starts as make it 99% sure that one of them reaches the tool's best, at this share."""
        if not 0 < self.share < 1:
            return self.cold_s if math.isnan(self.share) else self.cold_s / self.starts
        return self.cold_s / self.starts * math.ceil(math.log(0.01) / math.log(1 - self.share))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="of our cold fit")
    parser.add_argument("--peer-repeats", type=int, default=3, help="of the others' cold fits")
    parser.add_argument("--peer-resamples", type=int, default=10, help="that the others' bootstraps are scaled from")
    parser.add_argument("--full", action="store_true", help="the others get all their published starts (minutes)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    points = standard_points()
    print(f"{points.title}; {machine()}")
    ours = _ours(points, options.repeats)
    known = [peer for peer in peers(len(points.y), options.full) if _is_here(peer)]
    table = [ours, *(_peer(peer, points, options) for peer in known)]
    _print(table)


def _is_here(peer: Peer) -> bool:
    if not peer.is_here:
        print(f"{peer.name}: not compared, {peer.needs} is not installed (make bench installs it)")
    return peer.is_here


def _ours(points: Points, repeats: int) -> Row:
    law, objective = get_law("chinchilla"), get_objective("huber-log")
    run: Callable[[int], Any] = lambda n: fit(law, points.table, objective, points.selection, resamples=n)  # noqa: E731
    run(8)  # imports and first touch of memory out of the way, as for the others
    cold, result = timed(lambda: run(0), repeats)
    drawn = tuple(timed(lambda n=n: run(n), 3)[0] - cold for n in RESAMPLES)
    c = result.certificate
    return Row("Scaling Explorer", cold, c.starts, c.starts_agreeing / c.starts, result.value, drawn, 1.0)


def _peer(peer: Peer, points: Points, options: argparse.Namespace) -> Row:
    x, y = points.x, points.y
    peer.solve(peer.starts[0] if not peer.fit else np.array([0.6, 6.0, 7.5, 0.35, 0.35]), x, y)  # imports
    cold, (best, share) = timed(lambda: peer.cold(x, y), options.peer_repeats)
    rng = np.random.default_rng(1)
    picks = [rng.integers(0, len(y), len(y)) for _ in range(options.peer_resamples)]
    warm, ends = timed(lambda: [peer.solve(best, x[p], y[p]) for p in picks], 1)
    reached = [huber(u, x[p], y[p]) for u, p in zip(ends, picks, strict=True)]
    there = float(np.mean(np.array(reached) <= best_of(points, picks) * (1 + AT_OPTIMUM)))
    drawn = tuple(warm / options.peer_resamples * n for n in RESAMPLES)
    return Row(peer.name, cold, len(peer.starts), share, huber(best, x, y), drawn, there)


def best_of(points: Points, picks: list[np.ndarray]) -> np.ndarray:
    """The optimum of each resample, as far as known: from every start of ours."""
    posed = pose(get_law("chinchilla"), points.table, get_objective("huber-log"), points.selection)
    counts = [np.bincount(p, minlength=len(points.y)).astype(float) for p in picks]
    return np.array([minimise(posed.problem, posed.starts, c).total.min() for c in counts])


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds of so many runs, or fewer where they take long, and the last result."""
    seconds: list[float] = []
    result = None
    while len(seconds) < repeats and sum(seconds) < LONG_S:
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def _print(table: list[Row]) -> None:
    ours, best = table[0], min(row.objective for row in table)
    heads = [f"{n:,} resamples" for n in RESAMPLES]
    print(
        f"\n{'':36}{'cold fit':>10}{'starts':>7}{'at best':>8}{'objective':>16}{'above best':>11}"
        f"{heads[0]:>16}{heads[1]:>16}{'refits at best':>15}{'fit ×':>8}{'bootstrap ×':>12}"
    )
    for row in table:
        share = "–" if math.isnan(row.share) else f"{row.share:.0%}"
        print(
            f"{row.name:36}{row.cold_s * 1e3:8.0f} ms{row.starts:7}{share:>8}{row.objective:16.12f}"
            f"{row.objective / best - 1:11.1e}{row.bootstrap_s[0]:14.2f} s{row.bootstrap_s[1]:14.2f} s"
            f"{row.refits_there:15.0%}{row.cold_s / ours.cold_s:7.1f}×{row.bootstrap_s[0] / ours.bootstrap_s[0]:11.0f}×"
        )
    print(
        "\nThe others' bootstraps are scaled from a few resamples. “At best”: starts that end at the tool's own best."
    )
    reaching = [row for row in table[1:] if row.objective <= best * (1 + AT_OPTIMUM)]
    if not reaching:
        print("No other tool reached the optimum from a cold start.")
        return
    quickest = min(reaching, key=lambda row: row.cold_s)
    surest = min(reaching, key=lambda row: row.sure_s)
    print(
        f"Cold fit against the quickest that reached the optimum, {quickest.name}: "
        f"{quickest.cold_s / ours.cold_s:.1f} times as fast.\n"
        f"Were each to try only as many starts as make it 99% sure of its best, {surest.name} would take "
        f"{surest.sure_s * 1e3:.0f} ms: {surest.sure_s / ours.cold_s:.1f} times ours, which tries all of its starts."
    )


if __name__ == "__main__":
    main()
