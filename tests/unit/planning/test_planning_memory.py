"""Memory by part against published formulas and a published calculator, and the fewest accelerators that fit."""

from __future__ import annotations

import dataclasses

import pytest
from printed_values import printed

from scaling_core.errors import UserError
from scaling_core.planning.hardware import Hardware, get_hardware
from scaling_core.planning.memory import (
    GIB,
    STATES,
    USABLE_SHARE,
    MemorySetup,
    fewest_gpus,
    layer_activation_bytes,
    memory,
)
from scaling_core.planning.shape_near import shape_near
from scaling_core.planning.shapes import Decoder, count_parameters

#: Pythia 6.9B as the cookbook counts it: its default vocabulary, and a table of positions.
PYTHIA = Decoder(32, 4096, 32, 51_200, 2048, bias=True, positions="learned")
GPT3 = Decoder(96, 12_288, 96, 51_200, 2048)
SMALL = Decoder(8, 512, 8, 32_000, 1024, bias=True)


def test_pythia_as_the_cookbook_has_it() -> None:
    """EleutherAI cookbook on 128 GPUs, two per layer, batch 8, ZeRO-1: 67.53 GiB in these parts.

    It does not split gradients by tensors, which over-estimates them twofold here, and leaves the logits out.
    """
    parts = memory(PYTHIA, MemorySetup(micro_batch=8, data_parallel=64, tensor_parallel=2, zero=1))
    gib = {f.name: getattr(parts, f.name) / GIB for f in dataclasses.fields(parts)}
    assert gib["activations"] == printed("34.00")
    assert gib["weights"] == printed("6.40")
    assert 2 * gib["gradients"] == printed("25.60")
    assert gib["optimiser"] == printed("0.60")
    assert gib["communication"] == printed("0.93")
    assert sum(gib.values()) + gib["gradients"] - gib["logits"] == printed("67.53")


@pytest.mark.parametrize("t", [1, 4])
@pytest.mark.parametrize("b", [1, 3])
def test_activations_of_a_layer(t: int, b: int) -> None:
    """Korthikanti et al. 2022, Table 2, for s, b, h, a of a plain GPT layer in 16 bits."""
    s, h, a = 2048, 12_288, 96
    sbh, scores = s * b * h, 5 * a * s / h
    base = MemorySetup(micro_batch=b, tensor_parallel=t)
    expected = {
        ("none", False): sbh * (10 + 24 / t + scores / t),
        ("none", True): sbh / t * (34 + scores),
        ("selective", False): sbh * (10 + 24 / t),
        ("selective", True): sbh / t * 34,
        ("full", False): 2 * sbh,
        ("full", True): 2 * sbh / t,
    }
    for (recompute, sequence), value in expected.items():
        setup = dataclasses.replace(base, recompute=recompute, sequence_parallel=sequence)
        assert layer_activation_bytes(GPT3, setup) == pytest.approx(value, rel=1e-12)


def test_scores_of_gpt3_outweigh_the_rest() -> None:
    """5as/h is 80 for GPT-3: recomputing attention alone saves 70% of the activations (Korthikanti et al., sec. 5)."""
    none, selective = (layer_activation_bytes(GPT3, MemorySetup(recompute=r)) for r in ("none", "selective"))
    assert 1 - selective / none == pytest.approx(80 / 114)


def test_full_recomputation_keeps_inputs_and_one_layer() -> None:
    setup = MemorySetup(recompute="full")
    kept, one = (layer_activation_bytes(SMALL, dataclasses.replace(setup, recompute=r)) for r in ("full", "none"))
    assert memory(SMALL, setup).activations == 8 * kept + one


def test_states_by_zero_stage() -> None:
    """Rajbhandari et al. 2020, figure 1, with 16-bit gradients: 16 bytes a parameter, then 4+12/n, 2+14/n, 16/n."""
    n = count_parameters(SMALL).total

    def states(zero: int) -> float:
        parts = memory(SMALL, MemorySetup(data_parallel=64, zero=zero, states="mixed, 16-bit gradients"))
        return (parts.weights + parts.gradients + parts.optimiser) / n

    assert [states(z) for z in range(4)] == pytest.approx([16, 4 + 12 / 64, 2 + 14 / 64, 16 / 64])


