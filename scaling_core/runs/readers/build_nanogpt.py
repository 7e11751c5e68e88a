"""What build-nanogpt's ``train_gpt2.py`` prints, and its ``log.txt``."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
from scaling_core.runs.settings import Scalar

_FILE = {"val": "val_loss", "train": "train_loss", "hella": "hellaswag"}
_FILED = tuple(re.compile(rf"^(?P<step>\d+) {word} (?P<{name}>{NUMBER})\s*$") for word, name in _FILE.items())
_TRAIN = re.compile(
    rf"^step\s+(?P<step>\d+) ?\| ?loss: ?(?P<train_loss>{NUMBER})"
    rf"(?: ?\| ?lr:? (?P<lr>{NUMBER}))?(?: ?\| ?norm: ?(?P<grad_norm>{NUMBER}))?"
    rf"(?: ?\| ?(?:dt|time): ?(?P<step_ms>{NUMBER})ms)?"
)
#: Printed above the line of the step that it was measured before.
_MEASURED = {"validation loss": "val_loss", "HellaSwag accuracy": "hellaswag"}
_ABOVE = rf"^({'|'.join(_MEASURED)}): (?:\d+/\d+=)?({NUMBER})"
_SIZES = ("decayed", "not_decayed")
_FIRST = "validation loss at first"


class BuildNanoGptReader(PrintedLogReader):
    """Reads what build-nanogpt prints and files: N from its two groups of parameters, D from its batch of tokens."""

    tool = "build-nanogpt"
    example = "step 0 | loss: …, or 250 val …"
    marks = (re.compile(rf"^\d+ (?:val|train|hella) {NUMBER}\s*$"), re.compile(rf"^step\s+\d+ ?\| ?loss: ?{NUMBER}"))
    wording = Grammar(
        rows=(*_FILED, _TRAIN),
        stated={
            "tokens_per_iter": re.compile(rf"total desired batch size: ({NUMBER})"),
            _SIZES[0]: re.compile(rf"num decayed parameter tensors: \d+, with ({NUMBER}) parameters"),
            _SIZES[1]: re.compile(rf"num non-decayed parameter tensors: \d+, with ({NUMBER}) parameters"),
            _FIRST: re.compile(rf"^validation loss: ({NUMBER})"),
        },
        begins=re.compile(r"^step\s+\d+ ?\|"),
        metric=re.compile(_ABOVE),
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say what no line states."""
        known = all(_SIZES[0] in settings for settings, _ in log.parts)
        return [] if known else ["The log states neither N nor tokens a step: what was printed beside it may."]

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Count N, and give a printed validation to the step that it was measured before."""
        sizes = [settings.pop(name, None) for name in _SIZES]
        if all(isinstance(size, float) for size in sizes):
            settings["params"] = float(sum(size for size in sizes if isinstance(size, float)))
        rows = _given_to_the_step_below(rows)
        first = settings.pop(_FIRST, None)
        if isinstance(first, float):
            rows.loc[rows.index[0], "val_loss"] = first
        return rows


def _given_to_the_step_below(rows: pd.DataFrame) -> pd.DataFrame:
    """Move what was read below a step's line to the next step, if there is one: it was printed above that one's."""
    names = [name for name in _MEASURED if name in rows]
    for name in names:
        moved = rows[[name]].shift(1)
        rows = rows.assign(**{_MEASURED[name]: moved[name]})
    return rows.drop(columns=names)
