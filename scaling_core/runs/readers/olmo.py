"""What OLMo and OLMo-core print: a line with the step, then a line for each metric, training and evaluation alike."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import LINE, STEP
from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
from scaling_core.runs.settings import Scalar

#: Not ``[eval_step=3/16]`` and ``[eval=lm,step=3/16]``, which count batches of an evaluation.
_STEP = r"\[step={}(?:/(?:\d+|\?+))?(?:,[^\]]*)?\]"
_SETTINGS = ("d_model", "n_heads", "n_layers", "vocab_size", "max_sequence_length", "global_train_batch_size")
#: Metrics that are not of an evaluation; OLMo-core names those by the data set alone.
_TRAINING = re.compile(r"(?:train|throughput|system|optim|gpu_memory|checkpoint|eval)/", re.IGNORECASE)


class OlmoReader(PrintedLogReader):
    """Reads what OLMo and OLMo-core print; what an evaluation found belongs to the step before it."""

    tool = "OLMo"
    example = "[step=100/1000] … train/CrossEntropyLoss=…"
    marks = (re.compile(_STEP.format(r"\d+") + rf"\s*\n\s+\S.*={NUMBER}"),)
    score = 0.95
    wording = Grammar(
        rows=(re.compile(_STEP.format(r"(?P<step>\d+)")),),
        stated={
            "params": re.compile(rf"\bTotal number of parameters: ({NUMBER})"),
            "params_non_embedding": re.compile(rf"\bNumber of non-embedding parameters: ({NUMBER})"),
            **{name: re.compile(rf"^\s+{name}=(\d+),") for name in _SETTINGS},
        },
        begins=re.compile(r"\[step=\d+"),
        metric=re.compile(rf"^\s+(\S.*?)=({NUMBER})\s*$"),
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say what the printed precision is."""
        return ["Numbers are as printed: a loss has three or four decimals."]

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Mark metrics of an evaluation as such, those of tasks apart from losses of language modelling."""
        return rows.rename(columns={name: _name(str(name)) for name in rows.columns if name not in (STEP, LINE)})


def _name(name: str) -> str:
    if _TRAINING.match(name):
        return name
    return f"eval/downstream/{name}" if name.endswith(")") else f"eval/{name}"
