"""ZIP archives without their end: the list of contents stands there, but every member also has a header of its own.

The layout is that of PKWARE's APPNOTE, sections 4.3.7 (local header), 4.3.9 (data descriptor) and 4.5.3 (ZIP64).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

_HEADER = struct.Struct("<4s5H3I2H")
_MEMBER, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_ENCRYPTED, _SIZE_FOLLOWS, _UTF8 = 1, 8, 2048
_STORED, _DEFLATED = 0, 8
_IN_ZIP64 = 0xFFFFFFFF
_CHUNK = 2**20


@dataclass(frozen=True)
class CutMember:
    """A member that begins in a cut archive.

    Attributes
    ----------
    name : str
    start, end : int
        Where its packed content lies; ``end`` is that of the archive where the member is cut.
    is_whole : bool
    why_not : str
        Why it cannot be opened, in words that go after "not opened:"; empty if it can.
    """

    data: bytes
    name: str
    start: int
    end: int
    method: int
    checksum: int | None
    is_whole: bool
    why_not: str

    @property
    def size(self) -> int:
        """How many packed bytes of it there are."""
        return self.end - self.start

    def open(self) -> IO[bytes]:
        """Return its content as a stream, as far as it goes; a whole member that is damaged raises BadZipFile."""
        return cast("IO[bytes]", _Content(self))


def cut_members(data: bytes) -> Iterator[CutMember]:
    """Yield the files that begin in an archive, one header after another, up to what is no header."""
    at = 0
    while data.startswith(_MEMBER, at) and at + _HEADER.size <= len(data):
        _, _, flags, method, _, _, checksum, size, full, name_length, extra_length = _HEADER.unpack_from(data, at)
        start = at + _HEADER.size + name_length + extra_length
        if start > len(data):
            return
        place = at + _HEADER.size
        name = data[place : place + name_length].decode("utf-8" if flags & _UTF8 else "cp437", errors="replace")
        size = _from_zip64(data[place + name_length : start], full) if size == _IN_ZIP64 else size
        follows = bool(flags & _SIZE_FOLLOWS)
        found = _described(data, start) if follows else (start + size, start + size, checksum)
        end, at, checksum = found or (len(data), len(data), checksum)
        is_whole = found is not None and end <= len(data)
        if name and not name.endswith("/"):
            why_not = _why_not(flags, method, follows and found is None)
            yield CutMember(
                data, name, start, min(end, len(data)), method, checksum if is_whole else None, is_whole, why_not
            )


def _why_not(flags: int, method: int, is_endless: bool) -> str:
    if flags & _ENCRYPTED:
        return "they are protected by a password"
    if method not in (_STORED, _DEFLATED):
        return "they are compressed in a way that is not opened"
    # Of packed content the stream itself says where it ends; of any other nothing does.
    return "they are cut short" if is_endless and method == _STORED else ""


def _from_zip64(extra: bytes, full: int) -> int:
    """Read the packed size from the extra field of ZIP64; too large for any archive where it is not there."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        sizes = extra[at + 4 : at + 4 + length]
        if kind == 1:
            place = 8 if full == _IN_ZIP64 else 0
            return int.from_bytes(sizes[place : place + 8], "little") if len(sizes) >= place + 8 else _IN_ZIP64
        at += 4 + length
    return _IN_ZIP64


def _described(data: bytes, start: int) -> tuple[int, int, int] | None:
    """Find the descriptor after a member's content, as end of content, place after it, checksum; None if it is cut."""
    at = start
    while (at := data.find(_DESCRIPTOR, at)) >= 0:
        for width in (4, 8):  # of its two sizes; bytes that only look like a descriptor do not give the right one
            after = at + 8 + 2 * width
            if after <= len(data) and int.from_bytes(data[at + 8 : at + 8 + width], "little") == at - start:
                return at, after, int.from_bytes(data[at + 4 : at + 8], "little")
        at += 1
    return None


class _Content(io.RawIOBase):
    """The content of a member, unpacked as it is read; never more at a time than is asked for."""

    def __init__(self, member: CutMember) -> None:
        self._member, self._at, self._sum = member, member.start, 0
        self._inflate = zlib.decompressobj(-15) if member.method == _DEFLATED else None

    def read(self, count: int = _CHUNK) -> bytes:
        """Return some of what comes next; nothing at the end.

        Raises
        ------
        BadZipFile
            If the member should be whole and is not.
        """
        try:
            part = self._stored(count) if self._inflate is None else self._unpacked(count)
        except zlib.error as error:
            if self._member.is_whole:
                raise zipfile.BadZipFile(str(error)) from None
            return b""
        self._sum = zlib.crc32(part, self._sum)
        if not part and self._member.is_whole and self._sum != self._member.checksum:
            raise zipfile.BadZipFile("its checksum is wrong")
        return part

    def _stored(self, count: int) -> bytes:
        part = self._member.data[self._at : min(self._at + count, self._member.end)]
        self._at += len(part)
        return part

    def _unpacked(self, count: int) -> bytes:
        inflate = self._inflate
        assert inflate is not None
        while not inflate.eof:
            fed = inflate.unconsumed_tail
            if not fed:
                fed = self._member.data[self._at : min(self._at + _CHUNK, self._member.end)]
                self._at += len(fed)
            if not fed:
                return b""
            if part := inflate.decompress(fed, count):
                return part
        return b""
