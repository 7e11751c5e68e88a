"""What this machine is and what it can do, for a person; told without torch.

``python -m scaling_core.jobs.host HOME`` measures its peaks in a process of its own and keeps them in the workspace.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from scaling_core.jobs.devices import cores
from scaling_core.jobs.space import size_of
from scaling_core.training.folder import write_whole

_FILE = "machine.json"
_QUERY = "index,name,memory.total,memory.used,utilization.gpu"
_MIB = 2**20


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver tells of it; bytes, and the share of time that it is busy."""

    index: str
    name: str
    memory: float
    used: float
    busy: float


@dataclass(frozen=True)
class Host:
    """This machine now.

    Attributes
    ----------
    name, processor, system : str
    cores, usable : int
        Logical cores, and those that this process may use.
    memory, memory_free : float
        Bytes, of the container where it has a limit.
    gpus : tuple of Gpu
    disk, disk_free : float
        Bytes of the disk that the workspace lies on.
    workspace : float
        Bytes that the workspace takes.
    """

    name: str
    processor: str
    system: str
    cores: int
    usable: int
    memory: float
    memory_free: float
    gpus: tuple[Gpu, ...]
    disk: float
    disk_free: float
    workspace: float


def host(home: Path) -> Host:
    """Look at this machine and at the workspace."""
    memory, free = _memory()
    there = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    disk = shutil.disk_usage(there)
    return Host(
        platform.node(), _processor(), f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        os.cpu_count() or 1, cores(), memory, free, _gpus(), disk.total, disk.free, size_of(home),
    )  # fmt: skip


def _processor(path: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory(group: Path = Path("/sys/fs/cgroup")) -> tuple[float, float]:
    """Bytes of memory, and those free: of the container where it may use less than the machine has."""
    machine = psutil.virtual_memory()
    try:
        limit = float((group / "memory.max").read_text())
        used = float((group / "memory.current").read_text())
    except (OSError, ValueError):  # no container, or "max": no limit
        return float(machine.total), float(machine.available)
    return min(limit, float(machine.total)), min(max(0.0, limit - used), float(machine.available))


def _gpus() -> tuple[Gpu, ...]:
    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return parse_gpus(found)
    except (OSError, subprocess.SubprocessError):
        return ()


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """GPUs from the driver's table; a number that it does not tell is NaN."""
    rows = [[part.strip() for part in line.split(",")] for line in text.splitlines() if line.count(",") == 4]
    return tuple(Gpu(i, n, _number(m) * _MIB, _number(u) * _MIB, _number(b) / 100) for i, n, m, u, b in rows)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@dataclass(frozen=True)
class Peaks:
    """FLOP/s that matrix products reach here by precision, how that was measured, and on which machine."""

    flops_per_s: Mapping[str, float]
    how: str
    machine: str


def measured_peaks(home: Path) -> Peaks | None:
    """What was measured on this machine before, or None."""
    try:
        peaks = Peaks(**json.loads((home / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return peaks if peaks.machine == _key() else None


def measure_peaks(home: Path) -> Peaks:
    """Measure, which loads torch and takes a few seconds, and keep what was found.

    Raises
    ------
    UserError
        If torch is not installed.
    """
    from scaling_core.planning.hardware_measure import measure_this_machine

    found = measure_this_machine(3.0)
    peaks = Peaks(dict(found.peak_flops_per_s), found.notes, _key())
    home.mkdir(parents=True, exist_ok=True)
    write_whole(home / _FILE, json.dumps(asdict(peaks), indent=1).encode())
    return peaks


def _key() -> str:
    return " · ".join((platform.node(), _processor(), *(gpu.name for gpu in _gpus())))


def main(arguments: Sequence[str]) -> None:
    """Measure and keep the peaks of this machine."""
    measure_peaks(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
