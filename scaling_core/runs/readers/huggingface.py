"""``trainer_state.json`` of Hugging Face's Trainer, in a run's folder or in one of its checkpoints."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.logs import LINE, STEP, LoggedRun, Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.shape import WITHOUT_TABLES
from scaling_core.runs.upload import Upload

_HISTORY = re.compile(r'"log_history"\s*:\s*\[')
_WORD = re.compile(r'"(global_step|max_steps|train_batch_size)"\s*:\s*(\d+)')
_FIX = "Give trainer_state.json as the Trainer wrote it."
#: What the last row says of the whole training, and is no value at that step.
_SUMMARY = ("train_loss", "train_samples_per_second", "train_steps_per_second")
#: Settings under which the state's own numbers go on.
TOTAL_FLOS, LAST_STEP = "total_flos", "global_step"
_SEEN, TOKENS = "num_input_tokens_seen", "tokens"
_STATE = ("train_batch_size", "max_steps", "num_train_epochs", "best_metric", "logging_steps", "eval_steps")
_DECODER = json.JSONDecoder()


class HuggingFaceReader(LogReader):
    """Reads ``trainer_state.json``."""

    name = "Hugging Face trainer state"
    joins_a_folder = True  # each checkpoint repeats the history up to it

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept JSON with ``log_history`` and ``global_step``."""
        head = upload.head
        if head.lstrip()[:1] != b"{" or b'"log_history"' not in head or b'"global_step"' not in head:
            return UNLIKE
        score = 0.95 + extension_bonus(upload.name, ".json")
        return Likeness(score, "it is JSON with “log_history” and “global_step”")

    def logs(self, upload: Upload) -> Logs:
        """Read the run, as far as the file goes.

        Raises
        ------
        UserError
            If no logged row can be read.
        """
        data, notes = as_utf8(upload.data, upload.name)
        state, told = _state(data.decode(errors="replace"), upload.name)
        history = [row for row in state.get("log_history") or [] if isinstance(row, dict)]
        rows = _rows(history)
        if not len(rows):
            raise UserError("“log_history” has no row with a step.", where=upload.name, fix=_FIX)
        told += [*_summary_notes(history, upload.name), *_flops_notes(state, rows, upload.name)]
        run = LoggedRun("", rows, _settings(state, rows), _ending(state), upload.name)
        return Logs((run,), (*notes, *told))

    def complete(self, run: LoggedRun) -> LoggedRun:
        """Spread the state's FLOPs over the steps, and take tokens from them where nothing counted tokens.

        The Trainer counts six FLOPs for each token and each parameter outside embedding tables, so with N known
        D = C / (6 N) holds exactly for ``total_flos``.
        """
        total, last = _positive(run.config.get(TOTAL_FLOS)), _positive(run.config.get(LAST_STEP))
        config = {k: v for k, v in run.config.items() if k not in (TOTAL_FLOS, LAST_STEP, WITHOUT_TABLES)}
        rows = run.rows.rename(columns={_SEEN: TOKENS})  # one name for all runs, whether counted or computed
        if not total or not last:
            return replace(run, rows=rows, config=config)
        share = rows[STEP].to_numpy(dtype=float) / last
        rows = rows.assign(flops=np.where(share > 0, share * total, np.nan))
        counted = _positive(run.config.get(WITHOUT_TABLES))
        if counted and TOKENS not in rows:
            rows = rows.assign(**{TOKENS: rows["flops"] / (6 * counted)})
        return replace(run, rows=rows, config=config)


def _state(text: str, file: str) -> tuple[dict[str, Any], list[Note]]:
    """Parse the file; of one that is cut short, the rows that are whole."""
    try:
        state = json.loads(text)
    except RecursionError:
        raise UserError("The JSON is nested too deeply.", where=file, fix=_FIX) from None
    except ValueError:
        return _cut_state(text, file)
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise UserError("“log_history” is no list of rows.", where=file, fix=_FIX)
    return state, []


def _cut_state(text: str, file: str) -> tuple[dict[str, Any], list[Note]]:
    found = _HISTORY.search(text)
    if not found:
        raise UserError("The file is damaged or cut short before its first row.", where=file, fix=_FIX)
    rows = []
    position = found.end()
    while start := re.compile(r"[\s,]*(?=\{)").match(text, position):
        try:
            row, position = _DECODER.raw_decode(text, start.end())
        except (ValueError, RecursionError):
            break
        rows.append(row)
    state: dict[str, Any] = {name: int(value) for name, value in _WORD.findall(text[: found.start()])}
    note = Note("warning", f"The file is damaged or cut short: its first {len(rows):,} rows were used.", file)
    return state | {"log_history": rows}, [note]


def _rows(history: list[dict[str, Any]]) -> pd.DataFrame:
    kept = []
    for place, row in enumerate(history, start=1):
        step = row.get("step")
        if isinstance(step, bool) or not isinstance(step, (int, float)) or not math.isfinite(step):
            continue
        values = {_name(k): _value(v) for k, v in row.items() if k not in (*_SUMMARY, "step", TOTAL_FLOS)}
        numbers = {k: v for k, v in values.items() if v is not None}
        if numbers.keys() - {"epoch", _SEEN, "seconds"}:
            kept.append({STEP: float(step), LINE: float(place), **numbers})
    frame = pd.DataFrame(kept, dtype=float)
    unseen = _SEEN in frame and not frame[_SEEN].fillna(0).any()
    return frame.drop(columns=_SEEN) if unseen else frame


def _name(key: str) -> str:
    return {"loss": "train_loss", "train_runtime": "seconds"}.get(key, key)


def _value(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _settings(state: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, Scalar]:
    config: dict[str, Scalar] = {}
    for name in _STATE:
        if (value := _value(state.get(name))) is not None:
            config["per_device_train_batch_size" if name == "train_batch_size" else name] = value
    if flos := _positive(state.get("total_flos")):
        config[TOTAL_FLOS] = flos
        config[LAST_STEP] = _positive(state.get("global_step")) or float(rows[STEP].max())
    return config


def _positive(value: object) -> float:
    found = _value(value)
    return found if found and math.isfinite(found) and found > 0 else 0.0


def _ending(state: Mapping[str, Any]) -> str:
    done, planned = _positive(state.get("global_step")), _positive(state.get("max_steps"))
    return "unfinished" if planned and done < planned else "finished"


def _flops_notes(state: Mapping[str, Any], rows: pd.DataFrame, file: str) -> list[Note]:
    if not _positive(state.get(TOTAL_FLOS)):
        return []
    text = "FLOPs of each step are total_flos in proportion to the step"
    text += "." if _SEEN in rows else "; tokens, which were not counted, follow from them where N is known."
    return [Note("info", text, file)]


def _summary_notes(history: list[dict[str, Any]], file: str) -> list[Note]:
    summed = [row for row in history if "train_loss" in row and "train_runtime" in row]
    if not summed:
        return []
    text = "“train_loss” of the last row is the mean over the whole training and was left out."
    return [Note("info", text, file)]
