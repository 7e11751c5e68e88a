"""What nanoGPT's ``train.py`` prints, and minGPT before it."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
from scaling_core.runs.settings import Scalar

_TRAIN = re.compile(rf"\biter (?P<step>\d+): loss (?P<train_loss>{NUMBER}), time (?P<step_ms>{NUMBER})ms\b")
_EVAL = re.compile(rf"\bstep (?P<step>\d+): train loss (?P<eval_train_loss>{NUMBER}), val loss (?P<val_loss>{NUMBER})")
#: minGPT's line.
_OLDER = re.compile(rf"\biter_dt (?P<step_ms>{NUMBER})ms; iter (?P<step>\d+): train loss (?P<train_loss>{NUMBER})")
_OVERRIDE = ("n_layer", "n_head", "n_embd", "block_size", "batch_size", "gradient_accumulation_steps", "vocab_size")


class NanoGptReader(PrintedLogReader):
    """Reads what nanoGPT prints; the loss is that of validation, beside the training loss of single batches."""

    tool = "nanoGPT"
    example = "iter 100: loss …, time …ms"
    marks = (_TRAIN, _EVAL, _OLDER)
    wording = Grammar(
        rows=(_TRAIN, _EVAL, _OLDER),
        stated={
            "params": re.compile(rf"number of parameters: ({NUMBER})([KMB])?"),
            "tokens_per_iter": re.compile(rf"tokens per iteration will be: ({NUMBER})"),
            **{name: re.compile(rf"Overriding: {name} = (\d+)") for name in _OVERRIDE},
        },
        begins=re.compile(r"^(?:iter|step) \d+"),
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say how N is printed."""
        stated = any("params" in settings for settings, _ in log.parts)
        return ["N is printed rounded, in millions, and without the table of positions."] if stated else []

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Leave out the batch size, which is that of one device, where the exact tokens a step are printed."""
        if "tokens_per_iter" in settings:
            settings.pop("batch_size", None)
        return rows
