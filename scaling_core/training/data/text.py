"""A person's own text: one file, or a folder of files, taken as bytes whatever its language."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.data.corpus import hashed, mapped, pack
from scaling_core.training.data.windows import Windows
from scaling_core.training.spec import DataSpec

#: Of a single file, the last twentieth is held out.
_HELD_OUT = 0.05
_LOOKED_AT = 1 << 16


def open_text(spec: DataSpec, context: int) -> Windows:
    """Open ``spec.path``.

    Raises
    ------
    UserError
        If it does not exist, cannot be read, is empty, is no text or is too small for a window of the context.
    """
    if not spec.path:
        raise UserError("The source “text” needs a path.", fix="Give a text file or a folder of text files.")
    path = Path(spec.path).expanduser()
    try:
        if not path.exists():
            raise UserError("There is no such file or folder.", where=spec.path)
        provenance, training, held_out = _folder(path) if path.is_dir() else _file(path, context)
    except OSError as error:
        raise UserError(f"The text cannot be read ({error.strerror}).", where=spec.path) from None
    provenance = {"source": "text", "path": str(path), **provenance}
    return Windows(training, held_out, context, spec.seed, max(1, spec.validation_tokens // context), provenance)


def looks_binary(path: Path) -> bool:
    """Whether the beginning of a file holds a zero byte, as no text in UTF-8 or an older encoding does."""
    with path.open("rb") as file:
        return b"\0" in file.read(_LOOKED_AT)


def _file(path: Path, context: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    if not path.stat().st_size:
        raise UserError("The file is empty.", where=str(path))
    if looks_binary(path):
        raise UserError("The file is not text: it holds zero bytes.", where=str(path), fix="Give a plain text file.")
    data = mapped(path)
    begin = min(int(data.size * (1 - _HELD_OUT)), data.size - context - 1)  # at least one window is held out
    begin = max(begin, 0)
    provenance = {
        "split": "the last twentieth of the file is held out",
        "training_bytes": begin,
        "held_out_bytes": int(data.size) - begin,
        "files": 1,
        "held_out_files": 0,
        "sha256": hashed(path),
    }
    return provenance, data[:begin], data[begin:]


def _folder(root: Path) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    found = [p for p in root.rglob("*") if p.is_file() and not _hidden(p.relative_to(root)) and p.stat().st_size]
    files = [path for path in found if not looks_binary(path)]
    if not files:
        empty = "holds no files with text in them" if found else "is empty"
        raise UserError(f"The folder {empty}.", where=str(root), fix="Give a folder of plain text files.")
    if len(files) == 1:
        raise UserError(
            "The folder holds one text file only, so none is left for validation.",
            where=str(root),
            fix="Give the file itself, or more files.",
        )
    packed, training, held_out = pack(root, files)
    return {"split": packed.split, "left_out": len(found) - len(files), **asdict(packed)}, training, held_out


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)
