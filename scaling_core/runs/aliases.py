"""The names that logs give to what is stored here under one name each, and how a name is recognised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from scaling_core.units import PF_DAY

#: Not a canonical column, but it stands in for ``tokens``.
RATIO = "tokens_per_param"
#: Canonical column -> names, best first. Compared without case and punctuation, single letters with their case.
ALIASES: dict[str, tuple[str, ...]] = {
    "run": (
        "run", "run_name", "name", "model", "model_name", "experiment", "experiment_name", "exp", "exp_name",
        "run_id", "model_id", "id", "uid", "config_name", "config",
    ),
    "params": (
        "params", "n_params", "num_params", "num_parameters", "n_parameters", "parameters", "parameter_count",
        "param_count", "params_count", "n_param", "params_total", "total_params", "total_parameters",
        "n_params_total", "model_params", "model_parameters", "model_size", "size", "N", "n", "params_active",
        "active_params",
    ),
    "params_non_embedding": (
        "params_non_embedding", "n_params_non_embedding", "num_params_non_embedding", "params_nonembed",
        "params_nonemb", "params_non_emb", "non_embedding_params", "non_embedding_parameters", "nonembed_params",
        "non_emb_params", "n_non_embedding", "params_no_embedding", "params_without_embeddings", "N_non_embedding",
    ),
    "tokens": (
        "total_tokens", "tokens_total", "tokens", "n_tokens", "num_tokens", "train_tokens", "training_tokens",
        "tokens_trained", "tokens_seen", "num_tokens_seen", "num_input_tokens_seen", "token_count", "tokens_count",
        "consumed_tokens", "tokens_consumed", "dataset_tokens", "throughput/total_tokens", "training_dataset_size",
        "D", "d",
    ),
    "unique_tokens": ("unique_tokens", "n_unique_tokens", "num_unique_tokens", "tokens_unique", "U"),
    "flops": (
        "flops", "train_flops", "training_flops", "total_flops", "n_flops", "num_flops", "flop", "train_flop",
        "training_flop", "total_flos", "flos", "flops_budget", "flop_budget", "training_compute",
        "training_compute_flop", "train_compute", "total_compute", "compute", "compute_flops", "compute_budget",
        "pf_days", "compute_pf_days", "C", "c", "C_6ND",
    ),
    # No "steps" or "n_steps": those say how long a run was, not where in it a row stands.
    "step": (
        "step", "global_step", "_step", "trainer/global_step", "train/global_step", "train_step", "training_step",
        "iteration", "iter", "update", "current_steps",
    ),
    RATIO: (
        "tokens_per_param", "tokens_per_parameter", "token_param_ratio", "token_per_param", "tok_per_param",
        "tokens/params", "tokens_to_params", "tokens_to_params_ratio", "D/N", "D/N ratio", "D_over_N", "tpp",
    ),
}  # fmt: skip
#: Names of a loss, exact but for what says split and unit ("val", "ppl"), which are read from the words.
LOSS_ALIASES = (
    "loss", "val_loss", "valid_loss", "validation_loss", "eval_loss", "test_loss", "train_loss", "training_loss",
    "final_val_loss", "final_eval_loss", "final_loss", "best_val_loss", "final_train_loss", "L_val", "val_L", "L_test",
    "cross_entropy", "ce_loss", "nll", "lm_loss",
    "L", "l", "perplexity", "ppl", "val_ppl", "val_perplexity",
    "eval_ppl", "eval_perplexity", "valid_ppl", "test_ppl", "train_ppl", "log_ppl", "log_perplexity", "bpb",
    "val_bpb", "eval_bpb", "test_bpb", "train_bpb", "bits_per_byte", "val_bits_per_byte", "bits_per_token",
    "val_bits_per_token",
    # Of an epoch or a step, as Lightning and Keras call them; other names with these words say when, not how much.
    "epoch_loss", "epoch_val_loss", "train_epoch_loss", "val_epoch_loss", "validation_epoch_loss", "test_epoch_loss",
    "val_loss_epoch", "valid_loss_epoch", "test_loss_epoch", "train_loss_epoch", "train_loss_step",
)  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARAM_WORDS = frozenset({"param", "params", "parameter", "parameters"})
_TOKEN_WORDS = frozenset({"token", "tokens", "tok", "toks"})
_FLOP_WORDS = frozenset({"flop", "flops", "flos", "compute"})
_LOSS_WORDS = _words("loss losses nll ppl perplexity bpb bpt crossentropy xent")  # fmt: skip
_RATE_WORDS = _words("per second seconds sec secs s speed rate throughput hour hours day ratio log log10 ln")
_ERROR_WORDS = _words("std stdev stderr sem var variance err error ci lower upper delta diff gap change relative")
#: Words that make a column with the right noun something else: ``tokens_per_second``, ``loss_scale``.
FALSE_FRIENDS: dict[str, frozenset[str]] = {
    "params": _RATE_WORDS | _ERROR_WORDS | _words("dtype bytes trainable frozen embedding embed emb lora"),
    "tokens": _RATE_WORDS
    | _ERROR_WORDS
    | _words(
        "step batch iter iteration warmup vocab context max min id ids eval val valid validation test loss acc "
        "accuracy length len microbatch sample example request prompt new generated special embedding cost price "
        "visual vision image frame patch"
    ),
    "flops": _RATE_WORDS
    | _ERROR_WORDS
    | _words(
        "token step utilization utilisation util peak promised achieved hardware device gpu inference forward fwd "
        "backward bwd dtype type capability time cost price cluster node optimal"
    ),
    "loss": _ERROR_WORDS
    | _words(
        "scale scaler min max aux auxiliary router load balance balancing balanced z kl spike spikes weight weights "
        "coef coefficient irreducible reducible pred predicted prediction fit fitted type fn function name mask rank "
        "count reward downstream step steps iter epoch time date accuracy acc char character bpc word grad norm"
    ),
}
_NON_EMBEDDING = re.compile(r"(non|no|wo|without|excl|excluding)(emb|embed|embedding|embeddings)")

_SCALES = {
    "k": 1e3, "thousand": 1e3, "thousands": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6,
    "mio": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9, "mrd": 1e9, "g": 1e9,
    "t": 1e12, "trillion": 1e12, "trillions": 1e12,
    "exaflop": 1e18, "exaflops": 1e18, "eflop": 1e18, "eflops": 1e18,
    "zettaflop": 1e21, "zettaflops": 1e21, "zflop": 1e21, "zflops": 1e21,
}  # fmt: skip
#: Flops with these prefixes are a rate unless a word says that they are a sum.
_RATES = {"gflop": 1e9, "gflops": 1e9, "tflop": 1e12, "tflops": 1e12, "pflop": 1e15, "pflops": 1e15,
          "petaflop": 1e15, "petaflops": 1e15}  # fmt: skip
_SUMS = frozenset({"total", "train", "training"})
#: Letters that count flops alone, as in "FLOPs (P)".
_PREFIXES = {"p": 1e15, "e": 1e18, "z": 1e21}
#: Units that may stand before or behind the noun they count, as in "M params", "mparams" and "params_m_total".
_COUNTS = {u: _SCALES[u] for u in ("k", "m", "mn", "b", "bn", "thousand", "million", "millions", "billion", "billions")}
_NOUNS = _PARAM_WORDS | _TOKEN_WORDS
_GLUED = re.compile(rf"([kmb])({'|'.join(sorted(_NOUNS, key=len, reverse=True))})")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# Begun only where capitals begin, so that a long row of them is looked at once.
_PLURAL = re.compile(r"(?<![A-Z])([A-Z]{2,})s(?![a-z])")
_PF_DAYS = re.compile(r"p(eta)?fl?o?p?s?(days?)")
_POWER = re.compile(r"(?:×|x|\*)?\s*(?:1e|[_\s(]e|10\^|10\*\*)(\d{1,2})\)?$")


@dataclass(frozen=True)
class Header:
    """A column's name taken apart.

    Attributes
    ----------
    name : str
        As in the file.
    words : tuple of str
        In lower case, without a unit suffix.
    key : str
        The words joined, for comparison.
    scale : float
        What the unit suffix multiplies by: 1e9 for ``tokens (B)``.
    """

    name: str
    words: tuple[str, ...]
    key: str
    scale: float

    def has(self, words: frozenset[str]) -> bool:
        """Whether any of these words occurs."""
        return not words.isdisjoint(self.words)


#: Letters of a column's name that are read; what is longer is no name.
_LONGEST_NAME = 1_000


@lru_cache(maxsize=8192)
def take_apart(name: str) -> Header:
    """Split a column's name into words and its unit suffix."""
    text, scale = name.strip()[:_LONGEST_NAME], 1.0
    if power := _POWER.search(text):
        text, scale = text[: power.start()], 10.0 ** int(power[1])
    # "FLOPs" is one word, not "FLO" and "Ps".
    words = tuple(word.lower() for word in _WORD.findall(_PLURAL.sub(r"\1S", text)))
    words, unit = _without_unit(words)
    return Header(name, words, "".join(words), scale * unit)


