"""The settings of runs, as trackers log them: which become columns, and how many tokens a step they imply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.runs.aliases import ALIASES, alias_rank, matches_by_words, take_apart
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.schema import Note

Scalar = float | int | str | bool
Floats = NDArray[np.float64]
MAX_SETTINGS = 300
_MAX_DEPTH = 8
_MAX_TEXT = 200
#: Settings by what they are, the most telling first. Only the last part of a dotted key is compared.
_TOKENS_A_STEP = (
    "tokens_per_iter", "tokens_per_iteration", "tokens_per_step", "tokens_per_batch", "tokens_per_update",
    "global_batch_size_tokens", "batch_size_tokens", "batch_size_in_tokens", "global_batch_tokens", "batch_tokens",
    "total_batch_size_tokens", "num_tokens_per_step",
)  # fmt: skip
_GLOBAL_BATCH = ("global_batch_size", "global_train_batch_size", "effective_batch_size", "total_train_batch_size")
_DEVICE_BATCH = (
    "micro_batch_size", "per_device_train_batch_size", "device_batch_size", "device_train_microbatch_size",
    "train_micro_batch_size_per_gpu", "per_gpu_batch_size", "local_batch_size",
)  # fmt: skip
_PLAIN_BATCH = ("batch_size", "train_batch_size", "bsz", "bs")
_SEQUENCE = (
    "seq_len", "seq_length", "sequence_length", "block_size", "context_length", "max_seq_len", "max_seq_length",
    "max_sequence_length", "ctx_len", "n_ctx", "context_size", "n_positions", "train_seq_len", "max_length",
)  # fmt: skip
_ACCUMULATION = (
    "gradient_accumulation_steps", "gradient_accumulation", "grad_accum_steps", "grad_accumulation_steps", "grad_accum",
    "accumulate_grad_batches", "accumulation_steps", "gradient_accumulation_iters", "grad_acc_steps",
)  # fmt: skip
_WORLD = ("world_size", "num_gpus", "n_gpus", "num_devices", "ddp_world_size", "gpu_count", "dp_size", "data_parallel")

_TELLING = frozenset(
    name.replace("_", "")
    for names in (_TOKENS_A_STEP, _GLOBAL_BATCH, _DEVICE_BATCH, _PLAIN_BATCH[:-2], _SEQUENCE, _ACCUMULATION, _WORLD)
    for name in names
)
#: How many steps the whole training has, as words joined.
PLANNED = frozenset(
    {"steps", "numsteps", "nsteps", "maxsteps", "totalsteps", "trainsteps", "trainingsteps", "iterations", "iters",
     "maxiters", "numiterations", "maxiterations"}
)  # fmt: skip


def tells_tokens(name: str) -> bool:
    """Whether a setting of this name helps to count the tokens of a step."""
    return "".join(take_apart(name.rsplit(".", 1)[-1]).words) in _TELLING


def flat(config: Mapping[str, object], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Scalar]]:
    """Yield a nested mapping's numbers, texts and truth values, with dotted keys; lists are left out."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if depth < _MAX_DEPTH:
                yield from flat(value, f"{name}.", depth + 1)
        elif isinstance(value, (str, bool, int, float)):
            yield name, value


def setting_columns(
    configs: Sequence[Mapping[str, Scalar]], lengths: NDArray[np.int64], taken: Sequence[str], file: str
) -> tuple[dict[str, pd.Series], tuple[Note, ...]]:
    """Give each row the settings of its run, a column a setting.

    Parameters
    ----------
    configs : sequence of mapping, length m
        Of each run.
    lengths : ndarray of int64, shape (m,)
        How many rows each run has.
    taken : sequence of str
        The columns that were logged. A setting that means the same as one of them is called ``config.<name>``: what
        was measured at a step comes before what was planned.
    file : str
        For the notes.
    """
    logged = {c for c in ALIASES if any(_means(c, name) for name in taken)}
    columns: dict[str, pd.Series] = {}
    left_out: list[str] = []
    for key in dict.fromkeys(key for config in configs for key in config):
        column = _column([config.get(key) for config in configs])
        if column is None:
            left_out.append(key)
            continue
        clash = key in taken or any(_means(c, key) for c in logged)
        columns[f"config.{key}" if clash else key] = column.take(
            np.repeat(np.arange(len(lengths)), lengths)
        ).reset_index(drop=True)
    if len(columns) > MAX_SETTINGS:
        order = sorted(columns, key=lambda n: (not any(_means(c, n) for c in ALIASES), columns[n].dtype == "str"))
        left_out += order[MAX_SETTINGS:]
        columns = {name: columns[name] for name in columns if name in set(order[:MAX_SETTINGS])}
    return columns, _left_out_notes(left_out, file)


