"""LevelDB's log framing as W&B writes it: blocks of 32 KiB with checked pieces, after a header of seven bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from scaling_core.runs.progress import tracked

_BLOCK = 32 * 2**10
_USUAL_PIECE = 512
_PIECE = struct.Struct("<IHB")
HEADER = b":W&B"
HEADER_BYTES = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_TYPE_CHECKSUM = {kind: zlib.crc32(bytes((kind,))) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)}


@dataclass
class Damage:
    """What was wrong with a file: blocks with a piece that fails its checksum, and whether its end is missing."""

    blocks: set[int] = field(default_factory=set)
    is_cut: bool = False


def records(data: bytes, damage: Damage) -> Iterator[bytes]:
    """Yield the sound records of a file; after a damaged piece, reading goes on with the next block."""
    parts: list[bytes] = []
    begun = False
    # A piece is a small part of a block, so that their number is only a guess of how far it is.
    for kind, payload in tracked(_pieces(data, damage), len(data) // _USUAL_PIECE):
        if kind in (_FULL, _FIRST):
            parts, begun = [payload], True
        elif begun and kind in (_MIDDLE, _LAST):
            parts.append(payload)
        else:  # its beginning was lost, or a piece in between
            begun = False
        if begun and kind in (_FULL, _LAST):
            yield b"".join(parts)
            begun = False
    # A record whose end is missing is one that was being written.
    damage.is_cut |= begun


def _pieces(data: bytes, damage: Damage) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each sound piece; type 0 stands for one that was lost."""
    at, size = HEADER_BYTES, len(data)
    while at < size:
        left = _BLOCK - at % _BLOCK
        if left < _PIECE.size:  # the rest of a block, too small for a piece, is filled up
            at += left
            continue
        if at + _PIECE.size > size:
            damage.is_cut = True
            return
        checksum, length, kind = _PIECE.unpack_from(data, at)
        if kind == 0 and length == 0 and checksum == 0:  # a block that was set aside and never written
            at += left
            continue
        start = at + _PIECE.size
        payload = data[start : start + length]
        if length <= left - _PIECE.size and start + length > size:
            damage.is_cut = True
            return
        if length > left - _PIECE.size or kind not in _TYPE_CHECKSUM or _is_wrong(checksum, kind, payload):
            damage.blocks.add(at // _BLOCK)
            yield 0, b""
            at += left
            continue
        yield kind, payload
        at = start + length


def _is_wrong(checksum: int, kind: int, payload: bytes) -> bool:
    return zlib.crc32(payload, _TYPE_CHECKSUM[kind]) != checksum
