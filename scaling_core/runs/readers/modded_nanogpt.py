"""Logs of modded-nanogpt: the source code of the script, then lines like ``step:125/3375 val_loss:4.85 …``."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
from scaling_core.runs.settings import Scalar

_TIME = rf"train_time:(?:(?P<train_ms>{NUMBER})ms|(?P<train_s>{NUMBER})s)\b"
_STEP = r"^step:(?P<step>\d+)(?:/(?P<steps>\d+))?,? "
_EVAL = re.compile(rf"{_STEP}.*?\bval_loss:(?P<val_loss>{NUMBER}) {_TIME}")
_TRAIN = re.compile(rf"{_STEP}(?:train_loss:(?P<train_loss>{NUMBER}) )?{_TIME}")


class ModdedNanoGptReader(PrintedLogReader):
    """Reads logs of modded-nanogpt; the source code above them may be long."""

    tool = "modded-nanogpt"
    example = "step:125/3375 val_loss:…"
    marks = (re.compile(rf"^step:\d+(?:/\d+)?,? .*?(?:val_loss|train_loss|train_time):{NUMBER}"),)
    wording = Grammar(
        rows=(_EVAL, _TRAIN),
        stated={"params": re.compile(rf"^(?:number of )?parameters: ({NUMBER})([KMB])?", re.IGNORECASE)},
        begins=re.compile(r"^step:\d+"),
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say what no line states."""
        known = all("params" in settings for settings, _ in log.parts)
        return [] if known else ["The log states neither N nor tokens a step."]

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Bring the time to seconds."""
        if "steps" in rows:
            settings["num_iterations"] = float(rows["steps"].max())
        # The clock begins anew after the first ten steps, and stands at nan until then.
        seconds = rows["train_ms"] / 1e3 if "train_ms" in rows else rows["train_s"]
        return rows.assign(seconds=seconds).drop(columns=["steps", "train_ms", "train_s"], errors="ignore")