def _without_unit(words: tuple[str, ...]) -> tuple[tuple[str, ...], float]:
    """Take the unit out of a name's words, and return what it multiplies by."""
    whole = "".join(words)
    if _PF_DAYS.search(whole):
        return (("pf", "days") if _PF_DAYS.fullmatch(whole) else words), PF_DAY
    last = words[-1] if words else ""
    if last in _SCALES and last.endswith(("flop", "flops")):
        return (*words[:-1], "flops"), _SCALES[last]
    if last in _RATES and not _SUMS.isdisjoint(words):
        return (*words[:-1], "flops"), _RATES[last]
    if last in _PREFIXES and not _FLOP_WORDS.isdisjoint(words[:-1]):
        return words[:-1], _PREFIXES[last]
    if len(words) > 1 and last in _SCALES:
        rest = words[:-1]
        return (rest[:-1] if len(rest) > 1 and rest[-1] == "in" else rest), _SCALES[last]
    return _without_count(words)


def _without_count(words: tuple[str, ...]) -> tuple[tuple[str, ...], float]:
    """Take out a unit that stands at a noun in the middle of a name: ``M params``, ``mparams``, ``params_m_total``."""
    for i, word in enumerate(words):
        if glued := _GLUED.fullmatch(word):
            return (*words[:i], glued[2], *words[i + 1 :]), _COUNTS[glued[1]]
        beside = {*words[max(i - 1, 0) : i], *words[i + 1 : i + 2]}
        if word in _COUNTS and not _NOUNS.isdisjoint(beside):
            return (*words[:i], *words[i + 1 :]), _COUNTS[word]
    return words, 1.0


