"""A ladder as a TOML file, in and out."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.spec import read

FILE_NAME = "LADDER.toml"


def read_ladder(path: Path) -> LadderSpec:
    """Read a ladder from a file.

    Raises
    ------
    UserError
        If the file cannot be read, is no TOML, or a field is wrong: the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"The ladder cannot be read: {said}.", where=str(path)) from None
    return parse_ladder(text, str(path))


def parse_ladder(text: str, where: str = FILE_NAME) -> LadderSpec:
    """Read a ladder from TOML text; ``where`` begins what is said of errors. Raises as ``read_ladder``."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"This is not TOML ({error}).", where=where) from None
    try:
        return read(LadderSpec, data)
    except UserError as error:
        place = error.where if error.where != LadderSpec.__name__ else ""
        raise UserError(error.what, where=f"{where}, {place}" if place else where, fix=error.fix) from None


def ladder_toml(spec: LadderSpec) -> str:
    """Write a ladder as TOML; ``parse_ladder`` reads it back. None, for which TOML has no word, is left out."""
    return "\n".join(_table(spec, "")).strip() + "\n"


def _table(record: Any, path: str) -> list[str]:
    """Lines of one table: its plain fields first, as TOML asks, then its tables."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    plain = [f"{k} = {_value(v)}" for k, v in values.items() if not is_dataclass(v) and v is not None]
    lines = ["", f"[{path}]", *plain] if path else plain
    for name, value in values.items():
        if is_dataclass(value):
            lines += _table(value, f"{path}.{name}".strip("."))
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else str(value)
