"""What nanochat's ``base_train`` prints."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import STEP
from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import NUMBER, Grammar, TextLog
from scaling_core.runs.settings import Scalar

_TRAIN = re.compile(
    rf"^step (?P<step>\d+)(?:/\d+)? \([^)]*\) \| loss: (?P<train_loss>{NUMBER}) \|"
    rf"(?:.*?\bdt: (?P<step_ms>{NUMBER})ms \|)?(?:.*?\btotal time: (?P<minutes>{NUMBER})m)?"
)
_EVAL = re.compile(rf"^Step (?P<step>\d+) \| Validation bpb: (?P<val_bpb>{NUMBER})")
_CORE = re.compile(rf"^Step (?P<step>\d+) \| CORE metric: (?P<core_metric>{NUMBER})")
_CLASSES = ("wte", "bigram_embeds", "value_embeds", "lm_head", "transformer_matrices", "scalars", "total")
_SHAPE = ("sequence_len", "vocab_size", "n_layer", "n_head", "n_kv_head", "n_embd")
_FLOPS = "flops_per_token"


class NanochatReader(PrintedLogReader):
    """Reads what nanochat prints: validation in bits per byte, a smoothed training loss in nats, C as it counts it."""

    tool = "nanochat"
    example = "step 00010/01000 (1.00%) | loss: …"
    marks = (_TRAIN, _EVAL)
    grammar = Grammar(
        rows=(_TRAIN, _EVAL, _CORE),
        settings={
            "params": re.compile(rf"^Number of parameters: ({NUMBER})"),
            **{f"params_{name}": re.compile(rf"^{name}\s*: ({NUMBER})") for name in _CLASSES},
            **{name: re.compile(rf'^\s*"{name}": ({NUMBER})') for name in _SHAPE},
            _FLOPS: re.compile(rf"^Estimated FLOPs per token: ({NUMBER})"),
            "tokens_per_step": re.compile(rf"^Total batch size ({NUMBER})"),
        },
        begins=re.compile(r"^(?:step|Step) \d+(?:/| \|)"),
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say what the losses are."""
        return ["The training loss is nanochat's smoothed one; the validation loss is bits per byte."]

    def finish(self, rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
        """Count C as nanochat does, and take the time in seconds."""
        if "minutes" in rows:
            rows = rows.assign(seconds=rows["minutes"] * 60).drop(columns="minutes")
        tokens, per_token = settings.get("tokens_per_step"), settings.pop(_FLOPS, None)
        if isinstance(tokens, float) and isinstance(per_token, float):
            flops = rows[STEP] * tokens * per_token
            rows = rows.assign(flops=flops.where(flops > 0))
        if "params_transformer_matrices" in settings:
            settings["params_non_embedding"] = settings["params_transformer_matrices"]
        return rows
