"""What Megatron-LM and GPT-NeoX print."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
from scaling_core.runs.settings import Scalar

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
_BEGINS = re.compile(r"\biteration\s+\d+/\s*\d+ \|")
_BILLIONS = "params_billions"


class MegatronReader(PrintedLogReader):
    """Reads what Megatron-LM and GPT-NeoX print: D counts the samples consumed where the log says how long each is."""

    tool = "Megatron"
    example = "iteration 100/ 5000 | … | lm loss: …"
    marks = (_BEGINS, _EVAL)
    score = 0.92
    wording = Grammar(
        rows=(_TRAIN, _EVAL),
        stated={
            "params": re.compile(rf"\btotal params:\s*({NUMBER})"),
            _BILLIONS: re.compile(rf"\bTotal number of parameters in billions:\s*({NUMBER})"),
            **{
                name: re.compile(rf"\b{name} \.+ ({NUMBER})")
                for name in ("seq_length", "global_batch_size", "train_batch_size")
            },
        },
        begins=_BEGINS,
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say how N is printed."""
        rounded = any(_BILLIONS in settings and "params" not in settings for settings, _ in log.parts)
        return ["N is printed rounded, in billions."] if rounded else []

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Count tokens by the samples consumed."""
        billions, sequence = settings.pop(_BILLIONS, None), settings.get("seq_length")
        if isinstance(billions, float):
            settings.setdefault("params", billions * 1e9)
        if "consumed_tokens" in rows:
            return rows.rename(columns={"consumed_tokens": "tokens"})
        # The batch may have grown on the way, which samples consumed tell and a batch size does not.
        if "consumed_samples" in rows and isinstance(sequence, float):
            return rows.assign(tokens=rows["consumed_samples"] * sequence)
        return rows
