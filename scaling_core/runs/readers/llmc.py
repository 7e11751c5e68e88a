"""What llm.c files in ``main.log``: ``s:250 tel:6.1234``, ``s:251 trl:6.1021 lr:0.000600 norm:0.31``."""

from __future__ import annotations

import re

from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar

_STEP = r"^s:(?P<step>\d+) "
_EVAL = re.compile(rf"{_STEP}tel:(?P<val_loss>{NUMBER})\s*$")
_TASK = re.compile(rf"{_STEP}eval:(?P<hellaswag>{NUMBER})\s*$")
_TRAIN = re.compile(rf"{_STEP}trl:(?P<train_loss>{NUMBER})(?: lr:(?P<lr>{NUMBER}))?(?: norm:(?P<grad_norm>{NUMBER}))?")


class LlmcReader(PrintedLogReader):
    """Reads the log that llm.c files beside its checkpoints; what it prints is read as any printed log."""

    tool = "llm.c"
    example = "s:250 tel:…"
    marks = (_EVAL, _TRAIN)
    wording = Grammar(rows=(_EVAL, _TASK, _TRAIN), stated={}, begins=re.compile(r"^s:\d+ (?:tel|eval|trl)"))

    def remarks(self, log: TextLog) -> list[str]:
        """Say what no line states."""
        return ["The log states neither N nor tokens a step."]
