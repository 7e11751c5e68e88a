"""In which number format a run computes: what the hardware has units for, and nothing that would crawl."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from scaling_core.errors import UserError
from scaling_core.training.spec import Precision

#: Names in ``torch.cpu.get_capabilities`` of units that multiply in bf16.
_BF16_UNITS = ("amx_bf16", "avx512_bf16", "avx10_1", "avx10_2", "bf16")
_AMPERE, _VOLTA = (8, 0), (7, 0)
#: Narrower decoders on a processor lose more to conversions than bf16 products win: 1.2 times as quick as fp32 at 64,
#: .96 at 32 (tokens per second of one AVX-512 core).
_WIDE = 64


@dataclass(frozen=True)
class Chosen:
    """The format of a run.

    Attributes
    ----------
    name : {"fp32", "bf16", "fp16"}
    dtype : torch.dtype
        Of matrix products; weights and the optimiser stay in fp32.
    scaled : bool
        Whether the loss must be scaled, so that small gradients do not vanish.
    """

    name: str
    dtype: torch.dtype
    scaled: bool = False

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Where forward passes are to run."""
        return nullcontext() if self.name == "fp32" else torch.autocast(device.type, dtype=self.dtype)


FP32 = Chosen("fp32", torch.float32)
BF16 = Chosen("bf16", torch.bfloat16)
FP16 = Chosen("fp16", torch.float16, scaled=True)


def capabilities(device: torch.device) -> Mapping[str, Any]:
    """What the hardware says of itself: the processor's units, or ``{"cuda": (major, minor)}``."""
    if device.type == "cuda":
        return {"cuda": torch.cuda.get_device_capability(device)}
    asked: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return asked


def choose(requested: Precision, device: torch.device, able: Mapping[str, Any] | None = None, width: int = 0) -> Chosen:
    """Return the format for a request: "auto" is bf16 where there are units for it and it pays, else fp32.

    Parameters
    ----------
    requested : {"auto", "fp32", "bf16", "fp16"}
    device : torch.device
    able : mapping, optional
        What ``capabilities`` says of the device.
    width : int
        Of a network whose small sizes are known to gain on a processor; 0 takes fp32 there.

    Raises
    ------
    UserError
        If the hardware would have to imitate the format, tens of times slower than fp32.
    """
    able = capabilities(device) if able is None else able
    if requested == "fp32":
        return FP32
    if requested == "auto":
        pays = device.type == "cuda" or width >= _WIDE
        return BF16 if pays and _has_bf16(able) else FP32
    return _bf16(device, able) if requested == "bf16" else _fp16(device, able)


def _has_bf16(able: Mapping[str, Any]) -> bool:
    return any(able.get(unit) for unit in _BF16_UNITS) or able.get("cuda", (0, 0)) >= _AMPERE


def _bf16(device: torch.device, able: Mapping[str, Any]) -> Chosen:
    if not _has_bf16(able):
        raise UserError(
            f"This device ({device}) has no units for bf16; imitating them is tens of times slower than fp32.",
            fix="Choose the precision “auto” or “fp32”.",
        )
    return BF16


def _fp16(device: torch.device, able: Mapping[str, Any]) -> Chosen:
    if able.get("cuda", (0, 0)) < _VOLTA:
        raise UserError(
            f"Training in fp16 needs a GPU of the Volta generation or later, not {device}.",
            fix="Choose the precision “auto” or “fp32”.",
        )
    return FP16
