"""What nanoGPT's ``train.py`` prints."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.text_log import NUMBER, Grammar, mentions, parse, to_logs
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_TRAIN = re.compile(rf"\biter (?P<step>\d+): loss (?P<train_loss>{NUMBER}), time (?P<step_ms>{NUMBER})ms\b")
_EVAL = re.compile(rf"\bstep (?P<step>\d+): train loss (?P<eval_train_loss>{NUMBER}), val loss (?P<val_loss>{NUMBER})")
_OVERRIDE = ("n_layer", "n_head", "n_embd", "block_size", "batch_size", "gradient_accumulation_steps", "vocab_size")
_GRAMMAR = Grammar(
    rows=(_TRAIN, _EVAL),
    settings={
        "params": re.compile(rf"number of parameters: ({NUMBER})([KMB])?"),
        "tokens_per_iter": re.compile(rf"tokens per iteration will be: ({NUMBER})"),
        **{name: re.compile(rf"Overriding: {name} = (\d+)") for name in _OVERRIDE},
    },
    begins=re.compile(r"^(?:iter|step) \d+"),
)


class NanoGptReader(LogReader):
    """Reads what nanoGPT prints: ``iter 100: loss 2.1, time …`` and ``step 250: train loss …, val loss …``."""

    name = "nanoGPT log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text with lines of either kind."""
        if not mentions(upload, _TRAIN) and not mentions(upload, _EVAL):
            return UNLIKE
        return Likeness(0.9, "it has lines as nanoGPT prints them (“iter 100: loss …, time …ms”)")

    def logs(self, upload: Upload) -> Logs:
        """Read the runs; the loss is that of validation, beside the training loss of single batches.

        Raises
        ------
        UserError
            If no line has a step.
        """
        log = parse(upload, _GRAMMAR)
        notes = []
        if any("params" in settings for settings, _ in log.parts):
            text = "N is printed rounded, in millions, and without the table of positions."
            notes.append(Note("info", text, upload.name))
        return to_logs(log, upload.name, _finish, notes)


def _finish(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
    # A batch size is that of one device here; the printed tokens a step are exact.
    if "tokens_per_iter" in settings:
        settings.pop("batch_size", None)
    return rows
