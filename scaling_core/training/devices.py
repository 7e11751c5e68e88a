"""Which device a run is trained on, and whether its network is compiled there."""

from __future__ import annotations

import torch
from torch import nn

from scaling_core.errors import UserError

#: Sizes of networks that one process may compile.
_MOST_SIZES = 64


def resolve(wanted: str, local_rank: int = 0) -> torch.device:
    """Return the device for a name; "auto" is the best there is, and the process's own GPU under torchrun.

    Raises
    ------
    UserError
        If there is no such device here.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise UserError(f"“{wanted}” is no device.", fix="Choose auto, cpu, cuda or cuda:1.") from None
    if wanted == "cuda" and torch.cuda.is_available():
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
    if not _is_here(device):
        raise UserError(f"There is no device “{wanted}” here.", fix="Choose the device “auto”.")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32 where the GPU has it
    return device


def _is_here(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def compiled(module: nn.Module, wanted: bool | None, device: torch.device) -> nn.Module:
    """Compile where it was asked for, or pays: on a GPU. On a processor the first step would take half a minute."""
    if not (device.type == "cuda" if wanted is None else wanted):
        return module
    from torch._dynamo import config  # takes seconds to load

    # A worker trains many sizes in turn; past the usual eight, torch would go on uncompiled without a word.
    config.recompile_limit = max(config.recompile_limit, _MOST_SIZES)
    return torch.compile(module, dynamic=False)  # type: ignore[return-value]
