"""Logs of Keras' ``CSVLogger``: a row an epoch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.csv_log import CsvLogReader, Laid, is_one_run


class KerasReader(CsvLogReader):
    """Reads what Keras' ``CSVLogger`` writes, whichever separator it was given."""

    name = "Keras CSV"
    why = "its first column is “epoch”, beside a loss and no name of a run"
    score = 0.7
    extensions = (".csv", ".log")

    def fits(self, names: Sequence[str]) -> bool:
        """Whether the first column is ``epoch``, of one run without steps."""
        return names[0] == "epoch" and "loss" in names and "step" not in names and is_one_run(names)

    def lay_out(self, raw: RawTable) -> Laid:
        """Count epochs as steps: epoch 0 ends at step 1."""
        steps = pd.Series(to_numbers(raw.frame["epoch"], raw.decimal).values) + 1
        rename = {"loss": "train_loss"} if "train_loss" not in raw.frame else {}
        return Laid(raw, steps, rename, ("Steps are epochs; “loss” is that of training.",))
