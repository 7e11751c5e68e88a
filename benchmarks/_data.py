"""Runs with a known law, for benchmarks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.runs import RunTable, Upload, load

#: Constants near those of Besiroglu et al. 2024, arXiv 2404.10102.
LAW = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


def chinchilla_like(n: int, noise: float = 0.005, seed: int = 0) -> RunTable:
    """Draw runs over the sizes and budgets of Hoffmann et al. 2022, figure 4, with log-normal noise in loss."""
    rng = np.random.default_rng(seed)
    params = np.exp(rng.uniform(np.log(5.7e7), np.log(1.6e10), n))
    flops = np.exp(rng.uniform(np.log(1.4e18), np.log(1.3e22), n))
    tokens = flops / (6 * params)
    loss = LAW["E"] + LAW["A"] * params ** -LAW["alpha"] + LAW["B"] * tokens ** -LAW["beta"]
    loss = loss * np.exp(noise * rng.standard_t(3, n))
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})
    return load([Upload("benchmark.csv", frame.to_csv(index=False, float_format="%.17g").encode())])
