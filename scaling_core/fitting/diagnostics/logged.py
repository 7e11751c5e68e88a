"""Usual columns of a training recipe, by the names that logs give them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from scaling_core.laws import Array

#: Names compare without case, punctuation and what stands before the last "/", "." or ":".
NAMES: dict[str, tuple[str, ...]] = {
    "warmup_steps": ("warmup_steps", "warmup_iters", "num_warmup_steps", "lr_warmup_steps", "n_warmup_steps", "warmup"),
    "warmup_tokens": ("warmup_tokens", "lr_warmup_tokens"),
    "warmup_share": ("warmup_ratio", "warmup_fraction", "warmup_frac", "warmup_share"),
    "steps": ("train_steps", "total_steps", "num_steps", "n_steps", "training_steps", "steps", "iterations", "step"),
    "schedule": ("lr_schedule", "lr_scheduler", "lr_scheduler_type", "scheduler", "schedule", "lr_decay_style"),
    "decay_steps": ("decay_steps", "lr_decay_steps", "lr_decay_iters", "schedule_steps", "cosine_steps"),
    "decay_tokens": ("decay_tokens", "lr_decay_tokens", "schedule_tokens", "cosine_tokens"),
    "lr": ("lr", "learning_rate", "peak_lr", "max_lr", "peak_learning_rate", "max_learning_rate", "base_lr"),
    "seed": ("seed", "random_seed", "init_seed", "data_seed"),
}  # fmt: skip


#: What else tells one recipe from another, by a word in its name.
_RECIPE_WORDS = re.compile(r"batch|dropout|decay|optimi[sz]er|beta\d|momentum|width|depth|layer|head|dim|ctx|seq|vocab")
#: Text that says where a row came from, not how it was trained.
_NOT_A_RECIPE = {"run", "file", "source", "note", "notes", "comment", "table", "url", "link", "date", "created"}
#: Text of more values than this, or of as many as rows, names rows and no kinds of them.
_MOST_KINDS = 12


def kinds(rows: pd.DataFrame) -> list[str]:
    """Columns of text that sort the runs into a few kinds, such as the data set."""
    return [
        str(c)
        for c in rows.columns
        if str(c).lower() not in _NOT_A_RECIPE and not pd.api.types.is_numeric_dtype(rows[c])
        if 1 < rows[c].nunique() <= min(_MOST_KINDS, len(rows) // 2)
    ]


def recipe(rows: pd.DataFrame) -> list[str]:
    """Columns that say how a run was trained, but for its seed."""
    known = {_column(rows, key) for key in NAMES if key not in ("seed", "steps")}
    words = {str(c) for c in rows.columns if _RECIPE_WORDS.search(str(c).lower())}
    return [c for c in map(str, rows.columns) if c in {*known, *words, *kinds(rows)}]


def has(rows: pd.DataFrame, key: str) -> bool:
    """Whether the runs say it, by any of its names."""
    return _column(rows, key) is not None


def text(rows: pd.DataFrame, key: str) -> pd.Series:
    """The column as text in lower case, empty where nothing is said."""
    column = _column(rows, key)
    if column is None:
        return pd.Series("", index=rows.index)
    return rows[column].astype("object").where(rows[column].notna(), "").astype(str).str.strip().str.lower()


def number(rows: pd.DataFrame, key: str) -> Array:
    """The column as numbers, (n,); NaN where it says none."""
    column = _column(rows, key)
    if column is None:
        return np.full(len(rows), np.nan)
    return pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float)


def _column(rows: pd.DataFrame, key: str) -> str | None:
    plain = {_plain(str(c)): str(c) for c in reversed(rows.columns)}
    return next((plain[name] for name in map(_plain, NAMES[key]) if name in plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.split(r"[/.:]", name)[-1].lower())
