"""How time and memory of a fit and of its bootstrap grow with the runs, beside SciPy and lmfit.

    .venv/bin/python -m benchmarks.growth [--sizes 240 2400 24000 240000] [--resamples 200]

Rows are checkpoints of runs, drawn whole by our bootstrap. Each measurement is a process of its own: once for the time,
once more under tracemalloc for the most memory held at one time beyond the runs themselves. The others get the same
points as arrays; they do as many of their 36 starts and of the resamples as a few seconds allow, scaled up to all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import Points, checkpoint_points
from benchmarks._machine import is_installed, machine
from benchmarks._peers import STARTS, Peer, huber, peers
from scaling_core.fitting import fit, get_objective
from scaling_core.laws import get_law

SIZES = (240, 2_400, 24_000, 240_000)
PEERS = ("SciPy least_squares, exact Jacobian", "lmfit, least_squares")
#: Seconds after which a tool's starts or resamples are scaled up to all.
LONG_S = 6.0
LIMIT_S = 400


def main() -> None:
    """Print the table, or measure one line of it in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--one", nargs=3, metavar=("WHO", "SIZE", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.one:
        who, size, what = options.one
        print(json.dumps(_measure(who, int(size), what, options.resamples)))
        return
    print(f"{machine()}; the Chinchilla law by Huber's cost of ln L, {options.resamples} resamples")
    print(f"\n{'':36}{'rows':>9}{'cold fit':>12}{'bootstrap':>12}{'memory':>10}   above best")
    names = ["Scaling Explorer", *(n for n in PEERS if is_installed("lmfit") or "lmfit" not in n)]
    for size in options.sizes:
        _print([(name, _in_a_process(name, size, options.resamples)) for name in names], size)


def _print(found: list[tuple[str, dict[str, float]]], size: int) -> None:
    best = min((line["objective"] for _, line in found if line), default=0.0)
    for name, line in found:
        if line:
            print(
                f"{name:36}{size:9,}{line['cold_s']:10.2f} s{line['bootstrap_s']:10.1f} s"
                f"{line['peak_mb']:7.0f} MB   {line['objective'] / best - 1:.1e}{_scaled(line)}",
                flush=True,
            )
        else:
            print(f"{name:36}{size:9,}   did not end within {LIMIT_S} s", flush=True)


def _scaled(line: dict[str, float]) -> str:
    """Say from how little a time was scaled."""
    few = [f"{int(line[n])} {n}" for n in ("starts", "resamples") if line.get(n)]
    return f"   (scaled from {' and '.join(few)})" if few else ""


def _in_a_process(name: str, size: int, resamples: int) -> dict[str, float]:
    """Time and memory from two processes; empty if one takes too long."""
    line: dict[str, float] = {}
    for what in ("time", "memory"):
        command = [sys.executable, "-m", "benchmarks.growth", "--resamples", str(resamples)]
        try:
            said = subprocess.run(
                [*command, "--one", name, str(size), what], cwd=Path(__file__).parents[1],
                capture_output=True, text=True, check=True, timeout=LIMIT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {}
        line |= json.loads(said.stdout)
    return line


def _measure(name: str, size: int, what: str, resamples: int) -> dict[str, float]:
    points = checkpoint_points(size)
    work = _our_work(points) if name == "Scaling Explorer" else _peer_work(name, points)
    if what == "time":
        return work(resamples)
    work(2)  # imports are no part of it
    tracemalloc.start()
    work(resamples)
    return {"peak_mb": tracemalloc.get_traced_memory()[1] / 1e6}


def _our_work(points: Points) -> Callable[[int], dict[str, float]]:
    law, objective = get_law("chinchilla"), get_objective("huber-log")

    def work(resamples: int) -> dict[str, float]:
        run: Callable[[int], Any] = lambda n: fit(law, points.table, objective, points.selection, resamples=n)  # noqa: E731
        run(0)
        start = time.perf_counter()
        result = run(0)
        middle = time.perf_counter()
        run(resamples)
        cold = middle - start
        return {
            "cold_s": cold,
            "bootstrap_s": time.perf_counter() - middle - cold,
            "objective": result.value,
        }

    return work


def _peer_work(name: str, points: Points) -> Callable[[int], dict[str, float]]:
    peer: Peer = next(p for p in peers(len(points.y)) if p.name == name)
    x, y = points.x, points.y

    def work(resamples: int) -> dict[str, float]:
        ends, cold = _until_long(lambda start: peer.solve(start, x, y), peer.starts)
        best = min(ends, key=lambda u: huber(u, x, y))
        rng = np.random.default_rng(1)
        picks = (rng.integers(0, len(y), len(y)) for _ in range(resamples))
        drawn, warm = _until_long(lambda p: peer.solve(best, x[p], y[p]), picks)
        return {
            "cold_s": cold / len(ends) * STARTS,
            "bootstrap_s": warm / len(drawn) * resamples,
            "objective": huber(best, x, y),
            "starts": len(ends) if len(ends) < STARTS else 0,
            "resamples": len(drawn) if len(drawn) < resamples else 0,
        }

    return work


def _until_long(work: Callable[[Any], Any], items: Iterable[Any]) -> tuple[list[Any], float]:
    """Results of as many as a few seconds allow, and the seconds."""
    results, start = [], time.perf_counter()
    for item in items:
        results.append(work(item))
        if time.perf_counter() - start > LONG_S:
            break
    return results, time.perf_counter() - start


if __name__ == "__main__":
    main()
