"""Parameters counted to the last one, against published models."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.planning.shapes import (
    Decoder,
    block_parameters,
    count_parameters,
    published_shapes,
    weights_bytes,
)

GPT2 = Decoder(12, 768, 12, 50_257, 1024, tied=True, positions="learned")


def test_gpt2_without_biases() -> None:
    """124,337,664 in PyTorch (nanoGPT, transformer_sizing)."""
    count = count_parameters(GPT2)
    assert count.total == 124_337_664
    assert (count.embedding, count.position, count.head) == (38_597_376, 786_432, 0)
    assert count.non_embedding == 12 * block_parameters(GPT2) + 768
    assert count.with_head == count.non_embedding + count.embedding


@pytest.mark.parametrize(
    ("decoder", "total"),
    [
        # GPT-2 as released, biases and all.
        (Decoder(12, 768, 12, 50_257, 1024, tied=True, positions="learned", bias=True), 124_439_808),
        # LLaMA 2 7B, and Llama 3 8B with 8 heads of keys and values.
        (Decoder(32, 4096, 32, 32_000, 4096, d_ff=11_008, glu=True), 6_738_415_616),
        (Decoder(32, 4096, 32, 128_256, 8192, d_ff=14_336, glu=True, kv_heads=8), 8_030_261_248),
        (Decoder(80, 8192, 64, 32_000, 4096, d_ff=28_672, glu=True, kv_heads=8), 68_976_648_192),
    ],
    ids=["GPT-2", "LLaMA 2 7B", "Llama 3 8B", "LLaMA 2 70B"],
)
def test_released_models(decoder: Decoder, total: int) -> None:
    assert count_parameters(decoder).total == total


@pytest.mark.parametrize(
    ("layers", "width", "heads", "vocabulary", "non_embedding", "total"),
    [
        (6, 512, 8, 50_304, 18_915_328, 70_426_624),
        (16, 2048, 8, 50_304, 805_736_448, 1_011_781_632),
        (32, 4096, 32, 50_432, 6_444_163_072, 6_857_302_016),
        (36, 5120, 40, 50_688, 11_327_027_200, 11_846_072_320),
    ],
)
def test_pythia(layers: int, width: int, heads: int, vocabulary: int, non_embedding: int, total: int) -> None:
    """Biderman et al. 2023, Table 1: rotary positions, untied, vocabulary padded by size."""
    count = count_parameters(Decoder(layers, width, heads, vocabulary, 2048, bias=True))
    assert (count.non_embedding, count.total) == (non_embedding, total)


def test_the_chinchilla_ladder(reference: Path) -> None:
    """All 50 models of Hoffmann et al. 2022, Table A9: relative positions, biases, head but no embedding counted.

    Printed in millions, so equal to rounding; from 587M on that is within 0.1%. Heads × head size is not always the
    width, and without minding that six of them are off by up to 7%.
    """
    with (reference / "published_chinchilla_models50.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 50
    for row in rows:
        sizes = [int(row[c]) for c in ("n_layers", "d_model", "n_heads")]
        rest = {"d_ff": int(row["ffw_size"]), "head_size": int(row["kv_size"])}
        decoder = Decoder(*sizes, vocabulary=32_000, context=2048, bias=True, positions="relative", **rest)
        assert count_parameters(decoder).with_head / 1e6 == pytest.approx(float(row["params"]) / 1e6, abs=1.5, rel=1e-4)


def test_sharing_the_head_saves_one_embedding() -> None:
    apart = count_parameters(Decoder(12, 768, 12, 50_257, 1024))
    shared = count_parameters(Decoder(12, 768, 12, 50_257, 1024, tied=True))
    assert apart.total - shared.total == 768 * 50_257
    assert apart.with_head == shared.with_head


def test_grouped_queries_save_keys_and_values() -> None:
    whole, grouped = (block_parameters(Decoder(1, 1024, 16, 1, 1, kv_heads=kv, bias=True)) for kv in (16, 4))
    assert whole - grouped == 2 * (1024 - 256) * (1024 + 1)


def test_biases_of_the_norms_alone() -> None:
    decoder = Decoder(3, 64, 4, 100, 10, norm_bias=True)
    assert count_parameters(decoder).total - count_parameters(Decoder(3, 64, 4, 100, 10)).total == 7 * 64


def test_memory_of_weights() -> None:
    assert weights_bytes(7e9) == 14e9
    assert [weights_bytes(1e9, p) for p in ("fp32", "bf16", "fp8", "int4")] == [4e9, 2e9, 1e9, 0.5e9]
    with pytest.raises(UserError, match="no number format"):
        weights_bytes(1, "fp12")


def test_the_published_shapes_are_plausible() -> None:
    """Width times depth gives the printed size: 12·layers·width² and the vocabulary, within a third."""
    shapes = published_shapes()
    assert len(shapes) == 82
    for s in shapes:
        estimate = 12 * s.layers * s.d_model**2 + 50_000 * s.d_model
        assert 0.6 < estimate / s.params < 1.6, s.name
        assert s.source


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layers": 0}, "“layers” is 0"),
        ({"heads": 7}, "does not divide among 7 heads"),
        ({"kv_heads": 5}, "12 heads do not divide among 5"),
        ({"positions": "sideways"}, "no “sideways” positions"),
    ],
)
def test_shapes_that_cannot_be_are_refused(wrong: dict[str, object], said: str) -> None:
    sizes = {"layers": 12, "d_model": 768, "heads": 12, "vocabulary": 50_257, "context": 1024}
    with pytest.raises(UserError, match=said):
        Decoder(**{**sizes, **wrong})  # type: ignore[arg-type]
