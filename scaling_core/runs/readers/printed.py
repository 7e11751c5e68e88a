"""What readers of printed logs share: a tool is its grammar, how it is recognised, and what follows from its lines."""

from __future__ import annotations

import re
from typing import ClassVar

import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.text_log import TextLog, mentions, parse, to_logs
from scaling_core.runs.readers.wording import Wording
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload


class PrintedLogReader(LogReader):
    """Reads what one tool prints.

    Attributes
    ----------
    tool, example : str
        The tool's name and a line of its logs, as shown to people.
    wording : Wording
    marks : tuple of re.Pattern
        A text with a line that fits any of them is of this tool; ``^`` stands for the beginning of a line.
    score : float
        How surely.
    """

    tool: ClassVar[str]
    example: ClassVar[str]
    wording: ClassVar[Wording]
    marks: ClassVar[tuple[re.Pattern[str], ...]]
    score: ClassVar[float] = 0.9

    @property
    def name(self) -> str:
        """The format's name, as shown to people."""
        return f"{self.tool} log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text that begins or ends with lines of the tool."""
        if not any(mentions(upload, re.compile(mark.pattern, mark.flags | re.MULTILINE)) for mark in self.marks):
            return UNLIKE
        return Likeness(self.score, f"it has lines as {self.tool} prints them (“{self.example}”)")

    def logs(self, upload: Upload) -> Logs:
        """Read the runs, as far as the file goes.

        Raises
        ------
        UserError
            If no line has a step.
        """
        log = parse(upload, self.wording)
        notes = [Note("info", text, upload.name) for text in self.remarks(log)]
        return to_logs(log, upload.name, self.finish, notes)

    def remarks(self, log: TextLog) -> list[str]:
        """Return what a person should know of the numbers read."""
        return []

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Return a run's rows as they shall be; what they say of the whole run is added to its settings."""
        return rows