def test_the_first_stage_holds_as_many_micro_batches_as_there_are_stages() -> None:
    one, four = (memory(SMALL, MemorySetup(pipeline_parallel=p)) for p in (1, 4))
    assert four.activations == one.activations
    assert four.weights * 4 == pytest.approx(one.weights)
    assert four.logits == 0


def test_an_uneven_split_counts_the_longest_stage() -> None:
    three = memory(SMALL, MemorySetup(pipeline_parallel=3))
    assert three.weights == pytest.approx(memory(SMALL, MemorySetup()).weights * 3 / 8)


def test_logits_of_a_small_model_weigh_most() -> None:
    parts = memory(SMALL, MemorySetup(micro_batch=8))
    assert parts.logits == 8 * 1024 * (4 * 512 + 4 * 32_000)
    assert parts.logits > parts.weights + parts.gradients


def test_grouped_queries_and_gates_change_activations() -> None:
    """Keys and values four times narrower, three values of a gated part instead of two, no masks of dropout."""
    setup = MemorySetup(dropout=False)
    base = Decoder(1, 1024, 16, 1, 100)
    other = dataclasses.replace(base, kv_heads=4, glu=True, d_ff=2752)
    per_token = (layer_activation_bytes(d, setup) / 100 for d in (base, other))
    assert list(per_token) == [2 * (4 + 4 + 8) * 1024, 2 * ((2 + 2 + 2 + 0.5) * 1024 + 3 * 2752)]


def test_fp32_needs_twice_the_activations() -> None:
    setup = MemorySetup(dropout=False)
    double = dataclasses.replace(setup, states="fp32")
    assert layer_activation_bytes(SMALL, double) == 2 * layer_activation_bytes(SMALL, setup)
    assert memory(SMALL, double).weights == 4 * count_parameters(SMALL).total


def test_no_buffer_outgrows_its_model() -> None:
    sharded = memory(SMALL, MemorySetup(data_parallel=2, zero=1))
    assert sharded.communication == STATES["mixed"].weights * count_parameters(SMALL).total
    assert memory(SMALL, MemorySetup(data_parallel=2)).communication == 0


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1e8, 7e9, 7e10])
def test_the_fewest_that_fit(size: float, zero: int) -> None:
    """It fits, and nothing smaller does: checked against every split of fewer accelerators."""
    decoder = shape_near(size, glu=True, context=4096).decoder
    hardware = get_hardware("H100 SXM")
    fit = fewest_gpus(decoder, hardware, MemorySetup(zero=zero))
    assert fit.parts == memory(decoder, fit.setup)
    assert fit.parts.total <= fit.capacity_bytes == 80e9 * USABLE_SHARE
    splits = [(d, t, p) for d in range(1, 33) for t in (1, 2, 4, 8) for p in (1, 2, 3, 4, 6, 8, 12, 16, 24)]
    smaller = [s for s in splits if s[0] * s[1] * s[2] < fit.n_gpus and decoder.heads % s[1] == 0]
    for d, t, p in smaller:
        tried = dataclasses.replace(fit.setup, data_parallel=d, tensor_parallel=t, pipeline_parallel=p)
        assert memory(decoder, tried).total > fit.capacity_bytes, tried


def test_one_accelerator_is_enough_for_a_small_model() -> None:
    assert fewest_gpus(SMALL, get_hardware("T4")).n_gpus == 1


def test_what_fits_nowhere_is_said() -> None:
    with pytest.raises(UserError, match="does not fit on tiny however it is split"):
        fewest_gpus(GPT3, Hardware("tiny", {"fp32": 1e12}, memory_gb=1))
    with pytest.raises(UserError, match="memory of dark is not known"):
        fewest_gpus(SMALL, Hardware("dark", {"fp32": 1e12}))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zero": 4}, "ZeRO stage 4"),
        ({"micro_batch": 0}, "micro_batch"),
        ({"recompute": "half"}, "half"),
        ({"states": "x"}, "“x”"),
    ],
)
def test_setups_that_cannot_be_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        MemorySetup(**wrong)  # type: ignore[arg-type]
