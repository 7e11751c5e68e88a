"""What Megatron-LM and GPT-NeoX print."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.text_log import NUMBER, Grammar, mentions, parse, to_logs
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_TRAIN = re.compile(
    rf"\biteration\s+(?P<step>\d+)/\s*\d+ \|"
    rf"(?:.*?\bconsumed samples:\s*(?P<consumed_samples>{NUMBER}) \|)?"
    rf"(?:.*?\bconsumed tokens:\s*(?P<consumed_tokens>{NUMBER}) \|)?"
    rf"(?:.*?\belapsed time per iteration \(ms\):\s*(?P<step_ms>{NUMBER}) \|)?"
    rf"(?:.*?\blm[ _]loss:\s*(?P<train_loss>{NUMBER}) \|)?"
)
#: Of the validation set alone: the same line is printed for the test set, with "on test set" in it.
_EVAL = re.compile(
    rf"\bvalidation (?:loss|results) at iteration (?P<step>\d+)(?: on validation set)?\s*\|"
    rf"\s*lm[ _]loss value:\s*(?P<val_loss>{NUMBER}) \|"
)
_BILLIONS = "params_billions"
_GRAMMAR = Grammar(
    rows=(_TRAIN, _EVAL),
    settings={
        "params": re.compile(rf"\btotal params:\s*({NUMBER})"),
        _BILLIONS: re.compile(rf"\bTotal number of parameters in billions:\s*({NUMBER})"),
        **{
            name: re.compile(rf"\b{name} \.+ ({NUMBER})")
            for name in ("seq_length", "global_batch_size", "train_batch_size")
        },
    },
    begins=re.compile(r"\biteration\s+\d+/\s*\d+ \|"),
)


class MegatronReader(LogReader):
    """Reads what Megatron-LM and GPT-NeoX print: ``iteration 100/ 5000 | … | lm loss: 2.1E+00 | …``."""

    name = "Megatron log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text with lines of either kind."""
        if not mentions(upload, _GRAMMAR.begins) and not mentions(upload, _EVAL):
            return UNLIKE
        return Likeness(0.92, "it has lines as Megatron prints them (“iteration 100/ 5000 | … | lm loss: …”)")

    def logs(self, upload: Upload) -> Logs:
        """Read the runs: D counts the samples consumed where the log says how long each is.

        Raises
        ------
        UserError
            If no line has a step.
        """
        log = parse(upload, _GRAMMAR)
        notes = []
        if any(_BILLIONS in settings and "params" not in settings for settings, _ in log.parts):
            notes.append(Note("info", "N is printed rounded, in billions.", upload.name))
        return to_logs(log, upload.name, _finish, notes)


def _finish(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
    billions, sequence = settings.pop(_BILLIONS, None), settings.get("seq_length")
    if isinstance(billions, float):
        settings.setdefault("params", billions * 1e9)
    if "consumed_tokens" in rows:
        return rows.rename(columns={"consumed_tokens": "tokens"})
    # The batch may have grown on the way, which samples consumed tell and a batch size does not.
    if "consumed_samples" in rows and isinstance(sequence, float):
        return rows.assign(tokens=rows["consumed_samples"] * sequence)
    return rows
