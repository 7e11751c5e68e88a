"""TensorBoard event files: every scalar, the hyperparameters, and the settings that trainers write as text."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.aliases import loss_split_of
from scaling_core.runs.logs import LINE, STEP, WALL_TIME, LoggedRun, Logs
from scaling_core.runs.progress import tracked
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.messages import BROKEN_MESSAGE, message_types
from scaling_core.runs.readers.points import Points
from scaling_core.runs.readers.tfrecord import Frames, begins_with_frame, frames
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar, flat
from scaling_core.runs.upload import Upload

_MARK = b"brain.Event:"
_HPARAMS = b"hparams"
#: Folders into which trainers write what they measured on one split, under the same tags as on the others.
_SPLITS = ("train", "training", "val", "valid", "validation", "eval", "test")
_MAX_TEXT = 2**20
#: Status of a session's end, as the hyperparameter plugin writes it.
_STATES = {1: "finished", 2: "failed", 3: "running"}
#: Single numbers of a tensor, by its type: how one is unpacked from raw bytes, and the field that holds it otherwise.
_TENSORS = {
    1: ("<f", "float_val"), 2: ("<d", "double_val"), 3: ("<i", "int_val"), 4: ("<B", "int_val"), 5: ("<h", "int_val"),
    6: ("<b", "int_val"), 9: ("<q", "int64_val"), 10: ("<?", "bool_val"), 14: ("bf16", "half_val"),
    17: ("<H", "int_val"), 19: ("<e", "half_val"), 22: ("<I", "uint32_val"), 23: ("<Q", "uint64_val"),
}  # fmt: skip
_STRING = 7


@cache
def _types() -> dict[str, Any]:
    """The fields of ``Event`` that are read, numbered as in TensorFlow's event, summary and tensor messages."""
    return message_types(
        "scaling_events",
        {
            "Event": {"wall_time": (1, "double"), "step": (2, "int64"), "summary": (5, "Summary")},
            "Summary": {"value": (1, "Value*")},
            "Value": {
                "tag": (1, "bytes"), "simple_value": (2, "float"), "tensor": (8, "Tensor"), "metadata": (9, "Metadata"),
            },
            "Metadata": {"plugin_data": (1, "Plugin")},
            "Plugin": {"plugin_name": (1, "bytes"), "content": (2, "bytes")},
            "Tensor": {
                "dtype": (1, "enum"), "shape": (2, "Shape"), "tensor_content": (4, "bytes"), "float_val": (5, "float*"),
                "double_val": (6, "double*"), "int_val": (7, "int32*"), "string_val": (8, "bytes*"),
                "int64_val": (10, "int64*"), "bool_val": (11, "bool*"), "half_val": (13, "int32*"),
                "uint32_val": (16, "int64*"), "uint64_val": (17, "int64*"),
            },
            "Shape": {"dim": (2, "Dim*")},
            "Dim": {"size": (1, "int64")},
            "HParams": {"start": (3, "Start"), "end": (4, "End")},
            "Start": {"hparams": (1, "Entry*")},
            "Entry": {"key": (1, "bytes"), "value": (2, "Any")},
            "Any": {"number": (2, "double"), "text": (3, "bytes"), "truth": (4, "bool")},
            "End": {"status": (1, "enum")},
        },
    )  # fmt: skip


