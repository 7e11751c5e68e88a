"""A file of runs with a known law, as a person might drop it on a page."""

from __future__ import annotations

import itertools

import numpy as np

#: Besiroglu et al. 2024: E, A, B, alpha, beta.
LAW = (1.8172, 482.01, 2085.43, 0.3478, 0.3658)
SIZES = (5e7, 1.2e8, 3e8, 7e8, 1.5e9)
TOKENS_PER_PARAM = (5, 10, 20, 40)
COUNT = len(SIZES) * len(TOKENS_PER_PARAM)


def ladder_csv(loss: str = "loss", noise: float = 0.002, scale: float = 1.0) -> str:
    """Twenty runs of ``LAW`` in which N and D vary apart; ``scale`` multiplies the losses, say to other units."""
    E, A, B, alpha, beta = LAW
    random = np.random.default_rng(20240417)
    lines = [f"model,n_params,train_tokens,{loss}"]
    for N, ratio in itertools.product(SIZES, TOKENS_PER_PARAM):
        D = N * ratio
        L = scale * (E + A / N**alpha + B / D**beta) * np.exp(noise * random.standard_normal())
        lines.append(f"m{N / 1e6:.0f}M-{ratio},{N:.6g},{D:.6g},{L:.6f}")
    return "\n".join(lines) + "\n"
