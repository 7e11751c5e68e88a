"""From a run's settings to its number of parameters: layers, width, heads and vocabulary, counted exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from scaling_core.architecture import Decoder, count_parameters
from scaling_core.errors import UserError
from scaling_core.runs.aliases import alias_rank, matches_by_words
from scaling_core.runs.logs import LoggedRun
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar

#: What settings call a shape's sizes, best first.
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "d_model": ("hidden_size", "n_embd", "d_model", "dim", "model_dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "vocabulary": ("padded_vocab_size", "vocab_size", "n_vocab"),
    "context": ("n_positions", "max_position_embeddings", "block_size", "context_length", "sequence_len", "n_ctx"),
    "d_ff": ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "ffn_hidden_size"),
    "kv_heads": ("num_key_value_heads", "n_kv_head", "n_kv_heads", "n_query_groups"),
    "head_size": ("head_dim", "head_size"),
}
_ALL_NAMES = frozenset(name for names in _NAMES.values() for name in names)
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "n_expert", "num_moe_experts")
#: The setting under which the count outside tables of embeddings goes on.
WITHOUT_TABLES = "params_without_embedding_tables"
_LARGEST = 10**8  # a layer, head or token count beyond this is none
_PARAMS = ("params", "params_non_embedding")
Settings = Mapping[str, Scalar]
Extra = Callable[[Decoder, Settings], int]


def _none(_: Decoder, __: Settings) -> int:
    return 0


@dataclass(frozen=True)
class Family:
    """How the models of one family differ beyond their sizes; ``extra`` counts parameters that no other has."""

    bias: bool = False
    glu: bool = True
    tied: bool = False
    positions: str = "none"
    head_size: int | None = None
    extra: Extra = _none


@dataclass(frozen=True)
class ShapeCount:
    """Parameters counted from settings.

    Attributes
    ----------
    total : int or None
        None where the vocabulary is unknown.
    non_embedding : int
        Blocks and the last norm.
    outside_tables : int or None
        All but tables of embeddings and positions; a head of its own counts.
    how : str
        As what it was counted.
    assumed : bool
        Whether the family had to be assumed.
    """

    total: int | None
    non_embedding: int
    outside_tables: int | None
    how: str
    assumed: bool = False


def _attention_bias(d: Decoder, s: Settings) -> int:
    return d.layers * (d.width_q + 2 * d.width_kv + d.d_model) if s.get("attention_bias") is True else 0


def _mlp_bias(d: Decoder, s: Settings) -> int:
    return d.layers * (2 * d.width_ff + d.d_model) if s.get("mlp_bias") is True else 0


def _query_bias(d: Decoder, _: Settings) -> int:
    return d.layers * (d.width_q + 2 * d.width_kv)


def _llama(d: Decoder, s: Settings) -> int:
    return _attention_bias(d, s) + _mlp_bias(d, s)


def _qwen3(d: Decoder, s: Settings) -> int:
    return 2 * d.layers * d.size_of_head + _attention_bias(d, s)


#: By ``model_type`` of Hugging Face's config.json.
FAMILIES: dict[str, Family] = {
    "gpt2": Family(bias=True, glu=False, tied=True, positions="learned"),
    "gpt_neox": Family(bias=True, glu=False),
    "opt": Family(bias=True, glu=False, tied=True, positions="learned"),
    "llama": Family(extra=_llama),
    "mistral": Family(extra=_llama),
    "phi3": Family(),
    "qwen2": Family(extra=_query_bias),
    "qwen3": Family(head_size=128, extra=_qwen3),
    "gemma": Family(tied=True, head_size=256),
    "gemma2": Family(tied=True, head_size=256, extra=lambda d, _: 2 * d.layers * d.d_model),
    # Norms without parameters (Groeneveld et al. 2024, section 2.1).
    "olmo": Family(extra=lambda d, _: -(2 * d.layers + 1) * d.d_model),
    "olmo2": Family(extra=lambda d, _: d.layers * (d.width_q + d.width_kv)),
}


def tells_shape(name: str) -> bool:
    """Whether a setting of this name is a size of a model."""
    return name.rsplit(".", 1)[-1] in _ALL_NAMES


def count_shape(config: Settings) -> ShapeCount | None:
    """Count the parameters of the decoder that a run's settings describe, or None where they do not say enough."""
    settings = _of_one_model(config)
    sizes = {name: _size(settings, keys) for name, keys in _NAMES.items()}
    if not (sizes["layers"] and sizes["d_model"] and sizes["heads"]):
        return None
    if any((_whole(settings.get(name)) or 0) > 1 for name in _EXPERTS):
        return None
    family, how = _family(settings)
    if family is None:
        return None
    try:
        return _count(family, how, sizes, settings)
    except UserError:  # sizes that do not fit together
        return None


