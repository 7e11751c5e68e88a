"""What nanochat's ``base_train`` prints."""

from __future__ import annotations

import re

import pandas as pd

from scaling_core.runs.logs import LINE, STEP
from scaling_core.runs.readers.printed import PrintedLogReader
from scaling_core.runs.readers.text_log import TextLog
from scaling_core.runs.readers.wording import NUMBER, Grammar
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
#: What autoresearch, which trains as nanochat does, sums up at the end of a run.
_SUMMARY = ("val_bpb", "training_seconds", "total_seconds", "peak_vram_mb", "mfu_percent", "total_tokens_M",
            "num_steps", "num_params_M", "depth")  # fmt: skip


class NanochatReader(PrintedLogReader):
    """Reads what nanochat prints: validation in bits per byte, a smoothed training loss in nats, C as it counts it."""

    tool = "nanochat"
    example = "step 00010/01000 (1.00%) | loss: …"
    marks = (_TRAIN, _EVAL)
    wording = Grammar(
        rows=(_TRAIN, _EVAL, _CORE),
        stated={
            "params": re.compile(rf"^Number of parameters: ({NUMBER})"),
            **{f"params_{name}": re.compile(rf"^{name}\s*: ({NUMBER})") for name in _CLASSES},
            **{name: re.compile(rf'^\s*"{name}": ({NUMBER})') for name in _SHAPE},
            _FLOPS: re.compile(rf"^Estimated FLOPs per token: ({NUMBER})"),
            "tokens_per_step": re.compile(rf"^Total batch size ({NUMBER})"),
        },
        begins=re.compile(r"^(?:step|Step) \d+(?:/| \(| \|)"),
        closes={name: re.compile(rf"^{name}:\s+({NUMBER})") for name in _SUMMARY},
    )

    def remarks(self, log: TextLog) -> list[str]:
        """Say what the losses are."""
        texts = ["The training loss is nanochat's smoothed one; the validation loss is bits per byte."]
        if any("total_tokens_M" in settings and "tokens_per_step" not in settings for settings, _ in log.parts):
            texts.append("N and D are as the summary prints them, in millions; D on the way is its share by steps.")
        return texts

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
        return _summed_up(rows, settings)


def _summed_up(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
    """Add the row of the end of a run that sums itself up, and spread its tokens over the steps."""
    loss, steps = settings.pop("val_bpb", None), settings.pop("num_steps", None)
    millions = settings.pop("total_tokens_M", None)
    end = float(steps) if isinstance(steps, float) else float(rows[STEP].max()) + 1
    if isinstance(loss, float):
        last = pd.DataFrame({STEP: [end], "val_bpb": [loss], LINE: rows[LINE].iloc[-1:].tolist()})
        rows = pd.concat([rows, last], ignore_index=True)
    if isinstance(millions, float) and "tokens_per_step" not in settings:
        tokens = rows[STEP] / end * millions * 1e6
        rows = rows.assign(tokens=tokens.where(tokens > 0))
    return rows
