"""FLOPs by layer against published counts, and the utilisation they mean."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from printed_values import printed

from scaling_core.errors import UserError
from scaling_core.planning.flops import (
    forward_flops,
    model_flops_utilisation,
    palm_flops_per_token,
    six_n,
    training_flops_per_token,
)
from scaling_core.planning.shapes import Decoder, count_parameters

GPT2 = Decoder(12, 768, 12, 50_257, 1024, tied=True, positions="learned")
GPT3 = Decoder(96, 12_288, 96, 51_200, 2048)


def test_flops_of_nanogpt() -> None:
    """One sequence of 1,024 tokens (karpathy/nanoGPT, transformer_sizing)."""
    forward = forward_flops(GPT2)
    assert forward.total == 291_648_307_200
    assert training_flops_per_token(GPT2) * 1024 == 874_944_921_600
    count = count_parameters(GPT2)
    assert palm_flops_per_token(count.total - count.position, 12, 768, 1024) * 1024 == 875_062_886_400


def test_utilisation_of_nanogpt() -> None:
    """100 sequences in 0.755 s on an A100 of 312 TFLOP/s: 37.14%."""
    mfu = model_flops_utilisation(100 * 1024 / 0.755, training_flops_per_token(GPT2), 312e12)
    assert mfu == printed("0.3714")


def test_gpt3_as_the_cookbook_counts_it() -> None:
    """3.22e23, and 4.29e23 with recomputation, for 300e9 tokens: logits once, without a backward pass."""
    forward = forward_flops(GPT3)
    sequences = 300e9 / 2048
    assert (3 * forward.blocks + forward.logits) * sequences == printed("3.22e23")
    assert (4 * forward.blocks + forward.logits) * sequences == printed("4.29e23")
    for recompute, times in (("none", 3), ("full", 4)):
        assert training_flops_per_token(GPT3, recompute=recompute, logits=False) * 2048 == times * forward.blocks


def test_every_ratio_of_hoffmann_table_a4(reference: Path) -> None:
    """Exact FLOPs over 6ND: all six rows to both digits, but with softmax counted and neither embedding nor logits.

    With logits counted the first row would be 1.30 and not 1.03. N is the exact count with the head.
    """
    with (reference / "published_chinchilla_flop_ratio.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 6
    for row in rows:
        sizes = [int(row[c]) for c in ("n_layers", "d_model", "n_heads")]
        rest = {"d_ff": int(row["ffw_size"]), "head_size": int(row["kv_size"])}
        decoder = Decoder(*sizes, vocabulary=32_000, context=2048, bias=True, positions="relative", **rest)
        exact = training_flops_per_token(decoder, logits=False, softmax=True)
        ratio = exact / np.asarray(six_n(count_parameters(decoder).with_head))
        assert round(float(ratio), 2) == float(row["ratio_exact_over_6ND"])


def test_six_n_is_the_count_without_attention() -> None:
    """Every weight of a matrix in one multiply-add: without scores, norms and biases the count is 6N exactly."""
    forward = forward_flops(GPT3)
    weights = 96 * 12 * 12_288**2 + 51_200 * 12_288
    assert 3 * (forward.total - forward.attention) / 2048 == six_n(weights)
    palm = palm_flops_per_token(weights, 96, 12_288, 2048)
    assert palm == pytest.approx(training_flops_per_token(GPT3), rel=1e-12)


def test_skipping_masked_scores_halves_attention() -> None:
    whole, causal = forward_flops(GPT2), forward_flops(GPT2, causal=True)
    assert causal.attention / whole.attention == pytest.approx(1025 / 2048)
    assert causal.feed_forward == whole.feed_forward
    assert forward_flops(GPT2, 512).attention * 4 == whole.attention


def test_grouped_queries_and_gates_are_counted() -> None:
    plain = forward_flops(Decoder(2, 256, 8, 100, 64))
    other = forward_flops(Decoder(2, 256, 8, 100, 64, kv_heads=2, glu=True))
    assert plain.projections - other.projections == 2 * 2 * 64 * 256 * 2 * (256 - 64)
    assert other.feed_forward * 2 == plain.feed_forward * 3
    assert other.attention == plain.attention


def test_utilisation_takes_draws_and_refuses_no_peak() -> None:
    speeds = np.array([1e5, 2e5])
    assert model_flops_utilisation(speeds, 1e9, 1e15) == pytest.approx(speeds * 1e-6)
    with pytest.raises(UserError, match="peak rate"):
        model_flops_utilisation(1e5, 1e9, 0.0)
    with pytest.raises(UserError, match="no “half” recomputation"):
        training_flops_per_token(GPT2, recompute="half")
