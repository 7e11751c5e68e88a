"""What this machine itself computes: one matrix product, timed. Nothing here is looked up."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

from scaling_core.errors import UserError
from scaling_core.planning.hardware import Hardware

NAME = "this machine"
#: Sides of the square matrices: large enough to keep the units busy, small enough for a second.
_SIDE_CPU, _SIDE_GPU = 1024, 8192
_FEWEST = 3
_BF16_UNITS = ("amx_bf16", "avx512_bf16", "avx10_1", "avx10_2", "bf16")


def measure_this_machine(seconds: float = 0.6, gpu: bool | None = None) -> Hardware:
    """Time matrix products with torch on the first GPU, or else on the processor, for about so many seconds.

    The rate is the best of several products of square matrices: what training can reach at most here, not what a
    data sheet promises. MFU against it is therefore higher than MFU against a data sheet.

    Parameters
    ----------
    seconds : float
    gpu : bool, optional
        Whether to time the GPU or the processor; None takes the GPU where there is one.

    Raises
    ------
    UserError
        If torch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise UserError(
            "This machine cannot be measured: torch is not installed.",
            fix="Choose an accelerator, or give one by hand.",
        ) from None
    gpu = torch.cuda.is_available() if gpu is None else gpu
    wanted = _gpu_formats(torch) if gpu else _cpu_formats(torch)
    side = _SIDE_GPU if gpu else _SIDE_CPU
    peaks = {name: _rate(torch, name, side, seconds / len(wanted), gpu) for name in wanted}
    return Hardware(
        NAME, peaks, memory_gb=_memory_gb(torch, gpu), verified="yes", source="measured", notes=_how(torch, gpu, side)
    )


def _rate(torch: Any, precision: str, side: int, seconds: float, gpu: bool) -> float:
    """FLOP/s of the quickest of at least three products; the first, which warms up, does not count."""
    dtype = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        a = torch.rand(side, side, device="cuda" if gpu else "cpu").to(dtype)
        return 2.0 * side**3 / _quickest(torch, a, seconds, gpu)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _quickest(torch: Any, a: Any, seconds: float, gpu: bool) -> float:
    taken: list[float] = []
    with torch.inference_mode():
        _once(torch, a, gpu)
        end = time.perf_counter() + seconds
        while len(taken) < _FEWEST or time.perf_counter() < end:
            taken.append(_once(torch, a, gpu))
    return min(taken)


def _once(torch: Any, a: Any, gpu: bool) -> float:
    start = time.perf_counter()
    a @ a
    if gpu:
        torch.cuda.synchronize()  # a product is only queued until then
    return max(time.perf_counter() - start, 1e-9)


def _gpu_formats(torch: Any) -> list[str]:
    modern = torch.cuda.get_device_capability()[0] >= 8  # Ampere brought TF32 and BF16
    return ["fp32", "tf32", "fp16", "bf16"] if modern else ["fp32", "fp16"]


def _cpu_formats(torch: Any) -> list[str]:
    """BF16 only where the processor has units for it: emulated, it runs tens of times slower than FP32."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    has_units = any(capabilities.get(unit) for unit in _BF16_UNITS)
    return ["fp32", "bf16"] if has_units else ["fp32"]


def _memory_gb(torch: Any, gpu: bool) -> float | None:
    if gpu:
        return float(torch.cuda.get_device_properties(0).total_memory) / 1e9
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) / 1e9
    except (AttributeError, OSError, ValueError):
        return None


def _how(torch: Any, gpu: bool, side: int) -> str:
    where = (
        torch.cuda.get_device_name(0) if gpu else f"{platform.machine()} processor, {torch.get_num_threads()} threads"
    )
    return f"Best of several products of {side} × {side} matrices, torch {torch.__version__}, on {where}."
