"""Runs for benchmarks: the published points where they lie beside the checkout, and runs with a known law."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from scaling_core.fitting import Selection
from scaling_core.fitting.fit import pose
from scaling_core.fitting.objective import get_objective
from scaling_core.laws import get_law
from scaling_core.runs import RunTable, Upload, load

#: Points read off figure 4 of Hoffmann et al. 2022 by Besiroglu et al. 2024, whose fit leaves out the 5 highest losses.
REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference" / "runs" / "chinchilla_245.csv"
DROPPED = 5
#: Constants near those of Besiroglu et al. 2024, arXiv 2404.10102.
LAW = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


class Points(NamedTuple):
    """The runs of a comparison: as a table with what is fitted of it, and the same as arrays for other tools.

    ``x`` (n, 2) holds ln N and ln D, ``y`` (n,) ln L.
    """

    title: str
    table: RunTable
    selection: Selection
    x: np.ndarray
    y: np.ndarray


def standard_points() -> Points:
    """The 240 points that fits are compared on: the published ones if they are there, else drawn from a known law."""
    if REFERENCE.is_file():
        table, selection = load([Upload.from_path(REFERENCE)]), Selection(drop_highest_loss=DROPPED)
        return _points("240 published points (figure 4 of Hoffmann et al. 2022)", table, selection)
    return _points("240 points drawn from a known law", chinchilla_like(240), Selection())


def checkpoint_points(n: int, per_run: int = 10) -> Points:
    """``n`` checkpoints of runs whose loss follows a law as they go on."""
    rng = np.random.default_rng(n)
    runs, step = n // per_run, np.arange(1, per_run + 1)
    params = np.repeat(np.exp(rng.uniform(np.log(5e7), np.log(1.6e10), runs)), per_run)
    tokens = np.repeat(np.exp(rng.uniform(np.log(3e10), np.log(1e12), runs)), per_run) * np.tile(step / per_run, runs)
    frame = pd.DataFrame({
        "run": np.repeat([f"run {i}" for i in range(runs)], per_run), "params": params, "tokens": tokens,
        "flops": 6 * params * tokens, "loss": _loss(rng, params, tokens), "file": "benchmark.csv",
        "line": np.arange(2, n + 2), "is_final": np.tile(step == per_run, runs),
    })  # fmt: skip
    rejected = pd.DataFrame(columns=["file", "line", "reason", "content"])
    return _points(f"{n:,} checkpoints", RunTable(frame, rejected, (), ()), Selection(checkpoints="all"))


def chinchilla_like(n: int, noise: float = 0.005, seed: int = 0) -> RunTable:
    """Draw runs over the sizes and budgets of Hoffmann et al. 2022, figure 4, with log-normal noise in loss."""
    rng = np.random.default_rng(seed)
    params = np.exp(rng.uniform(np.log(5.7e7), np.log(1.6e10), n))
    flops = np.exp(rng.uniform(np.log(1.4e18), np.log(1.3e22), n))
    tokens = flops / (6 * params)
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": _loss(rng, params, tokens, noise)})
    return load([Upload("benchmark.csv", frame.to_csv(index=False, float_format="%.17g").encode())])


def _loss(rng: np.random.Generator, params: np.ndarray, tokens: np.ndarray, noise: float = 0.005) -> np.ndarray:
    loss = LAW["E"] + LAW["A"] * params ** -LAW["alpha"] + LAW["B"] * tokens ** -LAW["beta"]
    return np.asarray(loss * np.exp(noise * rng.standard_t(3, len(params))))


def _points(title: str, table: RunTable, selection: Selection) -> Points:
    rows = pose(get_law("chinchilla"), table, get_objective("huber-log"), selection).rows
    logs = np.log(rows[["params", "tokens", "loss"]].to_numpy(dtype=float))
    return Points(title, table, selection, logs[:, :2], logs[:, 2])
