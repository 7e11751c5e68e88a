"""``metrics.csv`` of PyTorch Lightning: a column a metric, with training and validation on rows of their own."""

from __future__ import annotations

import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader, extension_bonus
from scaling_core.runs.readers.csv_log import as_logs, header, is_one_run, read_rows
from scaling_core.runs.schema import Note
from scaling_core.runs.upload import Upload

_STEPS = frozenset({"step", "epoch"})


class LightningReader(LogReader):
    """Reads what Lightning's ``CSVLogger`` writes."""

    name = "Lightning CSV"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a table of one run with both ``step`` and ``epoch``."""
        names = header(upload)
        if not set(names) >= _STEPS or not is_one_run(names):
            return UNLIKE
        score = 0.75 + extension_bonus(upload.name, ".csv")
        return Likeness(score, "its columns “step” and “epoch” stand beside a loss and no name of a run")

    def logs(self, upload: Upload) -> Logs:
        """Read the run.

        Averages over an epoch (``train_loss_epoch``) stand beside values of single steps (``train_loss_step``): the
        latter are of one batch each.

        Raises
        ------
        UserError
            If the file has no header or no row.
        """
        raw = read_rows(upload)
        steps = pd.Series(to_numbers(raw.frame["step"], raw.decimal).values)
        batch = [
            c for c in raw.frame.columns if c.endswith("_step") and f"{c.removesuffix('_step')}_epoch" in raw.frame
        ]
        text = f"Logged by step and averaged by epoch: {', '.join(batch)}. Both are kept."
        return as_logs(raw, steps, {}, upload.name, [Note("info", text, upload.name)] if batch else [])
