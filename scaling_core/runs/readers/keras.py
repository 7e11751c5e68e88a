"""Logs of Keras' ``CSVLogger``: a row an epoch."""

from __future__ import annotations

import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.csv_log import as_logs, header, is_one_run, read_rows
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload


class KerasReader(LogReader):
    """Reads what Keras' ``CSVLogger`` writes, whichever separator it was given."""

    name = "Keras CSV"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a table of one run whose first column is ``epoch`` and that has no steps."""
        names = header(upload)
        if not names or names[0] != "epoch" or "loss" not in names or "step" in names or not is_one_run(names):
            return UNLIKE
        score = 0.7 + extension_bonus(upload.name, ".csv", ".log")
        return Likeness(score, "its first column is “epoch”, beside a loss and no name of a run")

    def logs(self, upload: Upload) -> Logs:
        """Read the run: epoch 0 ends at step 1, steps being epochs.

        Raises
        ------
        UserError
            If the file has no header or no row.
        """
        raw = read_rows(upload)
        steps = pd.Series(to_numbers(raw.frame["epoch"], raw.decimal).values) + 1
        rename = {"loss": "train_loss"} if "train_loss" not in raw.frame else {}
        note = Note("info", "Steps are epochs; “loss” is that of training.", upload.name)
        return as_logs(raw, steps, rename, upload.name, [note])
