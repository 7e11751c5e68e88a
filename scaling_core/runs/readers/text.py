"""Bytes to text: UTF-8 with or without mark, UTF-16 with its mark, else Windows-1252."""

from __future__ import annotations

import codecs

from scaling_core.runs.schema import Note

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_PART = 2**20


def as_utf8(data: bytes, file: str) -> tuple[bytes, tuple[Note, ...]]:
    """Return the text as UTF-8 bytes without a mark, and a note where the encoding was guessed.

    Line ends become ``\\n`` only where no other is used: an old Mac file has ``\\r`` alone.
    """
    data, notes = _decode(data, file)
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    return data, notes


def _decode(data: bytes, file: str) -> tuple[bytes, tuple[Note, ...]]:
    if data.startswith(_UTF16_MARKS):
        text = data.decode("utf-16", errors="replace")
        return text.encode(), (Note("info", "The file is in UTF-16 and was read as such.", file),)
    data = data.removeprefix(_UTF8_MARK)
    broken = _first_broken(data)
    if broken is None:
        return data, ()
    return data.decode("cp1252", errors="replace").encode(), (_guessed(data, broken, file),)


def _first_broken(data: bytes) -> int | None:
    """Return where the text stops being UTF-8; checked in parts, so that no second copy of all of it is made."""
    if data.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _PART):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start : start + _PART], final=start + _PART >= len(data))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def _guessed(data: bytes, position: int, file: str) -> Note:
    line = data.count(b"\n", 0, position) + 1
    return Note(
        "warning",
        f"The text is not UTF-8 (first on line {line}); it was read as Windows-1252, so accents may look wrong. "
        "Save the file as UTF-8 if they do.",
        file,
    )
