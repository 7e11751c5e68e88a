"""``metrics.csv`` of PyTorch Lightning: a column a metric, with training and validation on rows of their own."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.csv_log import CsvLogReader, Laid, is_one_run

_STEPS = frozenset({"step", "epoch"})


class LightningReader(CsvLogReader):
    """Reads what Lightning's ``CSVLogger`` writes."""

    name = "Lightning CSV"
    why = "its columns “step” and “epoch” stand beside a loss and no name of a run"
    score = 0.75

    def fits(self, names: Sequence[str]) -> bool:
        """Whether one run has both ``step`` and ``epoch``."""
        return set(names) >= _STEPS and is_one_run(names)

    def lay_out(self, raw: RawTable) -> Laid:
        """Keep averages over an epoch (``train_loss_epoch``) and values of single steps (``train_loss_step``) apart."""
        steps = pd.Series(to_numbers(raw.frame["step"], raw.decimal).values)
        batch = [
            c for c in raw.frame.columns if c.endswith("_step") and f"{c.removesuffix('_step')}_epoch" in raw.frame
        ]
        text = f"Logged by step and averaged by epoch: {', '.join(batch)}. Both are kept."
        return Laid(raw, steps, remarks=(text,) if batch else ())
