"""Bytes in memory as a file that Arrow reads, which says how far it is read and can be stopped."""

from __future__ import annotations

import pyarrow as pa

from scaling_core.runs.progress import Part, current


def as_file(data: bytes | pa.Buffer) -> pa.NativeFile:
    """Return the bytes as a file: one that reports to the reading under way, if there is one."""
    under_way = current()
    return pa.BufferReader(data) if under_way is None else pa.PythonFile(_Told(data, under_way), mode="r")


class _Told:
    """A file that Arrow reads from threads of its own, block after block."""

    closed = False

    def __init__(self, data: bytes | pa.Buffer, part: Part) -> None:
        self._data, self._part, self._at = memoryview(data), part, 0

    def read(self, count: int = -1) -> memoryview:
        """Return the next bytes, without a copy.

        Raises
        ------
        StoppedError
            If the reading was asked to stop.
        """
        end = len(self._data) if count < 0 else min(self._at + count, len(self._data))
        block, self._at = self._data[self._at : end], end
        self._part.tick(end / max(len(self._data), 1))
        return block

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place: counted from the beginning, from here, or from the end."""
        self._at = (0, self._at, len(self._data))[whence] + place
        return self._at

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def size(self) -> int:
        """Return how many bytes there are."""
        return len(self._data)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any place."""
        return True

    def writable(self) -> bool:
        """Say that it cannot be written to."""
        return False

    def close(self) -> None:
        """Do nothing: the bytes belong to whoever gave them."""
