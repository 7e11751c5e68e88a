"""W&B's own file of a run, ``run-<id>.wandb``: everything it logged, its settings and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.runs.logs import LoggedRun, Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.leveldb import HEADER, HEADER_BYTES, Damage, records
from scaling_core.runs.readers.messages import BROKEN_MESSAGE, message_types
from scaling_core.runs.readers.points import Points
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar, flat
from scaling_core.runs.upload import Upload

_MAX_NUMBER = 1e308
_LARGEST_STEP = 2**62


@cache
def _types() -> dict[str, Any]:
    """The fields of a record that are read, numbered as in W&B's ``wandb_internal.proto``."""
    return message_types(
        "scaling_wandb",
        {
            "Record": {
                "history": (2, "History"), "config": (5, "Config"), "run": (17, "Run"), "exit": (18, "Exit"),
            },
            "History": {"item": (1, "Item*"), "step": (2, "Step")},
            "Step": {"num": (1, "int64")},
            "Item": {
                "key": (1, "bytes"), "nested_key": (2, "bytes*"), "boolean": (4, "bool"), "integer": (5, "sint64"),
                "number": (6, "double"), "json": (8, "bytes"), "value_json": (16, "bytes"),
            },
            "Config": {"update": (1, "Item*"), "remove": (2, "Item*")},
            "Run": {"run_id": (1, "bytes"), "config": (4, "Config"), "display_name": (8, "bytes")},
            "Exit": {"exit_code": (1, "int32")},
        },
    )  # fmt: skip


@dataclass(frozen=True)
class WandbOfflineReader(LogReader):
    """Reads ``.wandb`` files, one run each."""

    name: str = "W&B offline"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept what begins with the mark of such a file."""
        if not upload.head.startswith(HEADER):
            return UNLIKE
        return Likeness(0.95 + extension_bonus(upload.name, ".wandb"), "it begins with “:W&B”")

    def logs(self, upload: Upload) -> Logs:
        """Read the run; a file that is cut or damaged gives what is sound, and a note.

        Raises
        ------
        UserError
            If no sound record is in it.
        """
        run, points, damage = _Run(), Points(), Damage()
        rejected = []
        for number, payload in enumerate(records(upload.data, damage), start=1):
            try:
                _take(payload, number, run, points)
            except BROKEN_MESSAGE:
                rejected.append((number, "The record is no message of W&B.", ""))
        if len(upload.data) <= HEADER_BYTES or not run.seen:
            raise UserError(
                "The W&B file holds no sound record.", where=upload.name, fix="Copy it again, whole, or export as CSV."
            )
        texts = _damage(damage, run)
        rows = points.rows(texts)
        logged = LoggedRun(run.name or upload.name, rows, run.config, run.state, upload.name)
        return Logs((logged,), tuple(Note("warning", text, upload.name) for text in texts), tuple(rejected))


class _Run:
    """What the records so far say of the run."""

    def __init__(self) -> None:
        self.name, self.state, self.seen = "", "running", False
        self.config: dict[str, Scalar] = {}
        self.next_step = 0


def _take(payload: bytes, number: int, run: _Run, points: Points) -> None:
    record = _types()["Record"].FromString(payload)
    run.seen = True
    if record.HasField("history"):
        _take_history(record.history, number, run, points)
    elif record.HasField("run"):
        run.name = _text(record.run.display_name) or _text(record.run.run_id) or run.name
        run.config |= dict(_settings(record.run.config.update))
    elif record.HasField("config"):
        run.config |= dict(_settings(record.config.update))
    elif record.HasField("exit"):
        run.state = "failed" if record.exit.exit_code else "finished"


def _take_history(history: Any, number: int, run: _Run, points: Points) -> None:
    values = {name: value for item in history.item for name, value in _numbers(item)}
    stamp, _, counted = values.pop("_timestamp", np.nan), values.pop("_runtime", 0), values.pop("_step", np.nan)
    step = history.step.num if history.HasField("step") else run.next_step
    if not history.HasField("step") and abs(counted) < _LARGEST_STEP:
        step = int(counted)
    run.next_step = step + 1
    for name, value in values.items():
        points.add(name, step, value, stamp, number)


def _numbers(item: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a logged item: one, or several where it is a mapping of numbers."""
    name = _name(item)
    if item.HasField("number"):
        yield name, item.number
    elif item.HasField("integer"):
        yield name, float(item.integer)
    elif written := item.value_json or item.json:
        try:
            yield name, float(written)
        except ValueError:
            yield from _nested(name, written)


def _nested(name: str, written: bytes) -> Iterator[tuple[str, float]]:
    # Media, tables and histograms say their type; none of them is a number.
    value = _loaded(written)
    if isinstance(value, float):  # a number that JSON writes in quotes, as NaN
        yield name, value
    elif isinstance(value, dict) and "_type" not in value:
        for key, held in flat(value, f"{name}."):
            if isinstance(held, (int, float)) and not isinstance(held, bool) and abs(held) < _MAX_NUMBER:
                yield key, float(held)


def _settings(items: Any) -> Iterator[tuple[str, Scalar]]:
    for item in items:
        name = _name(item)
        if not name.startswith("_"):  # what W&B writes about itself
            yield from flat({name: _value(item)})


def _value(item: Any) -> object:
    for field in ("number", "integer", "boolean"):
        if item.HasField(field):
            held: object = getattr(item, field)
            return held
    return _loaded(item.value_json or item.json)


def _loaded(written: bytes) -> object:
    if written in (b'"NaN"', b'"Infinity"', b'"-Infinity"'):
        return float(written.strip(b'"'))
    try:
        value: object = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return value


def _name(item: Any) -> str:
    return _text(item.key) or ".".join(_text(part) for part in item.nested_key)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _damage(damage: Damage, run: _Run) -> list[str]:
    texts = []
    if damage.blocks:
        texts.append(f"{len(damage.blocks):,} blocks of the file are damaged and what they hold was left out.")
    if damage.is_cut:
        texts.append("The file ends within a record, as when it is cut or still being written.")
    if run.state == "running":
        texts.append(
            "The file does not say that the run ended: it is still running, was killed, or the end is missing."
        )
    return texts
