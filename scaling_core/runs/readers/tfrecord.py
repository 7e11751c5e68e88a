"""TFRecord framing: length (u64), its checksum, payload, its checksum; checksums are masked CRC-32C."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import google_crc32c

from scaling_core.runs.progress import tick

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
_EVERY = 4_096
#: Share of the reading of an event file that taking it apart is.
_FRAMING = 0.2


@dataclass(frozen=True)
class Frames:
    """The sound payloads of a file, and what was wrong with it.

    Attributes
    ----------
    payloads : tuple of bytes
    place : tuple of int
        Of each payload, its number in the file, from 1.
    damaged : tuple of int
        Numbers of records whose content fails its checksum; they are skipped.
    broken_at : int or None
        Byte at which the file stops making sense, as where it is cut; what comes after is not read.
    """

    payloads: tuple[bytes, ...]
    place: tuple[int, ...]
    damaged: tuple[int, ...]
    broken_at: int | None


def frames(data: bytes) -> Frames:
    """Take a file apart into the payloads of its records."""
    payloads: list[bytes] = []
    place: list[int] = []
    damaged: list[int] = []
    at, number, size = 0, 0, len(data)
    checksum, header, tail = google_crc32c.value, _HEADER.unpack_from, _CHECKSUM.unpack_from
    sound: set[tuple[int, int]] = set()  # lengths repeat, and so do their checksums
    while at + HEADER_BYTES <= size:
        length, check = given = header(data, at)
        start = at + HEADER_BYTES
        end = start + length
        if end + _CHECKSUM.size > size or (given not in sound and _masked(checksum(data[at : at + 8])) != check):
            break
        sound.add(given)
        number += 1
        if number % _EVERY == 0:
            tick(_FRAMING * at / size)
        payload = data[start:end]
        raw = checksum(payload)
        if ((raw >> 15 | raw << 17) + 0xA282EAD8) & 0xFFFFFFFF == tail(data, end)[0]:
            payloads.append(payload)
            place.append(number)
        else:
            damaged.append(number)
        at = end + _CHECKSUM.size
    return Frames(tuple(payloads), tuple(place), tuple(damaged), at if at < size else None)


def begins_with_frame(head: bytes) -> bool:
    """Whether the first length has its right checksum."""
    if len(head) < HEADER_BYTES:
        return False
    _, check = _HEADER.unpack_from(head, 0)
    return bool(_masked(google_crc32c.value(head[:8])) == check)


def framed(payload: bytes) -> bytes:
    """Return a record that holds the payload."""
    length = struct.pack("<Q", len(payload))
    checks = [_CHECKSUM.pack(_masked(google_crc32c.value(part))) for part in (length, payload)]
    return length + checks[0] + payload + checks[1]


def _masked(checksum: int) -> int:
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
