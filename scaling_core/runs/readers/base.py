"""What a reader of one format offers."""

from __future__ import annotations

from pathlib import PurePath
from typing import Protocol

from scaling_core.runs.raw import RawTable
from scaling_core.runs.upload import Upload

#: What a fitting extension adds to a reader's score: enough to settle a tie, never to overrule the content.
EXTENSION_BONUS = 0.05


class Reader(Protocol):
    """Reads files of one format."""

    @property
    def name(self) -> str:
        """The format's name, as shown to people."""

    def matches(self, head: bytes, filename: str) -> float:
        """Say how surely a file is of this format, from 0 (it is not) to 1, by its first bytes."""

    def read(self, upload: Upload) -> RawTable:
        """Read the file; UserError if it is broken."""


def extension_bonus(filename: str, *extensions: str) -> float:
    """Return the bonus for a file name that ends in one of these extensions."""
    return EXTENSION_BONUS if PurePath(filename).suffix.lower() in extensions else 0.0
