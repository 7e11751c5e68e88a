"""What litgpt's pretraining prints."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from scaling_core.runs.logs import STEP, Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.text_log import NUMBER, Grammar, mentions, parse, to_logs
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_TRAIN = re.compile(
    rf"\biter (?P<iter>\d+) step (?P<step>\d+) \| loss train: (?P<train_loss>{NUMBER}), val: \S+ \| "
    rf"iter time: (?P<step_ms>{NUMBER}) ms"
)
#: The step of this line is an iteration; it is put right once both kinds of lines are known.
_EVAL = re.compile(rf"^iter (?P<step>\d+): val loss (?P<val_loss>{NUMBER}), val time: (?P<val_ms>{NUMBER}) ms")
_SETTINGS = ("global_batch_size", "block_size", "max_seq_length", "max_tokens", "n_layer", "n_embd", "n_head")
_GRAMMAR = Grammar(
    rows=(_TRAIN, _EVAL),
    settings={
        "params": re.compile(rf"^Total parameters: ({NUMBER})"),
        **{name: re.compile(rf"\b{name}['\"]?[=:]\s?(\d+)") for name in _SETTINGS},
    },
    begins=re.compile(r"^(?:Epoch \d+ \| )?iter \d+"),
)


class LitgptReader(LogReader):
    """Reads what litgpt prints: ``Epoch 1 | iter 4 step 1 | loss train: …`` and ``iter 400: val loss …``."""

    name = "litgpt log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text with lines of training."""
        if not mentions(upload, _TRAIN) and not mentions(upload, re.compile(_EVAL.pattern, re.MULTILINE)):
            return UNLIKE
        return Likeness(0.9, "it has lines as litgpt prints them (“iter 4 step 1 | loss train: …”)")

    def logs(self, upload: Upload) -> Logs:
        """Read the runs; steps are optimizer steps.

        Raises
        ------
        UserError
            If no line has a step.
        """
        return to_logs(parse(upload, _GRAMMAR), upload.name, _finish, _iteration_notes(upload))


def _iteration_notes(upload: Upload) -> list[Note]:
    text = "Steps are optimizer steps: iterations of validation were divided by the iterations that make one."
    return [Note("info", text, upload.name)] if b"): val loss" in upload.data or b": val loss" in upload.data else []


def _finish(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
    if "iter" not in rows:
        return rows
    training = rows["iter"].notna().to_numpy()
    ratio = float(
        np.nanmedian(rows["iter"].to_numpy(dtype=float)[training] / rows[STEP].to_numpy(dtype=float)[training])
    )
    steps = np.where(training, rows[STEP], np.round(rows[STEP] / max(ratio, 1.0)))
    return rows.assign(**{STEP: steps}).drop(columns=["iter", "val_ms"], errors="ignore")
