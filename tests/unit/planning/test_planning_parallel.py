"""Communication, bubbles, stragglers, batch limits and measured utilisation."""

from __future__ import annotations

import numpy as np
import pytest
from printed_values import printed

from scaling_core.errors import UserError
from scaling_core.planning.parallel import (
    ideal_precision_speedup,
    implied_matmul_share,
    modelled_precision_speedup,
    most_data_parallel,
    pipeline_bubble,
    ring_all_reduce_seconds,
    speedup,
    steps_for_batch,
    straggler_slowdown,
    tokens_for_batch,
)
from scaling_core.planning.published_mfu import measured_fp8, mfu_curve, mfu_curves, published_mfu


def test_ring_all_reduce() -> None:
    """2B gradients in FP32 over 8 at 300 GB/s: 0.04667 s, where 2 × bytes / bandwidth says 0.053 (stas00, network)."""
    assert ring_all_reduce_seconds(8e9, 8, 300e9) == printed("0.04667")
    assert ring_all_reduce_seconds(8e9, 1e9, 300e9) == printed("0.053")
    assert ring_all_reduce_seconds(8e9, 1, 300e9) == 0


def test_pipeline_bubble() -> None:
    """8 stages, 16 micro-batches: 30.4%, and 9.9% with 4 chunks a stage."""
    assert pipeline_bubble(8, 16) == printed("0.3043")
    assert pipeline_bubble(8, 16, 4) == printed("0.0986")
    assert pipeline_bubble(1, 16) == 0


def test_straggler() -> None:
    """512 nodes of 1.4% scatter: 4.9%."""
    assert straggler_slowdown(512, 0.014) == printed("0.0495")
    assert straggler_slowdown(1, 0.014) == 0


def test_stragglers_against_the_slowest_of_many_draws() -> None:
    """The expected largest of n normals stays below σ√(2 ln n), and nears it."""
    draws = np.random.default_rng(0).normal(size=(200, 4096)).max(axis=1).mean()
    assert 0.85 < draws / float(straggler_slowdown(4096, 1.0)) < 1


def test_the_critical_batch_doubles_steps_and_tokens() -> None:
    """McCandlish et al. 2018: (S/S_min − 1)(E/E_min − 1) = 1 at every batch."""
    batch = np.geomspace(1e3, 1e8, 7)
    steps, tokens = np.asarray(steps_for_batch(1.0, batch, 1e6)), np.asarray(tokens_for_batch(1.0, batch, 1e6))
    assert (steps - 1) * (tokens - 1) == pytest.approx(np.ones(7))
    assert steps_for_batch(1.0, 1e6, 1e6) == tokens_for_batch(1.0, 1e6, 1e6) == 2


def test_replicas_beyond_the_critical_batch() -> None:
    assert most_data_parallel(2.5e6, 8192) == 305
    assert most_data_parallel(1e3, 8192) == 1


def test_measured_utilisation() -> None:
    """MosaicML: 7B on 8, 128, 256 and 512 H100; between them interpolated over ln n."""
    curve = mfu_curve(7e9)
    assert (curve.n_gpus, curve.mfu) == ((8, 128, 256, 512), (0.4644, 0.4571, 0.4415, 0.4220))
    assert curve.at(np.array([8, 512])) == pytest.approx([0.4644, 0.4220])
    assert curve.at(32) == pytest.approx((0.4644 + 0.4571) / 2)  # 32 lies halfway between 8 and 128
    assert len(curve.notes(100)) == 1
    assert "held at 42%: it is likely lower" in curve.notes(10_000)[1]
    assert "Below 8" in curve.notes(1)[1]


def test_every_curve_loses_little_by_scale() -> None:
    assert len(mfu_curves()) == 17
    for curve in mfu_curves():
        assert all(0.3 < m < 0.65 for m in curve.mfu)
        assert list(curve.n_gpus) == sorted(set(curve.n_gpus))
    with pytest.raises(UserError, match="published for T4"):
        mfu_curve(1e9, "T4")


def test_reported_utilisations() -> None:
    rows = {m.run: m for m in published_mfu()}
    assert len(rows) == 21
    assert rows["PaLM 540B"].utilisation == 0.462
    assert rows["median of 33 published runs"].utilisation == 0.375
    assert all(m.source and m.date and m.confidence for m in rows.values())


def test_speedup_ideal_and_modelled() -> None:
    k = np.array([8.0, 64.0, 512.0])
    fast = speedup(k, mfu_curve(7e9), critical_batch_tokens=1e15)
    assert fast.ideal == pytest.approx([1, 8, 64])
    assert fast.modelled == pytest.approx(np.array([1, 8, 64]) * mfu_curve(7e9).at(k) / 0.4644)
    capped = speedup(k, mfu_curve(7e9), critical_batch_tokens=2e6)
    extra = (1 + k * 8192 / 2e6) / (1 + 8 * 8192 / 2e6)
    assert capped.extra_tokens == pytest.approx(extra)
    assert capped.modelled == pytest.approx(np.asarray(fast.modelled) / extra)
    assert "Beyond the critical batch" in capped.notes[-1]


def test_more_accelerators_never_help_beyond_a_limit() -> None:
    """Time falls as (1 + k/k_crit)/k: towards k_crit times, never more."""
    k = np.geomspace(8, 1e6, 50)
    found = speedup(k, mfu_curve(7e9), critical_batch_tokens=2e6)
    limit = (1 + 8 * 8192 / 2e6) / (8 * 8192 / 2e6)
    assert np.all(np.asarray(found.modelled) < limit)
    assert np.asarray(found.modelled)[-1] == pytest.approx(limit * 0.4220 / 0.4644, rel=1e-3)


def test_a_fixed_batch_costs_no_tokens() -> None:
    found = speedup(np.array([8, 64]), mfu_curve(7e9), 2e6, fixed_batch_tokens=1e6)
    assert found.extra_tokens == pytest.approx([1, 1])


def test_precision_speedup_by_amdahl() -> None:
    assert ideal_precision_speedup(1.979e15, 9.894e14) == pytest.approx(2, rel=1e-3)
    assert modelled_precision_speedup(2.0, 1.0) == 2
    assert modelled_precision_speedup(2.0, 0.0) == 1
    assert modelled_precision_speedup(2.0, 0.5) == pytest.approx(4 / 3)
    shares = np.linspace(0.05, 1, 5)
    assert implied_matmul_share(2.0, modelled_precision_speedup(2.0, shares)) == pytest.approx(shares)


def test_fp8_as_measured_is_far_from_twice_as_fast() -> None:
    """MosaicML, 8 H100: 598 against 458 TFLOP/s for 3B and 512 tokens; longer contexts gain less."""
    gains = {(m.model, m.context_tokens): m.speedup for m in measured_fp8()}
    assert len(gains) == 5
    assert gains[("3b", 512)] == pytest.approx(598 / 458)
    assert gains[("1b", 512)] > gains[("1b", 8192)] > gains[("1b", 32_768)]
    assert all(1 < g < 1.4 for g in gains.values())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ring_all_reduce_seconds(1e9, 8, 0), "bandwidth"),
        (lambda: pipeline_bubble(0, 4), "stages"),
        (lambda: straggler_slowdown(4, -1), "scatter"),
        (lambda: steps_for_batch(1, 0, 1e6), "batch"),
        (lambda: modelled_precision_speedup(2, 1.5), "share"),
        (lambda: implied_matmul_share(1.0, 1.0), "says nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(call: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        call()  # type: ignore[operator]