def alias_rank(canonical: str, name: str) -> int | None:
    """Return the place of a name in a canonical column's aliases, or None if it is none of them."""
    if name.strip() in _LETTERS.get(canonical, {}):
        return _LETTERS[canonical][name.strip()]
    header = take_apart(name)
    # A lone letter with a unit, as in "N (M)", is still that letter.
    if len(header.key) == 1:
        return _LETTERS.get(canonical, {}).get(name.strip()[:1]) if header.scale != 1 else None
    return _KEYS[canonical].get(header.key)


def matches_by_words(canonical: str, name: str) -> bool:
    """Whether the words of a column's name speak for a canonical column and none against it."""
    header = take_apart(name)
    if canonical == "loss":
        named = header.has(_LOSS_WORDS) or "crossentropy" in header.key
        return _is_bits(header) or (named and not header.has(FALSE_FRIENDS["loss"]))
    if canonical == RATIO:
        return _is_ratio(header)
    if canonical == "unique_tokens":
        return header.has(_TOKEN_WORDS) and "unique" in header.words and not header.has(FALSE_FRIENDS["tokens"])
    if canonical == "params_non_embedding":
        return _is_non_embedding(header)
    nouns = {"params": _PARAM_WORDS, "tokens": _TOKEN_WORDS, "flops": _FLOP_WORDS}.get(canonical, frozenset())
    named = header.has(nouns) or (canonical == "flops" and header.scale >= PF_DAY)
    if not named or "unique" in header.words or _is_non_embedding(header) or _is_ratio(header):
        return False
    friends = FALSE_FRIENDS[canonical]
    return not header.has(friends - {"day"} if header.scale >= PF_DAY else friends)


def is_run_name(name: str) -> bool:
    """Whether a column's name says that it holds names of runs, so that its cells must stay text."""
    return alias_rank("run", name) is not None


def loss_unit_of(name: str) -> str:
    """Return the unit that a loss column's name states, ``nats`` where it states none."""
    header = take_apart(name)
    if header.has(frozenset({"bpb"})) or "bitsperbyte" in header.key:
        return "bits_per_byte"
    if header.has(frozenset({"bits", "bit", "bpt"})):
        return "bits"
    if header.has(frozenset({"ppl", "perplexity"})) and "log" not in header.words:
        return "perplexity"
    return "nats"


#: Words -> the data a loss was measured on, in the order of preference.
_SPLITS = {
    "validation": frozenset({"val", "valid", "validation", "eval", "evaluation", "dev", "heldout"}),
    "test": frozenset({"test"}),
    "train": frozenset({"train", "training", "tr"}),
}
SPLIT_ORDER = ("validation", "test", "unknown", "train")


def loss_split_of(name: str) -> str:
    """Return which data a loss column's name says it was measured on: one of ``SPLIT_ORDER``."""
    words = take_apart(name)
    return next((split for split, marks in _SPLITS.items() if words.has(marks)), "unknown")


def _is_ratio(header: Header) -> bool:
    return header.has(_TOKEN_WORDS) and header.has(_PARAM_WORDS) and not header.has(_ERROR_WORDS)


def _is_bits(header: Header) -> bool:
    return "bitsperbyte" in header.key or "bitspertoken" in header.key


def _is_non_embedding(header: Header) -> bool:
    return header.has(_PARAM_WORDS | {"n"}) and bool(_NON_EMBEDDING.search(header.key))


def _keys(names: tuple[str, ...]) -> dict[str, int]:
    pairs = [("".join(w.lower() for w in _WORD.findall(name)), rank) for rank, name in enumerate(names)]
    return {key: rank for key, rank in reversed(pairs) if len(key) > 1}


def _letters(names: tuple[str, ...]) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(names) if len(name) == 1}


_ALL = ALIASES | {"loss": LOSS_ALIASES}
_KEYS = {canonical: _keys(names) for canonical, names in _ALL.items()}
_LETTERS = {canonical: _letters(names) for canonical, names in _ALL.items()}
