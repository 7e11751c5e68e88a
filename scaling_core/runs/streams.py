"""Compressed streams to bytes, never more than a limit: what is packed small can be huge."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import zstandard

from scaling_core.errors import UserError
from scaling_core.runs.progress import tick

#: How many times larger than the packed bytes the content may be; text of logs seldom passes 30.
MAX_RATIO = 400
#: Below this many bytes any ratio is harmless.
_HARMLESS = 32 * 2**20
_CHUNK = 2**20
#: Four bytes of zstd can stand for 128 KiB, so a step of so many bytes yields 16 MiB at most.
_ZSTD_FED = 512
#: Memory that a zstd stream may ask for, in bytes.
_WINDOW = 128 * 2**20


def gunzip(data: bytes, name: str, limit: int) -> tuple[bytes, bool]:
    """Return the content of a gzip file of any number of parts, and whether it is whole.

    Raises
    ------
    UserError
        If nothing of it can be read, or it is larger than ``limit``.
    """
    return _collect(_gunzip(data), len(data), name, limit, "gzip")


def unzstd(data: bytes, name: str, limit: int) -> tuple[bytes, bool]:
    """Return the content of a zstd file of any number of frames, and whether it is whole.

    Raises
    ------
    UserError
        As for ``gunzip``.
    """
    return _collect(_unzstd(data), len(data), name, limit, "zstd")


def zip_names(data: bytes) -> tuple[str, ...]:
    """Return the names inside a ZIP file; none if it cannot be read."""
    try:
        return tuple(zipfile.ZipFile(io.BytesIO(data)).namelist())
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError):
        return ()


def is_workbook(data: bytes) -> bool:
    """Whether this is an Excel workbook, which is a ZIP file too."""
    return data.startswith(b"PK\x03\x04") and (
        b"xl/workbook.xml" in data[-(2**20) :] and "xl/workbook.xml" in zip_names(data)
    )


def read_stream(stream: IO[bytes], packed: int, name: str, limit: int) -> bytes:
    """Read a stream of which ``packed`` bytes were given, to its end.

    Raises
    ------
    UserError
        If it holds more than ``limit`` bytes, or far more than ``packed``.
    """
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_CHUNK):
        tick(0.0)
        size += len(part)
        check_growth(size, packed, name, limit)
        parts.append(part)
    return b"".join(parts)


def whole_lines(data: bytes) -> bytes:
    """Take the last line of a text that was cut: what it holds may be half a number.

    What is no text, or has no line ends to go by, stays as it is.
    """
    end = data.rfind(b"\n") + 1
    return data if not end or b"\0" in data[:_CHUNK] else data[:end]


def check_growth(size: int, packed: int, name: str, limit: int) -> None:
    """Refuse content that grows past ``limit``, or past ``MAX_RATIO`` times its packed bytes.

    Raises
    ------
    UserError
        Then.
    """
    if size > limit:
        raise UserError(
            f"Unpacked it is larger than the limit of {limit / 2**20:,.0f} MiB.",
            where=name,
            fix="Give fewer files at once, or only the logs.",
        )
    if size > _HARMLESS and size > MAX_RATIO * packed:
        raise UserError(
            f"It unpacks to more than {MAX_RATIO} times its size, as no log of training does.",
            where=name,
            fix="Give the logs unpacked.",
        )


def _collect(parts: Iterator[bytes], packed: int, name: str, limit: int, kind: str) -> tuple[bytes, bool]:
    kept: list[bytes] = []
    size, whole = 0, True
    try:
        for part in parts:
            size += len(part)
            check_growth(size, packed, name, limit)
            kept.append(part)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        whole = False
        if not size:
            raise UserError(
                f"The {kind} file is broken or cut short ({error}).", where=name, fix="Copy or download it again."
            ) from None
    return b"".join(kept), whole


def _gunzip(data: bytes) -> Iterator[bytes]:
    rest: bytes | memoryview = memoryview(data)
    while len(rest) and not (rest[0] == 0 and not any(rest)):  # zeros after the end are padding
        inflate = zlib.decompressobj(31)
        pending: bytes | memoryview = rest
        while not inflate.eof:
            tick(1 - len(pending) / len(data))
            fed = pending[:_CHUNK]
            if not len(fed):
                raise EOFError("it ends too early")
            yield inflate.decompress(fed, _CHUNK)
            # What was fed and not yet unpacked comes back, so that no step unpacks more than a chunk.
            pending = pending[len(fed) - len(inflate.unconsumed_tail) :] if not inflate.eof else pending[len(fed) :]
        rest = memoryview(data)[len(data) - len(inflate.unused_data) - len(pending) :]


def _unzstd(data: bytes) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    position = 0
    while position < len(data):
        part = reader.decompressobj()
        unused = b""
        while not part.eof:
            if position % _CHUNK < _ZSTD_FED:
                tick(position / len(data))
            fed = data[position : position + _ZSTD_FED]
            if not fed:
                raise EOFError("it ends too early")
            yield part.decompress(fed)
            position += len(fed)
            unused = part.unused_data
        position -= len(unused)
