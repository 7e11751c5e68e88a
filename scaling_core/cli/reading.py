"""A line on the terminal that says how far a long reading is."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from scaling_core.runs.progress import Progress, Reading

#: A reading shorter than this, in seconds, says nothing.
_SHORT_S = 0.5
_EVERY_S = 0.1


@contextmanager
def told(stream: TextIO | None = None) -> Iterator[None]:
    """Show how far what is read inside is, on the error stream, where that is a terminal; the line goes afterwards."""
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield
        return
    line = _Line(stream)
    try:
        with Reading(line.show).open():
            yield
    finally:
        line.clear()


class _Line:
    """One line, written over and over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._due, self._length = stream, time.monotonic() + _SHORT_S, 0

    def show(self, progress: Progress) -> None:
        """Write how far it is, unless that was done a moment ago."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY_S
        text = progress.text()[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r{text.ljust(self._length)}")
        self._stream.flush()
        self._length = len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._length:
            self._stream.write(f"\r{' ' * self._length}\r")
            self._stream.flush()
