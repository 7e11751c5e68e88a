"""``metrics.csv`` of litgpt's pretraining: as Lightning's, but steps count micro-batches and tokens one device's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.csv_log import CsvLogReader, Laid

_MARKS = frozenset({"iter", "iter_time", "total_tokens"})
_TRAIN = "train_loss"


class LitgptCsvReader(CsvLogReader):
    """Reads what litgpt logs with its CSV logger."""

    name = "litgpt CSV"
    why = "it has the columns “iter”, “iter_time” and “total_tokens” of litgpt"
    score = 0.9

    def fits(self, names: Sequence[str]) -> bool:
        """Whether the columns are litgpt's own."""
        return set(names) >= _MARKS

    def lay_out(self, raw: RawTable) -> Laid:
        """Count iterations as steps; complete ``total_tokens`` on rows of validation, which lack it."""
        frame = raw.frame.copy()
        column = {name: to_numbers(frame[name], raw.decimal).values for name in frame.columns}
        # The logger writes the iteration less one as the step, on rows of training and validation alike.
        steps = np.where(np.isnan(column["iter"]), column.get("step", np.nan) + 1, column["iter"])
        with np.errstate(all="ignore"):
            rate = np.nanmedian(column["total_tokens"] / column["iter"])
        frame["total_tokens"] = np.where(np.isnan(column["total_tokens"]), rate * steps, column["total_tokens"])
        rename = {"tokens": "", "iter": "", "step": ""} | ({"loss": _TRAIN} if _TRAIN not in frame else {})
        remarks = ["Steps are iterations, of which several may make one optimizer step."]
        remarks += ["“tokens” counts one device's; “total_tokens” was used."] * ("tokens" in column)
        return Laid(replace(raw, frame=frame), pd.Series(steps), rename, tuple(remarks))
