"""What this machine does at best, and what a run takes of it: peak FLOP/s, memory, energy."""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

from scaling_core.training.folder import write_whole
from scaling_core.workspace import home

_SECONDS = 0.6
#: Share of its cores from which on a measurement is kept, and the least that a rate is reckoned up from.
_UNDISTURBED, _LEAST_SHARE = 0.9, 0.2


def peak_flops(device: torch.device, precision: str) -> float | None:
    """FLOP/s that matrix products reach here in that precision; measured once, then read from the home folder.

    None for a device or a precision that is not measured. MFU against it is higher than against a data sheet. Where
    other work took part of the processor meanwhile, the rate is reckoned up to what the process alone would reach,
    and measured again by the next run.
    """
    if device.type not in ("cpu", "cuda"):
        return None
    path = home() / "peak.json"
    key = " · ".join((_name(device), f"{torch.get_num_threads()} threads", f"torch {torch.__version__}"))
    known = _known(path)
    if key not in known:
        known[key], share = _measured(device)
        with suppress(OSError):  # measured again next time
            if share >= _UNDISTURBED:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, json.dumps(known, indent=1).encode(), durable=False)
    peaks = known[key]
    return peaks.get("tf32", peaks.get("fp32")) if precision == "fp32" else peaks.get(precision)


def _measured(device: torch.device) -> tuple[dict[str, float], float]:
    """FLOP/s by precision, and the share of its cores that this process had; a GPU is not asked for one."""
    from scaling_core.planning.hardware_measure import measure_this_machine  # brings what plans; once a machine

    on_gpu = device.type == "cuda"
    wall, used = time.perf_counter(), time.process_time()
    peaks = measure_this_machine(_SECONDS, gpu=on_gpu).peak_flops_per_s
    cores = (time.process_time() - used) / (time.perf_counter() - wall)
    share = 1.0 if on_gpu else min(1.0, cores / torch.get_num_threads())
    return {name: peak / max(share, _LEAST_SHARE) for name, peak in peaks.items()}, share


def begin_peak_memory(device: torch.device) -> None:
    """Forget the peak of what this process did before: a worker runs many jobs."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # Linux alone can forget it, "5" sets the peak to what is in use now
        Path("/proc/self/clear_refs").write_text("5")


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
    """Most memory that was in use since ``begin_peak_memory``: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
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
