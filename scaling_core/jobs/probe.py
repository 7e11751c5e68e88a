"""A job that checks a slot: does a process start there, reckon, write, save and go on where it stopped?

It needs no torch, takes as long as it is told to, and is what a queue of many jobs is tried with.
"""

from __future__ import annotations

import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.jobs.control import Control
from scaling_core.training.folder import RunFolder, write_whole
from scaling_core.training.spec import read


@dataclass(frozen=True)
class ProbeSpec:
    """What a probe does.

    Attributes
    ----------
    steps : int
        Steps, each a matrix product and a line of metrics.
    pause_s : float
        Seconds to rest after a step.
    megabytes : int
        Written to the folder and taken away again at each step.
    fail : str
        Why it is to fail at its last step; empty lets it end well.
    """

    steps: int = 1
    pause_s: float = 0.0
    megabytes: int = 0
    fail: str = ""


def probe(folder: RunFolder, control: Control) -> None:
    """Run the probe of a folder, from the step after its last checkpoint."""
    spec = read(ProbeSpec, json.loads(folder.spec_json), folder.name)
    _drop_torn_line(folder.path / "metrics.jsonl")
    step, began = _saved(folder), time.perf_counter()
    written = 0.0
    while step < spec.steps:
        if control.check() != "run":
            return
        step += 1
        flops_per_second, written = _multiply(), _write(folder, spec.megabytes)
        if spec.fail and step == spec.steps:
            raise UserError(spec.fail)
        _note(folder, {"step": step, "flops_per_second": flops_per_second})
        write_whole(folder.checkpoints / "last.pt", str(step).encode(), durable=False)
        control.report(tokens=step, steps=step, device="cpu")
        if spec.pause_s:
            time.sleep(spec.pause_s)
    folder.finish({
        "run": folder.name, "role": "probe", "steps": step, "seconds": time.perf_counter() - began,
        "write_bytes_per_second": written, **_machine(),
    })  # fmt: skip


def _saved(folder: RunFolder) -> int:
    try:
        return int(folder.last.read_text())
    except FileNotFoundError:
        return 0


def _drop_torn_line(path: Path) -> None:
    """Take away half a line that a process left as it died, so that the next one stands alone."""
    with suppress(FileNotFoundError), path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def _multiply(side: int = 96) -> float:
    """FLOPs a second of a matrix product too small to matter."""
    a = np.ones((side, side), dtype=np.float32)
    began = time.perf_counter()
    _ = a @ a
    return 2.0 * side**3 / max(time.perf_counter() - began, 1e-9)


def _write(folder: RunFolder, megabytes: int) -> float:
    """Bytes a second to the disk; 0 where nothing is to be written."""
    if not megabytes:
        return 0.0
    path, began = folder.path / "ballast", time.perf_counter()
    try:
        write_whole(path, os.urandom(2**20) * megabytes)
    finally:
        path.unlink(missing_ok=True)
    return megabytes * 2**20 / (time.perf_counter() - began)


def _note(folder: RunFolder, row: dict[str, Any]) -> None:
    with (folder.path / "metrics.jsonl").open("ab") as file:
        file.write(json.dumps(row).encode() + b"\n")


def _machine() -> dict[str, Any]:
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    return {
        "host": platform.node(), "python": platform.python_version(), "torch": torch,
        "threads": os.environ.get("OMP_NUM_THREADS", ""), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    }  # fmt: skip
