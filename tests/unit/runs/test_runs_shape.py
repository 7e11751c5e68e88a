"""Parameters counted from settings: totals of published checkpoints, as their model cards and files give them."""

from __future__ import annotations

import pytest

from scaling_core.runs.shape import count_shape

LLAMA = {"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32}
PUBLISHED = {
    "gpt2": (
        {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "n_positions": 1024},
        124_439_808,
    ),
    "pythia-70m": (
        {"model_type": "gpt_neox", "num_hidden_layers": 6, "hidden_size": 512, "num_attention_heads": 8,
         "intermediate_size": 2048, "vocab_size": 50304, "max_position_embeddings": 2048},
        70_426_624,
    ),
    "opt-125m": (
        {"model_type": "opt", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "ffn_dim": 3072,
         "vocab_size": 50272, "max_position_embeddings": 2048},
        125_239_296,
    ),
    "Llama-2-7b": ({**LLAMA, "intermediate_size": 11008, "vocab_size": 32000}, 6_738_415_616),
    "Llama-3-8B": (
        {**LLAMA, "intermediate_size": 14336, "vocab_size": 128256, "num_key_value_heads": 8}, 8_030_261_248
    ),
    "Qwen2-0.5B": (
        {"model_type": "qwen2", "num_hidden_layers": 24, "hidden_size": 896, "num_attention_heads": 14,
         "num_key_value_heads": 2, "intermediate_size": 4864, "vocab_size": 151936, "tie_word_embeddings": True},
        494_032_768,
    ),
    "Qwen3-0.6B": (
        {"model_type": "qwen3", "num_hidden_layers": 28, "hidden_size": 1024, "num_attention_heads": 16,
         "num_key_value_heads": 8, "head_dim": 128,
         "intermediate_size": 3072, "vocab_size": 151936, "tie_word_embeddings": True},
        596_049_920,
    ),
    "gemma-2b": (
        {"model_type": "gemma", "num_hidden_layers": 18, "hidden_size": 2048, "num_attention_heads": 8, "head_dim": 256,
         "num_key_value_heads": 1, "intermediate_size": 16384, "vocab_size": 256000},
        2_506_172_416,
    ),
    "litgpt pythia-160m": (
        {"mlp_class_name": "GptNeoxMLP", "norm_class_name": "LayerNorm", "bias": True, "n_layer": 12, "n_head": 12,
         "n_embd": 768, "block_size": 2048, "padded_vocab_size": 50304, "intermediate_size": 3072},
        162_322_944,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_counted_to_the_last_parameter(name: str) -> None:
    config, total = PUBLISHED[name]
    found = count_shape(config)
    assert found is not None
    assert found.total == total


def test_nested_settings_are_those_of_one_model() -> None:
    config = {"vision.n_layer": 3, "model.n_layer": 12, "model.n_head": 12, "model.n_embd": 768,
              "model.block_size": 1024, "model.bias": True, "model.vocab_size": 50257}  # fmt: skip
    found = count_shape(config)
    assert found is not None
    assert found.total == 124_439_808


def test_without_a_vocabulary_only_the_blocks_are_counted() -> None:
    found = count_shape({"n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 1024, "bias": False})
    assert found is not None
    assert found.total is None
    assert found.non_embedding == 12 * (12 * 768**2 + 2 * 768) + 768


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"n_layer": 12},
        {**LLAMA, "model_type": "mamba"},
        {**LLAMA, "num_local_experts": 8},
        {**LLAMA, "num_attention_heads": 7},
        {**LLAMA, "hidden_size": "wide"},
        {**LLAMA, "hidden_size": 1e300},
        {**LLAMA, "hidden_size": float("nan")},
    ],
)
def test_what_cannot_be_counted_is_not_guessed(config: dict[str, object]) -> None:
    assert count_shape(config) is None  # type: ignore[arg-type]
