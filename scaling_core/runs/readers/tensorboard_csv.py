"""CSV files that TensorBoard's page exports: one metric of one run, as ``run-small-tag-val_loss.csv``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from scaling_core.runs.logs import LINE, STEP, WALL_TIME, LoggedRun, Logs, is_known
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.csv_log import header
from scaling_core.runs.readers.delimited import DelimitedReader
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_COLUMNS = ("Wall time", "Step", "Value")
_NAMED = re.compile(r"(?:run-)?(?P<run>.+?)-tag-(?P<tag>.+)")


class TensorBoardCsvReader(LogReader):
    """Reads exported scalars; the files of one run are joined."""

    name = "TensorBoard CSV"
    joins_by_name = True

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept the three columns that the page writes."""
        if header(upload) != _COLUMNS:
            return UNLIKE
        return Likeness(0.9 + extension_bonus(upload.name, ".csv"), "its columns are Wall time, Step and Value")

    def logs(self, upload: Upload) -> Logs:
        """Read the metric; its name, and the run's, are those of the file.

        Raises
        ------
        UserError
            If the file has no row.
        """
        raw = DelimitedReader().read(upload)
        run, metric = _names(PurePosixPath(upload.name).stem)
        times, steps, values = (to_numbers(raw.frame[c], raw.decimal).values for c in _COLUMNS)
        rows = pd.DataFrame({STEP: steps, WALL_TIME: times, LINE: raw.line.astype(float), metric: values})
        rows = rows[np.isfinite(steps)].reset_index(drop=True)
        rejected = raw.rejected[["line", "reason", "content"]].itertuples(index=False, name=None)
        text = f"The file says what its values are by its name alone: “{metric}”."
        note = Note("info", text, upload.name)
        return Logs((LoggedRun(run, rows, file=upload.name),), (*raw.notes, note), tuple(map(tuple, rejected)))


def _names(stem: str) -> tuple[str, str]:
    """Return the run and the metric that a file's name gives; what is a loss's name names no run."""
    if found := _NAMED.fullmatch(stem):
        return found["run"], found["tag"]
    return ("", stem) if is_known(stem) else (stem, "value")
