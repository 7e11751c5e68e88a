"""The lines of metrics of a run: they only ever grow, and no step is told twice after a resume."""

from __future__ import annotations

import errno
import json
from typing import Any

from scaling_core.training.folder import RunFolder


class MetricsLog:
    """Append lines to ``metrics.jsonl``; a line appears whole at once.

    A run that goes on from a checkpoint passes over steps that the file already has: it computes the same again.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._path = folder.path / "metrics.jsonl"
        self._seen = {(row.get("step"), "val_loss" in row) for row in folder.metrics()}
        self._mend()

    def _mend(self) -> None:
        """End a line that an earlier process was stopped in, so that the next one is whole."""
        if self._path.exists() and (data := self._path.read_bytes()) and not data.endswith(b"\n"):
            self._append("\n")

    def write(self, row: dict[str, Any]) -> None:
        """Append a line.

        Raises
        ------
        OSError
            If the disk is full.
        """
        key = (row["step"], "val_loss" in row)
        if key not in self._seen:
            self._seen.add(key)
            self._append(json.dumps(row, allow_nan=False) + "\n")

    def _append(self, text: str) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                full = "The disk is full; the last checkpoint is intact"
                raise OSError(errno.ENOSPC, full, str(self._path)) from error
            raise
