"""Logs of modded-nanogpt: the source code of the script, then lines like ``step:125/3375 val_loss:4.85 …``."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.text_log import NUMBER, Grammar, mentions, parse, to_logs
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_TIME = rf"train_time:(?P<train_time>{NUMBER})(?:ms|s)\b"
_STEP = r"^step:(?P<step>\d+)(?:/(?P<steps>\d+))?,? "
_EVAL = re.compile(rf"{_STEP}.*?\bval_loss:(?P<val_loss>{NUMBER}) {_TIME}")
_TRAIN = re.compile(rf"{_STEP}(?:train_loss:(?P<train_loss>{NUMBER}) )?{_TIME}")
_GRAMMAR = Grammar(
    rows=(_EVAL, _TRAIN),
    settings={"params": re.compile(rf"^(?:number of )?parameters: ({NUMBER})([KMB])?", re.IGNORECASE)},
    begins=re.compile(r"^step:\d+"),
)
_ANY = re.compile(rf"^step:\d+(?:/\d+)?,? .*?(?:val_loss|train_loss|train_time):{NUMBER}", re.MULTILINE)
_SECONDS = re.compile(rb"train_time:[\d.]+s\b")


class ModdedNanoGptReader(LogReader):
    """Reads logs of modded-nanogpt."""

    name = "modded-nanogpt log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text with lines of steps; the source code above them may be long."""
        if not mentions(upload, _ANY):
            return UNLIKE
        return Likeness(0.9, "it has lines as modded-nanogpt prints them (“step:125/3375 val_loss:…”)")

    def logs(self, upload: Upload) -> Logs:
        """Read the runs.

        Raises
        ------
        UserError
            If no line has a step.
        """
        log = parse(upload, _GRAMMAR)
        unit = 1.0 if _SECONDS.search(upload.data) else 1e3
        note = Note("info", "The log states neither N nor tokens a step.", upload.name)
        known = all("params" in settings for settings, _ in log.parts)

        def finish(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
            if "steps" in rows:
                settings["num_iterations"] = float(rows["steps"].max())
            # The clock begins anew after the first ten steps, and stands at nan until then.
            return rows.assign(seconds=rows["train_time"] / unit).drop(columns=["steps", "train_time"], errors="ignore")

        return to_logs(log, upload.name, finish, [] if known else [note])
