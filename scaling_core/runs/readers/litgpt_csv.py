"""``metrics.csv`` of litgpt's pretraining: as Lightning's, but steps count micro-batches and tokens one device's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.csv_log import as_logs, header, read_rows
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_MARKS = frozenset({"iter", "iter_time", "total_tokens"})
_TRAIN = "train_loss"


class LitgptCsvReader(LogReader):
    """Reads what litgpt logs with its CSV logger."""

    name = "litgpt CSV"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a table with litgpt's own columns."""
        if not set(header(upload)) >= _MARKS:
            return UNLIKE
        score = 0.9 + extension_bonus(upload.name, ".csv")
        return Likeness(score, "it has the columns “iter”, “iter_time” and “total_tokens” of litgpt")

    def logs(self, upload: Upload) -> Logs:
        """Read the run; ``total_tokens`` is completed on rows of validation, which lack it.

        Raises
        ------
        UserError
            If the file has no header or no row.
        """
        raw = read_rows(upload)
        frame = raw.frame.copy()
        column = {name: to_numbers(frame[name], raw.decimal).values for name in frame.columns}
        # The logger writes the iteration less one as the step, on rows of training and validation alike.
        steps = np.where(np.isnan(column["iter"]), column.get("step", np.nan) + 1, column["iter"])
        with np.errstate(all="ignore"):
            rate = np.nanmedian(column["total_tokens"] / column["iter"])
        frame["total_tokens"] = np.where(np.isnan(column["total_tokens"]), rate * steps, column["total_tokens"])
        notes = [Note("info", "Steps are iterations, of which several may make one optimizer step.", upload.name)]
        if "tokens" in column:
            text = "“tokens” counts one device's; “total_tokens” was used."
            notes.append(Note("info", text, upload.name))
        rename = {"tokens": "", "iter": "", "step": ""} | ({"loss": _TRAIN} if _TRAIN not in frame else {})
        complete = RawTable(frame, raw.line, raw.rejected, raw.format, raw.notes)
        return as_logs(complete, pd.Series(steps), rename, upload.name, notes)
