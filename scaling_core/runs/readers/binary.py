"""Files that are no table: recognised by their first bytes, so that a person is told what to do instead."""

from __future__ import annotations

from typing import NoReturn

from scaling_core.errors import UserError

_UNPACK = "Unpack it first, then give the table inside."
_AS_CSV = "Export the table as CSV first."
_TABLE = "Give a table of runs (CSV, JSON, Parquet, Excel) or the log of a run."

#: First bytes -> what the file is, and what to do about it.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "is gzip-compressed", _UNPACK),
    (b"PK\x03\x04", "is a compressed ZIP archive (or an Excel workbook)", f"{_UNPACK} From Excel, save as CSV."),
    (b"PK\x05\x06", "is an empty ZIP archive", _TABLE),
    (b"BZh", "is bzip2-compressed", _UNPACK),
    (b"\xfd7zXZ\x00", "is xz-compressed", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "is zstd-compressed", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a compressed 7z archive", _UNPACK),
    (b"Rar!", "is a compressed RAR archive", _UNPACK),
    (b"\x89PNG", "is a PNG picture", _TABLE),
    (b"\xff\xd8\xff", "is a JPEG picture", _TABLE),
    (b"GIF8", "is a GIF picture", _TABLE),
    (b"%PDF", "is a PDF document", _TABLE),
    (b"SQLite format 3\x00", "is an SQLite database", _AS_CSV),
    (b"\xd0\xcf\x11\xe0", "is an old Office document", _AS_CSV),
    (b"\x93NUMPY", "is a NumPy array without column names", _AS_CSV),
    (b"\x89HDF", "is an HDF5 file", _AS_CSV),
    (b"ARROW1", "is an Arrow IPC (Feather) file", "Write it as Parquet or CSV instead."),
    (b"\x80\x02", "is a Python pickle, which is never opened because it can run code", _AS_CSV),
    (b"\x80\x03", "is a Python pickle, which is never opened because it can run code", _AS_CSV),
    (b"\x80\x04", "is a Python pickle, which is never opened because it can run code", _AS_CSV),
    (b"\x80\x05", "is a Python pickle, which is never opened because it can run code", _AS_CSV),
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TEXT_CONTROLS = bytes((7, 8, 9, 10, 12, 13, 27))
_CONTROLS = bytes(i for i in range(32) if i not in _TEXT_CONTROLS)
_MOST_CONTROLS = 0.005  # a stray control byte in a long log is no reason to refuse it


def is_text(head: bytes) -> bool:
    """Whether a file that begins like this is text in UTF-8, a one-byte encoding, or UTF-16 with its mark."""
    if head.startswith(_UTF16_MARKS):
        return True
    if _signature(head) or b"\x00" in head:
        return False
    return len(head) - len(head.translate(None, _CONTROLS)) <= _MOST_CONTROLS * len(head)


def refuse_binary(head: bytes, file: str) -> NoReturn:
    """Say what a file that is no table is.

    Raises
    ------
    UserError
        Always.
    """
    what, fix = _signature(head) or ("holds binary data, not a table that can be read here", _TABLE)
    raise UserError(f"The file {what}.", where=file, fix=fix)


def _signature(head: bytes) -> tuple[str, str] | None:
    return next(((what, fix) for mark, what, fix in _SIGNATURES if head.startswith(mark)), None)


def unknown_log(file: str) -> UserError:
    """Say that a text is what some program prints, which no reader here knows."""
    return UserError(
        "It looks like the printed log of a tool that is not known here: no line of it begins a table.",
        where=file,
        fix="Give what the tool writes beside it (TensorBoard events, a W&B run or export, JSON Lines, CSV), "
        "or a table with a row a run or a step.",
    )
