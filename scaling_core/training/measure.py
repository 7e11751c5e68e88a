"""What this machine does at best, and what a run takes of it: peak FLOP/s, memory, energy."""

from __future__ import annotations

import json
import platform
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from scaling_core.planning.hardware_measure import measure_this_machine
from scaling_core.runs.store import home
from scaling_core.training.folder import write_whole

_SECONDS = 0.6


def peak_flops(device: torch.device, precision: str) -> float | None:
    """FLOP/s that matrix products reach here in that precision; measured once, then read from the home folder.

    None for a device or a precision that is not measured. MFU against it is higher than against a data sheet.
    """
    if device.type not in ("cpu", "cuda"):
        return None
    path = home() / "peak.json"
    key = " · ".join((_name(device), f"{torch.get_num_threads()} threads", f"torch {torch.__version__}"))
    known = _known(path)
    if key not in known:
        known[key] = dict(measure_this_machine(_SECONDS).peak_flops_per_s)
        with suppress(OSError):  # measured again next time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(known, indent=1).encode(), durable=False)
    peaks = known[key]
    return peaks.get("tf32", peaks.get("fp32")) if precision == "fp32" else peaks.get(precision)


def memory_bytes(device: torch.device) -> int:
    """Memory in use now: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return peak_memory_bytes(device)
    return pages * resource.getpagesize()


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory that was in use: of the GPU, or of this process since it began."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)  # kilobytes but on macOS


def power_watts(device: torch.device) -> float | None:
    """What the GPU draws now, as NVML says; None where it cannot be asked."""
    if device.type != "cuda":
        return None
    try:
        return float(torch.cuda.power_draw(device)) / 1000.0  # milliwatts
    except Exception:  # NVML's binding is not installed, or the GPU does not tell: no figure, no failure
        return None


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.node()} {platform.machine()}"


def _known(path: Path) -> dict[str, dict[str, float]]:
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
