"""Utilisation as others measured it: of many sizes on 8 to 512 accelerators, of FP8 against BF16, and of large runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from scaling_core.errors import UserError
from scaling_core.planning.tables import Row, number, read_table
from scaling_core.planning.values import Number, plain
from scaling_core.units import format_count

SOURCE = "MosaicML llm-foundry training benchmarks, sharded data parallel, 2,048 tokens of context, BF16"
_CONTEXT = 2048


@dataclass(frozen=True)
class MfuCurve:
    """Measured MFU of one model on growing numbers of one accelerator.

    Between measurements it is interpolated over ln n; outside it is held at the nearest one, and ``notes`` says so.
    """

    gpu: str
    model: str
    params: float
    n_gpus: tuple[int, ...]
    mfu: tuple[float, ...]
    source: str = SOURCE

    def at(self, n_gpus: Number) -> Number:
        """MFU on so many accelerators."""
        return plain(np.interp(np.log(np.asarray(n_gpus, dtype=float)), np.log(self.n_gpus), self.mfu))

    def notes(self, n_gpus: Number) -> tuple[str, ...]:
        """Where the numbers come from, and where they are no measurement."""
        asked = np.asarray(n_gpus, dtype=float)
        low, high = min(self.n_gpus), max(self.n_gpus)
        notes = [f"MFU as measured for a {self.model} model on {low} to {high} {self.gpu}, interpolated."]
        if np.any(asked > high):
            notes.append(f"Beyond {high} accelerators MFU is held at {self.mfu[-1]:.0%}: it is likely lower.")
        if np.any(asked < low):
            notes.append(f"Below {low} accelerators MFU is held at {self.mfu[0]:.0%}.")
        return tuple(notes)


@cache
def mfu_curves() -> tuple[MfuCurve, ...]:
    """Curves of all models and accelerators that were measured on two numbers or more."""
    rows = [r for r in read_table("utilisation") if r["precision"] == "bf16" and int(r["context_tokens"]) == _CONTEXT]
    keys = list(dict.fromkeys((r["gpu"], r["model"]) for r in rows))
    curves = [_curve([r for r in rows if (r["gpu"], r["model"]) == key]) for key in keys]
    return tuple(c for c in curves if len(c.n_gpus) > 1)


def mfu_curve(n_params: float, gpu: str = "H100 SXM 80GB") -> MfuCurve:
    """Return the curve of the model nearest in size.

    Raises
    ------
    UserError
        If nothing was measured on that accelerator.
    """
    curves = [c for c in mfu_curves() if c.gpu == gpu]
    if not curves:
        known = ", ".join(dict.fromkeys(c.gpu for c in mfu_curves()))
        raise UserError(f"No MFU by number was published for {gpu}.", fix=f"Give an MFU, or take one of: {known}.")
    return min(curves, key=lambda c: abs(math.log(c.params / n_params)))


@dataclass(frozen=True)
class MeasuredFp8:
    """FP8 against BF16 on the same model, context and machine: achieved FLOP/s over achieved FLOP/s."""

    model: str
    context_tokens: int
    speedup: float


@cache
def measured_fp8() -> tuple[MeasuredFp8, ...]:
    """Pairs of one model and context on 8 H100 that ran in both formats without recomputation."""
    rows = {(r["model"], r["context_tokens"], r["precision"]): r for r in read_table("utilisation") if _pairable(r)}
    pairs = [(key, rows[(*key[:2], "bf16")]) for key in rows if key[2] == "fp8" and (*key[:2], "bf16") in rows]
    return tuple(MeasuredFp8(key[0], int(key[1]), _achieved(rows[key]) / _achieved(base)) for key, base in pairs)


@dataclass(frozen=True)
class PublishedMfu:
    """Utilisation that a paper reports for one run; ``definition`` says what was counted."""

    run: str
    active_params: float | None
    accelerator: str
    utilisation: float
    definition: str
    source: str
    date: str
    confidence: str


@cache
def published_mfu() -> tuple[PublishedMfu, ...]:
    """Utilisations of large runs as reported."""
    return tuple(
        PublishedMfu(
            r["run"],
            number(r["active_params"]),
            r["accelerator"],
            float(r["utilisation"]),
            r["definition"],
            r["source"],
            r["date"],
            r["confidence"],
        )
        for r in read_table("mfu")
    )


def _curve(rows: list[Row]) -> MfuCurve:
    ordered = sorted(rows, key=lambda r: int(r["gpus"]))
    first = ordered[0]
    params = float(first["params"])
    counts = tuple(int(r["gpus"]) for r in ordered)
    return MfuCurve(first["gpu"], format_count(params, 2), params, counts, tuple(float(r["mfu"]) for r in ordered))


def _pairable(row: Row) -> bool:
    return row["gpu"] == "H100 SXM 80GB" and row["gpus"] == "8" and row["full_recompute"] == "no"


def _achieved(row: Row) -> float:
    return float(row["achieved_tflops_per_gpu"])