def tokens_by_step(
    configs: Sequence[Mapping[str, Scalar]],
    steps: Floats,
    lengths: NDArray[np.int64],
    taken: Sequence[str],
    file: str,
    counter: str = "step",
) -> tuple[dict[str, pd.Series], tuple[Note, ...]]:
    """Compute tokens seen at each row as tokens a step × step, where no metric counts them and the settings suffice.

    ``counter`` says where the steps are from, for the note.
    """
    if any(_means("tokens", name) for name in taken):
        return {}, ()
    batches = [tokens_a_step(config) for config in configs]
    rate = np.repeat([np.nan if batch is None else batch.tokens for batch in batches], lengths)
    found = [batch for batch in batches if batch is not None]
    # Step 0 stands before the first token; without it the row has no D rather than an impossible one.
    tokens = np.where(steps > 0, rate * steps, np.nan)
    if not found or not np.isfinite(tokens).any():
        return {}, ()
    rules = list(dict.fromkeys(batch.rule for batch in found))
    assumed = any(batch.assumed for batch in found)
    text = f"Tokens were not logged: computed as {' or '.join(rules[:3])} × {counter}, a step being one optimizer step."
    text += " Nothing says on how many devices or with what accumulation; one of each was assumed." * assumed
    if len(found) < len(configs):
        text += f" {len(configs) - len(found):,} runs lack a setting that this needs."
    return {"tokens": pd.Series(tokens)}, (Note("warning" if assumed else "info", text, file),)


@dataclass(frozen=True)
class StepTokens:
    """How many tokens a step takes, the rule that says so, and whether something had to be assumed."""

    tokens: float
    rule: str
    assumed: bool = False


def step_counter(names: Iterable[str]) -> str:
    """Return the best of these columns that counts optimizer steps; what W&B counts itself may be calls of its log."""
    found = [(name == "_step", rank, name) for name in names if (rank := alias_rank("step", name)) is not None]
    return min(found)[2] if found else ""


def tokens_a_step(config: Mapping[str, Scalar]) -> StepTokens | None:
    """Find the tokens of one optimizer step in a run's settings, or None where they do not say."""
    if direct := _find(config, _TOKENS_A_STEP):
        return StepTokens(direct[1], direct[0])
    sequence = _find(config, _SEQUENCE)
    if sequence is None:
        return None
    if whole := _find(config, _GLOBAL_BATCH):
        return _product(whole, sequence)
    accumulation, world = _find(config, _ACCUMULATION), _find(config, _WORLD)
    if device := _find(config, _DEVICE_BATCH):
        # A batch a device says nothing about the whole until the number of devices is known.
        return _product(device, sequence, accumulation, world) if world else None
    if plain := _find(config, _PLAIN_BATCH):
        return _product(plain, sequence, accumulation, world, assumed=accumulation is None and world is None)
    return None


Setting = tuple[str, float]


def _product(*parts: Setting | None, assumed: bool = False) -> StepTokens:
    given = [part for part in parts if part is not None]
    return StepTokens(float(np.prod([value for _, value in given])), " × ".join(name for name, _ in given), assumed)


def _find(config: Mapping[str, Scalar], names: Sequence[str]) -> Setting | None:
    """Return the setting of the first of these names that holds a number above zero."""
    keys = {"".join(take_apart(key.rsplit(".", 1)[-1].rsplit("/", 1)[-1]).words): key for key in reversed([*config])}
    for name in names:
        key = keys.get(name.replace("_", ""))
        value = as_number(config[key]) if key is not None else np.nan
        if key is not None and np.isfinite(value) and value > 0:
            return key, value
    return None


def as_number(value: Scalar) -> float:
    """Read a setting as a number; NaN where it is none."""
    if isinstance(value, bool):
        return float("nan")
    if isinstance(value, str):
        return float(to_numbers(pd.Series([value], dtype="str")).values[0])
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def _means(canonical: str, name: str) -> bool:
    return alias_rank(canonical, name) is not None or matches_by_words(canonical, name)


def _column(values: Sequence[Scalar | None]) -> pd.Series | None:
    """Type a setting: numbers where all are, else text; None where it is text that tells no two runs apart."""
    given = [value for value in values if value is not None]
    numbers = [as_number(value) for value in given]
    if not any(isinstance(value, bool) for value in given) and not np.isnan(numbers).any():
        return pd.Series([np.nan if value is None else as_number(value) for value in values], dtype=float)
    texts = [None if value is None else str(value)[:_MAX_TEXT] for value in values]
    return pd.Series(texts, dtype="str") if len(set(texts)) > 1 else None


def _left_out_notes(names: Sequence[str], file: str) -> tuple[Note, ...]:
    if not names:
        return ()
    shown = ", ".join(f"“{name}”" for name in names[:5]) + (" and others" if len(names) > 5 else "")
    text = f"{len(names):,} setting{'s' * (len(names) > 1)} left out, being text that tells no runs apart: {shown}."
    return (Note("info", text, file),)