@dataclass(frozen=True)
class TensorBoardReader(LogReader):
    """Reads event files, one run each."""

    name: str = "TensorBoard"
    joins_a_folder = True  # a restarted run goes on in a new file of its folder

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a framed first record that names the version of events, or the frame alone under a usual name."""
        if not begins_with_frame(upload.head):
            return UNLIKE
        if _MARK in upload.head[:256]:
            return Likeness(0.95, "its first record is framed as TFRecord and holds “brain.Event”")
        if "tfevents" in upload.name:
            return Likeness(0.9, "its first record is framed as TFRecord, and its name says tfevents")
        return UNLIKE

    def logs(self, upload: Upload) -> Logs:
        """Read every scalar; a file that is cut or damaged gives what is sound, and a note.

        Raises
        ------
        UserError
            If no sound record is in it.
        """
        found = frames(upload.data)
        if not found.payloads:
            raise UserError(
                "The event file is cut within its first record.", where=upload.name, fix="Copy it again, whole."
            )
        points, run, parse = Points(), _Session(), _types()["Event"].FromString
        rejected = [(number, "The record fails its checksum.", "") for number in found.damaged]
        pairs = zip(found.place, found.payloads, strict=True)
        for number, payload in tracked(pairs, len(found.payloads)):
            try:
                _take(parse, payload, number, points, run)
            except BROKEN_MESSAGE:
                rejected.append((number, "The record is no event.", ""))
        texts = _damage(found)
        rows = _with_split(points.rows(texts), PurePosixPath(upload.name).parent.name)
        logged = LoggedRun(upload.name, rows, run.config, run.state, upload.name)
        return Logs((logged,), tuple(Note("warning", text, upload.name) for text in texts), tuple(rejected))


class _Session:
    """What a file says of its run as a whole."""

    def __init__(self) -> None:
        self.config: dict[str, Scalar] = {}
        self.state = ""
        self.tags: dict[bytes, str] = {}

    def name(self, tag: bytes) -> str:
        """A tag as text; each is decoded once."""
        return self.tags.get(tag) or self.tags.setdefault(tag, _text(tag))


def _take(parse: Callable[[bytes], Any], payload: bytes, number: int, points: Points, run: _Session) -> None:
    event = parse(payload)
    if not event.HasField("summary"):
        return
    for value in event.summary.value:
        if value.HasField("simple_value"):
            points.add(run.name(value.tag), event.step, value.simple_value, event.wall_time, number)
            continue
        if value.HasField("tensor") and (scalar := _scalar(value.tensor)) is not None:
            points.add(run.name(value.tag), event.step, scalar, event.wall_time, number)
        if value.HasField("metadata"):
            _take_settings(value, run)


def _scalar(tensor: Any) -> float | None:
    """Return the one number of a tensor, or None where it holds several or none."""
    if tensor.dtype not in _TENSORS or math.prod(dim.size for dim in tensor.shape.dim) != 1:
        return None
    form, field = _TENSORS[tensor.dtype]
    if tensor.tensor_content:
        return _unpacked(form, tensor.tensor_content)
    held = getattr(tensor, field)
    if len(held) != 1:
        return None
    if field == "half_val":
        return _unpacked(form, (held[0] & 0xFFFF).to_bytes(2, "little"))
    return float(held[0])


def _unpacked(form: str, content: bytes) -> float | None:
    # bfloat16 is the upper half of a float32.
    form, content = ("<f", b"\x00\x00" + content) if form == "bf16" else (form, content)
    return float(struct.unpack(form, content)[0]) if struct.calcsize(form) == len(content) else None


def _take_settings(value: Any, run: _Session) -> None:
    plugin = value.metadata.plugin_data
    if plugin.plugin_name == _HPARAMS:
        session = _types()["HParams"].FromString(plugin.content)
        run.config |= {
            _text(entry.key): held for entry in session.start.hparams if (held := _held(entry.value)) is not None
        }
        run.state = _STATES.get(session.end.status, run.state)
    elif value.HasField("tensor") and value.tensor.dtype == _STRING and len(value.tensor.string_val) == 1:
        run.config |= dict(_json_settings(value.tensor.string_val[0]))


def _held(value: Any) -> Scalar | None:
    if value.HasField("number"):
        return float(value.number)
    return _text(value.text) if value.HasField("text") else bool(value.truth) if value.HasField("truth") else None


def _json_settings(text: bytes) -> Iterator[tuple[str, Scalar]]:
    """Read settings that a trainer wrote as a JSON object into a text summary."""
    if not text.lstrip().startswith(b"{") or len(text) > _MAX_TEXT:
        return
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from flat(settings)


def _with_split(rows: pd.DataFrame, folder: str) -> pd.DataFrame:
    """Write the split that the file's folder names before tags that name none: ``validation/epoch_loss``."""
    if folder.lower() not in _SPLITS:
        return rows
    metrics = [name for name in rows.columns if name not in (STEP, WALL_TIME, LINE)]
    return rows.rename(columns={n: f"{folder}/{n}" for n in metrics if loss_split_of(n) == "unknown"})


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _damage(found: Frames) -> list[str]:
    texts = []
    if found.damaged:
        texts.append(f"{len(found.damaged):,} records fail their checksum and were left out.")
    if found.broken_at is not None:
        texts.append(
            f"The file is cut or damaged at byte {found.broken_at:,}: the {len(found.payloads):,} records before it "
            "were read, what may follow was not."
        )
    return texts
