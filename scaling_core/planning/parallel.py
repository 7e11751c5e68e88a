"""Many accelerators: what communication, pipelines, stragglers and batch size leave of an ideal speed-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.errors import UserError
from scaling_core.planning.published_mfu import MfuCurve
from scaling_core.planning.values import Number, at_least_one, fraction, not_negative, plain, positive


def ring_all_reduce_seconds(n_bytes: Number, n_gpus: Number, bandwidth_bytes_per_s: Number) -> Number:
    """Time of a ring all-reduce: each accelerator sends and receives 2(n−1)/n of the data (Patarasuk & Yuan 2009).

    ``bandwidth_bytes_per_s`` is that of the slowest link, in one direction. Latency is left out.
    """
    n = plain(at_least_one(n_gpus, "The number of accelerators", "Give 1 or more."))
    bandwidth = positive(bandwidth_bytes_per_s, "The bandwidth", "Give bytes per second, 300e9 say.")
    return plain(2 * (n - 1) / n * plain(n_bytes) / bandwidth)


def pipeline_bubble(stages: Number, micro_batches: Number, interleave: Number = 1) -> Number:
    """Share of a step that a pipeline idles: (p−1)/(p−1+mv), v model chunks per stage (Narayanan et al. 2021)."""
    p = plain(at_least_one(stages, "The number of stages", "Give 1 or more.")) - 1
    m = plain(at_least_one(micro_batches, "The number of micro-batches", "Give 1 or more."))
    v = at_least_one(interleave, "The number of chunks per stage", "Give 1 or more.")
    return plain(p / (p + m * v))


def straggler_slowdown(n_nodes: Number, sigma: Number) -> Number:
    """Expected excess of the slowest of n nodes whose step times scatter by sigma (a share): σ√(2 ln n), n large."""
    n = plain(at_least_one(n_nodes, "The number of nodes", "Give 1 or more."))
    scatter = not_negative(sigma, "The scatter of step times", "0.01 to 0.02 is usual.")
    return plain(scatter * np.sqrt(2 * np.log(n)))


def steps_for_batch(fewest_steps: Number, batch_tokens: Number, critical_batch_tokens: Number) -> Number:
    """Steps to a loss at a batch size: S = S_min (1 + B_crit/B) (McCandlish et al. 2018, arXiv 1812.06162)."""
    critical = positive(critical_batch_tokens, "The critical batch", "Give tokens.")
    batch = positive(batch_tokens, "The batch", "Give tokens.")
    return plain(plain(fewest_steps) * (1 + plain(critical) / batch))


def tokens_for_batch(fewest_tokens: Number, batch_tokens: Number, critical_batch_tokens: Number) -> Number:
    """Tokens to a loss at a batch size: E = E_min (1 + B/B_crit) (McCandlish et al. 2018, arXiv 1812.06162)."""
    critical = positive(critical_batch_tokens, "The critical batch", "Give tokens.")
    return plain(plain(fewest_tokens) * (1 + plain(batch_tokens) / plain(critical)))


def most_data_parallel(critical_batch_tokens: Number, tokens_per_replica: Number) -> Number:
    """Replicas beyond which more of them buy little: those whose batches fill the critical batch, at least 1."""
    critical = positive(critical_batch_tokens, "The critical batch", "Give tokens.")
    each = positive(tokens_per_replica, "The batch of one replica", "Give tokens: sequences × context.")
    return plain(np.maximum(1.0, np.floor(plain(critical) / plain(each))))


@dataclass(frozen=True)
class Speedup:
    """Speed-up over the smallest number of accelerators; arrays of one shape.

    Attributes
    ----------
    n_gpus : array
    ideal : array
        Time falls as 1/k.
    modelled : array
        With MFU as published at that number, and more tokens where the batch nears the critical one.
    mfu : array
    extra_tokens : array
        Tokens needed over those at the smallest batch.
    notes : tuple of str
    """

    n_gpus: Number
    ideal: Number
    modelled: Number
    mfu: Number
    extra_tokens: Number
    notes: tuple[str, ...]


def speedup(
    n_gpus: Number,
    curve: MfuCurve,
    critical_batch_tokens: Number,
    *,
    tokens_per_replica: float = 8192.0,
    fixed_batch_tokens: float | None = None,
    gpus_per_replica: int = 1,
) -> Speedup:
    """Model how much sooner more accelerators finish, against the ideal T/k.

    The batch grows with the number of replicas (``tokens_per_replica`` each) unless it is fixed; a batch of B needs
    1 + B/B_crit times the tokens of a small one. MFU comes from measurements at each number.

    Raises
    ------
    UserError
        If a number makes no sense.
    """
    k = np.atleast_1d(plain(at_least_one(n_gpus, "The number of accelerators", "Give 1 or more.")))
    replicas = np.maximum(1.0, k / gpus_per_replica)
    batch = replicas * tokens_per_replica if fixed_batch_tokens is None else np.full(k.shape, fixed_batch_tokens)
    needed = np.asarray(tokens_for_batch(1.0, batch, critical_batch_tokens))
    mfu = np.asarray(curve.at(k))
    rate = k * mfu / needed
    first = int(np.argmin(k))
    notes = list(curve.notes(k))
    if np.any(batch > critical_batch_tokens):
        notes.append("Beyond the critical batch more replicas cost tokens nearly as fast as they save time.")
    return Speedup(k, k / k[first], rate / rate[first], mfu, needed / needed[first], tuple(notes))


def ideal_precision_speedup(peak: Number, peak_before: Number) -> Number:
    """Speed-up if everything ran at the ratio of two dense peaks."""
    return plain(plain(peak) / positive(peak_before, "The peak rate", "Give FLOP/s."))


def modelled_precision_speedup(ideal: Number, matmul_share: Number) -> Number:
    """Speed-up when only a share of the time runs faster (Amdahl 1967): 1/((1−f) + f/r)."""
    f = plain(fraction(matmul_share, "The share of time in matrix products", "0.5 to 0.9 is usual for large layers."))
    return plain(1 / ((1 - f) + f / plain(positive(ideal, "The ideal speed-up", "Give the ratio of the peaks."))))


def implied_matmul_share(ideal: Number, measured: Number) -> Number:
    """Share of the time that ran faster, from a measured speed-up: the inverse of ``modelled_precision_speedup``.

    Raises
    ------
    UserError
        If the ideal is not above 1.
    """
    r = plain(positive(ideal, "The ideal speed-up", "Give the ratio of the peaks."))
    if not np.all(r > 1):
        raise UserError("An ideal speed-up of 1 or less says nothing of shares.", fix="Compare a faster format.")
    return plain((1 - 1 / plain(positive(measured, "The measured speed-up", "Give a ratio."))) / (1 - 1 / r))
