"""What this machine has to run jobs on, told without torch."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from scaling_core.jobs.model import Limits


def cores() -> int:
    """Cores that this process may use: those of the machine, less by its affinity and by its container's quota."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(mine, _quota() or mine))


def local_slots(limits: Limits) -> int:
    """Jobs at once on this machine: as limited, else so many for each GPU, else one a core."""
    return limits.slots or len(gpus()) * limits.per_gpu or cores()


def _quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Whole cores of the container's quota (cgroup v2), or None where it has none."""
    try:
        most, period = path.read_text().split()
        return max(1, int(most) // int(period))
    except (OSError, ValueError):
        return None


@cache
def gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(part.strip() for part in visible.split(",") if part.strip() not in ("", "-1"))
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(found.stdout.split())
