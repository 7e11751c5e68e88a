"""What litgpt's pretraining prints."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from scaling_core.runs.logs import STEP
from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
from scaling_core.runs.settings import Scalar

_TRAIN = re.compile(
    rf"\biter (?P<iter>\d+) step (?P<step>\d+) \| loss train: (?P<train_loss>{NUMBER}), val: \S+ \| "
    rf"iter time: (?P<step_ms>{NUMBER}) ms"
)
#: The step of this line is an iteration; it is put right once both kinds of lines are known.
_EVAL = re.compile(rf"^iter (?P<step>\d+): val loss (?P<val_loss>{NUMBER}), val time: (?P<val_ms>{NUMBER}) ms")
_SETTINGS = ("global_batch_size", "block_size", "max_seq_length", "max_tokens", "n_layer", "n_embd", "n_head")


class LitgptReader(PrintedLogReader):
    """Reads what litgpt prints; steps are optimizer steps."""

    tool = "litgpt"
    example = "iter 4 step 1 | loss train: …"
    marks = (_TRAIN, _EVAL)
    wording = Grammar(
        rows=(_TRAIN, _EVAL),
        stated={
            "params": re.compile(rf"^Total parameters: ({NUMBER})"),
            **{name: re.compile(rf"\b{name}['\"]?[=:]\s?(\d+)") for name in _SETTINGS},
        },
        begins=re.compile(r"^(?:Epoch \d+ \| )?iter \d+"),
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say what steps are, where validation counts iterations."""
        text = "Steps are optimizer steps: iterations of validation were divided by the iterations that make one."
        return [text] if any("val_loss" in row for _, rows in log.parts for row in rows) else []

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Bring iterations of validation to optimizer steps."""
        if "iter" not in rows:
            return rows
        training = rows["iter"].notna().to_numpy()
        with np.errstate(all="ignore"):
            ratios = rows["iter"].to_numpy(dtype=float)[training] / rows[STEP].to_numpy(dtype=float)[training]
        ratio = float(np.nanmedian(ratios))
        steps = np.where(training, rows[STEP], np.round(rows[STEP] / max(ratio, 1.0)))
        return rows.assign(**{STEP: steps}).drop(columns=["iter", "val_ms"], errors="ignore")