def count_sizes(sizes: Mapping[str, int], family: str, tied: bool = False) -> ShapeCount | None:
    """Count the parameters of a decoder whose sizes are given by name, as a family builds it; None if they do not fit.

    Parameters
    ----------
    sizes : mapping of str to int
        ``layers`` and ``d_model``, and what else is known. Without ``heads`` there is one, which changes no count.
    family : str
        A key of ``FAMILIES``, or anything else for a decoder without biases and gates.
    tied : bool
        Whether that last one shares the weights of head and embedding.
    """
    if not {"layers", "d_model"} <= sizes.keys():
        return None
    known: dict[str, int | None] = {name: sizes.get(name) for name in _NAMES}
    known["heads"] = known["heads"] or 1
    built = FAMILIES.get(family, Family(glu=False, tied=tied))
    how = f"as {family}" if family in FAMILIES else "as a decoder without biases and gates"
    try:
        return _count(built, how, known, {"model_type": family})
    except UserError:
        return None


def with_counts(run: LoggedRun, file: str) -> tuple[LoggedRun, tuple[Note, ...]]:
    """Add ``params`` and ``params_non_embedding`` to the settings of a run that logged neither."""
    if any(_speaks_of_params(name) for name in (*run.config, *run.rows.columns)):
        return run, ()
    found = count_shape(run.config)
    if found is None:
        return run, ()
    added: dict[str, Scalar] = {"params_non_embedding": float(found.non_embedding)}
    if found.total is not None:
        added = {"params": float(found.total), **added}
    if found.outside_tables is not None:
        added[WITHOUT_TABLES] = float(found.outside_tables)
    what = "N" if found.total is not None else "N without embeddings"
    text = f"{what} was counted from layers, width, heads and vocabulary in the settings, {found.how}."
    return replace(run, config={**run.config, **added}), (Note("warning" if found.assumed else "info", text, file),)


def _speaks_of_params(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return any(alias_rank(c, last) is not None or matches_by_words(c, last) for c in _PARAMS)


def _of_one_model(config: Settings) -> dict[str, Scalar]:
    """Return the settings of the same nesting that hold both layers and width, such as ``model.n_layer``."""
    prefixes = sorted({key[: key.rfind(".") + 1] for key in config}, key=lambda p: (p.count("."), p))
    for prefix in prefixes:
        inner = {k[len(prefix) :]: v for k, v in config.items() if k.startswith(prefix)}
        if all(any(name in inner for name in _NAMES[size]) for size in ("layers", "d_model")):
            return inner
    return {}


def _family(settings: Settings) -> tuple[Family | None, str]:
    kind = settings.get("model_type")
    if isinstance(kind, str) and kind:
        return FAMILIES.get(kind), f"as {kind}"
    if "mlp_class_name" in settings:
        return _litgpt(settings), "as litgpt builds it"
    if {"n_layer", "n_head", "n_embd", "block_size"} <= settings.keys():
        tied_gpt = Family(bias=settings.get("bias") is not False, glu=False, tied=True, positions="learned")
        return tied_gpt, "as nanoGPT builds it"
    return Family(glu=False), "as a decoder without biases and gates: its family is not stated"


def _litgpt(settings: Settings) -> Family | None:
    gated = {"LLaMAMLP": True, "GemmaMLP": True, "GptNeoxMLP": False}.get(str(settings["mlp_class_name"]))
    if gated is None or settings.get("norm_qk") is True:
        return None
    return Family(
        bias=settings.get("bias") is True,
        glu=gated,
        tied=settings.get("tie_embeddings") is True,
        extra=_litgpt_extra,
    )


def _litgpt_extra(d: Decoder, s: Settings) -> int:
    norms = (1 if s.get("shared_attention_norm") is True else 2) * d.layers + 1
    usual = (2 * d.layers + 1) * (2 if d.bias else 1) * d.d_model
    own = norms * (1 if s.get("norm_class_name") == "RMSNorm" else 2) * d.d_model
    return own - usual + (_query_bias(d, s) if s.get("attn_bias") is True and not d.bias else 0)


def _count(family: Family, how: str, sizes: Mapping[str, int | None], settings: Settings) -> ShapeCount:
    tied = settings.get("tie_word_embeddings", family.tied)
    shift = 2 if settings.get("model_type") == "opt" else 0  # OPT's table of positions has two rows to spare
    decoder = Decoder(
        layers=sizes["layers"] or 0,
        d_model=sizes["d_model"] or 0,
        heads=sizes["heads"] or 0,
        vocabulary=sizes["vocabulary"] or 1,
        context=(sizes["context"] or 1) + shift,
        d_ff=sizes["d_ff"],
        head_size=sizes["head_size"] or family.head_size,
        kv_heads=sizes["kv_heads"],
        bias=family.bias,
        glu=family.glu,
        tied=tied is True,
        positions=family.positions,
    )
    count = count_parameters(decoder)
    extra = family.extra(decoder, settings)
    assumed = "not stated" in how
    head_bias = decoder.vocabulary if settings.get("lm_head_bias") is True else 0
    known = sizes["vocabulary"] is not None and not assumed and (sizes["context"] or family.positions == "none")
    return ShapeCount(
        total=count.total + extra + head_bias if known else None,
        non_embedding=count.non_embedding + extra,
        outside_tables=count.non_embedding + extra + count.head + head_bias if known else None,
        how=how,
        assumed=assumed,
    )


def _size(settings: Settings, names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := _whole(settings.get(name)))), None)


def _whole(value: object) -> int | None:
    """Return a value as a whole number above zero that a size can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < _LARGEST:
        return None
    return int(value) if value == int(value) else None
