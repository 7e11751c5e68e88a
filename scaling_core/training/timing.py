"""Timing the real training loop on this machine: a few short runs at once, as many as it will have slots.

The loop runs in processes of its own, ``python -m scaling_core.training.timing``; what it found is kept under the
workspace until the machine, torch or the number of slots change.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder, Wanted, write_whole
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models import family
from scaling_core.training.rungs import facts_of
from scaling_core.training.spec import DataSpec, TrainSpec
from scaling_core.training.speed import SUPPOSED, Speed, Timed, speed_of
from scaling_core.training.threads import ONE_THREAD

#: Sizes that are timed, seconds for each, and steps that do not count since buffers and caches fill.
_SIZES = ("16/2", "48/3", "96/5")
_SECONDS = 2.0
_WARM_UP = 8
_LEAST_STEPS = 24
_VALIDATION = 4096
_PATIENCE_S = 240.0
#: Seconds between the end of a run and the start of the next in a queue that looks a few times a second.
_HANDING_ON_S = 0.5


def speed_here(home: Path, slots: int, device: str = "auto") -> Speed:
    """The measured speed of this machine, or until it has been measured a supposed one that says so."""
    try:
        return Speed.from_json(_path(home, slots, device).read_text(encoding="utf-8"))
    except (OSError, UserError):
        return SUPPOSED


def measure_speed(home: Path, slots: int, device: str = "auto") -> Speed:
    """Time the loop in ``slots`` processes at once, keep what was found and return it; takes about 15 s.

    Raises
    ------
    UserError
        If the processes fail or the workspace cannot be written.
    """
    timed, starts, share = _timed(slots, device)
    note = f"Measured on this machine with {slots} run{'s' * (slots > 1)} at once ({device})."
    speed = replace(speed_of(timed, starts + _HANDING_ON_S, note), core_share=share)
    if speed.was_disturbed:
        more = f" Other work left each of them {100 * share:.0f}% of a core: alone they would be quicker."
        speed = replace(speed, note=note + more)
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_whole(_path(home, slots, device), speed.to_json().encode())
    except OSError as error:
        raise UserError(f"The speed cannot be kept: {error.strerror or error}.", where=str(home)) from None
    return speed


def _path(home: Path, slots: int, device: str) -> Path:
    """Where the speed of this machine is kept: by what it is, its torch, and how many runs share it."""
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = ""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    key = (platform.node(), platform.machine(), _processor(), os.cpu_count(), visible, torch, slots, device)
    return home / f"speed-{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}.json"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _timed(slots: int, device: str) -> tuple[list[Timed], float, float]:
    """Each size's seconds per token, the mean of all processes; the seconds around a run; the share of a core."""
    command = [sys.executable, "-m", "scaling_core.training.timing", "--device", device]
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": paths}
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(slots)
    ]
    try:
        answers = [json.loads(_answer(process)) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    sizes = zip(*(answer["timed"] for answer in answers), strict=True)
    timed = [Timed(same[0]["flops_per_token"], sum(t["seconds_per_token"] for t in same) / len(same)) for same in sizes]
    return timed, float(median(a["start_s"] for a in answers)), float(median(a["core_share"] for a in answers))


def _answer(process: subprocess.Popen[str]) -> str:
    try:
        out, err = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise UserError(f"This machine could not be timed within {_PATIENCE_S:.0f} s.") from None
    if process.returncode:
        last = err.strip().splitlines()[-1:] or ["no reason was given"]
        raise UserError(f"This machine could not be timed: {last[0]}")
    return out.splitlines()[-1]


class _Silent:
    """Stands for whoever watches a run: wants it to go on, and hears nothing."""

    def check(self) -> Wanted:
        """Always "run"."""
        return "run"

    def report(self, **progress: Any) -> None:
        """Nothing is done with it."""


def time_sizes(device: str, sizes: Sequence[str] = _SIZES) -> tuple[list[Timed], float]:
    """Run the loop at each size for about two seconds, in this process; the first run warms up and is not counted."""
    data = DataSpec(validation_tokens=_VALIDATION)
    facts = facts_of(LadderSpec("timing", tuple(sizes), (1e6,), data=data))
    models = LadderSpec("timing", tuple(sizes), (1e6,)).models
    timed, around = [], []
    for count, model in enumerate((models[0], *models)):
        flops = family(model.family).flops_per_token(model, facts.shape)
        batch = TrainSpec("t", 1).optimiser.batch_tokens
        steps = _LEAST_STEPS if not count else max(_LEAST_STEPS, round(_SECONDS / SUPPOSED.per_token(flops) / batch))
        spec = TrainSpec("timing", steps * batch, model, data, device=device, compile=False, log_every=4,
                         validate_every=steps)  # fmt: skip
        seconds, whole = _time(spec)
        if count:
            timed.append(Timed(flops, seconds))
            around.append(whole - seconds * steps * batch)
    return timed, max(0.0, median(around))


def _time(spec: TrainSpec) -> tuple[float, float]:
    """Seconds per token after the first steps, and of the whole run."""
    from scaling_core.training.loop import train  # loads torch

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / spec.name)
        run.create(spec.to_json())
        began = time.perf_counter()
        train(spec, run, _Silent())
        whole = time.perf_counter() - began
        rows = [row for row in run.metrics() if "seconds" in row and "loss" in row and row["step"] >= _WARM_UP]
    first, last = rows[0], rows[-1]
    return (last["seconds"] - first["seconds"]) / (last["tokens"] - first["tokens"]), whole


def _on_processor(device: str) -> bool:
    from scaling_core.training.devices import resolve  # loads torch

    return resolve(device).type == "cpu"


def main(arguments: Sequence[str] | None = None) -> None:
    """Time in this process and print JSON; or with ``--home`` measure the machine and keep it."""
    parser = argparse.ArgumentParser(prog="python -m scaling_core.training.timing")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--slots", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.home:
        print(measure_speed(options.home, options.slots, options.device).to_json())
        return
    wall, used = time.perf_counter(), time.process_time()
    timed, start_s = time_sizes(options.device)
    # A process that waits for its accelerator needs no core.
    share = (time.process_time() - used) / (time.perf_counter() - wall) if _on_processor(options.device) else 1.0
    print(json.dumps({"timed": [asdict(t) for t in timed], "start_s": start_s, "core_share": share}))


if __name__ == "__main__":
    main()
