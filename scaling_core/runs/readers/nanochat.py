"""What nanochat's ``base_train`` prints."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import STEP, Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.text_log import NUMBER, Grammar, mentions, parse, to_logs
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_TRAIN = re.compile(
    rf"^step (?P<step>\d+)(?:/\d+)? \([^)]*\) \| loss: (?P<train_loss>{NUMBER}) \|"
    rf"(?:.*?\bdt: (?P<step_ms>{NUMBER})ms \|)?(?:.*?\btotal time: (?P<minutes>{NUMBER})m)?"
)
_EVAL = re.compile(rf"^Step (?P<step>\d+) \| Validation bpb: (?P<val_bpb>{NUMBER})")
_CORE = re.compile(rf"^Step (?P<step>\d+) \| CORE metric: (?P<core_metric>{NUMBER})")
_CLASSES = ("wte", "bigram_embeds", "value_embeds", "lm_head", "transformer_matrices", "scalars", "total")
_SHAPE = ("sequence_len", "vocab_size", "n_layer", "n_head", "n_kv_head", "n_embd")
_FLOPS = "flops_per_token"
_GRAMMAR = Grammar(
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


class NanochatReader(LogReader):
    """Reads what nanochat prints: ``step 00010/01000 (1.00%) | loss: …`` and ``Step 00250 | Validation bpb: …``."""

    name = "nanochat log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text with lines of either kind."""
        if not any(mentions(upload, re.compile(p.pattern, re.MULTILINE)) for p in (_TRAIN, _EVAL)):
            return UNLIKE
        return Likeness(0.9, "it has lines as nanochat prints them (“step 00010/01000 (1.00%) | loss: …”)")

    def logs(self, upload: Upload) -> Logs:
        """Read the runs: validation in bits per byte, a smoothed training loss in nats, C as nanochat counts it.

        Raises
        ------
        UserError
            If no line has a step.
        """
        note = Note(
            "info", "The training loss is nanochat's smoothed one; the validation loss is bits per byte.", upload.name
        )
        return to_logs(parse(upload, _GRAMMAR), upload.name, _finish, [note])


def _finish(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
    if "minutes" in rows:
        rows = rows.assign(seconds=rows["minutes"] * 60).drop(columns="minutes")
    tokens, per_token = settings.get("tokens_per_step"), settings.pop(_FLOPS, None)
    if isinstance(tokens, float) and isinstance(per_token, float):
        flops = rows[STEP] * tokens * per_token
        rows = rows.assign(flops=flops.where(flops > 0))
    if "params_transformer_matrices" in settings:
        settings["params_non_embedding"] = settings["params_transformer_matrices"]
    return rows
