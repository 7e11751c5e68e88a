"""Jobs in processes of this machine: one a core with one thread each, or a few on each GPU."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from scaling_core.errors import UserError
from scaling_core.jobs.devices import cores, gpus
from scaling_core.jobs.executors.base import Seen
from scaling_core.jobs.launch import start_module
from scaling_core.jobs.model import Limits
from scaling_core.jobs.process import Process

#: Seconds after which a worker without work is let go; it holds a few hundred MB once it has loaded torch.
_IDLE_S = 30.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass
class _Worker:
    """A worker process: its slot, the folder it has, what it said, and since when it has none."""

    process: subprocess.Popen[bytes]
    ref: str
    slot: int
    folder: Path | None = None
    heard: bytes = b""
    since: float = field(default_factory=time.monotonic)


class LocalExecutor:
    """A pool of worker processes that are started when needed, used again, and outlive this one.

    A worker whose pool is gone finishes its run and leaves; a later pool knows it by its process.
    """

    def __init__(self, home: Path, limits: Limits) -> None:
        self.limits = limits
        self._home = home
        self._workers: list[_Worker] = []
        self._ended: dict[Path, Seen] = {}

    @property
    def slots(self) -> int:
        """Jobs at once: as limited, else a few for each GPU, else one a core."""
        return self.limits.slots or len(gpus()) * self.limits.per_gpu or cores()

    def submit(self, folder: Path) -> str:
        """Hand a folder to a worker without work, or to a new one."""
        self._ended.pop(folder, None)
        for attempt in (1, 2):
            worker = self._idle() or self._start()
            try:
                os.write(_handle(worker.process.stdin), f"{folder}\n".encode())
            except OSError:  # it died while it had nothing to do
                self._workers.remove(worker)
                if attempt == 2:
                    raise UserError("No worker process stays alive.", where=str(self._home / "workers.log")) from None
            else:
                worker.folder = folder
                break
        return worker.ref

    def poll(self, ref: str, folder: Path) -> Seen:
        """What has become of it."""
        self._hear()
        if folder in self._ended:
            return self._ended[folder]
        if any(w.ref == ref and w.folder == folder for w in self._workers):
            return Seen("running")
        process = Process.read(ref)
        alive = process.alive if process else False
        return Seen("unknown") if alive is None else Seen("running" if alive else "ended")

    def cancel(self, ref: str, folder: Path) -> None:
        """Kill the worker, and what it has started."""
        process = Process.read(ref)
        if process is not None and self.poll(ref, folder).state == "running":
            process.signal(signal.SIGKILL, group=True)

    def logs(self, ref: str, folder: Path) -> str:
        """The end of what workers printed before they had a run, or while they died."""
        try:
            return (self._home / "workers.log").read_bytes()[-4000:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    def wait(self, seconds: float) -> None:
        """Return after so long, or as soon as a worker answers or ends."""
        handles = [_handle(w.process.stdout) for w in self._workers]
        select.select(handles, [], [], seconds)

    def close(self) -> None:
        """Tell the workers that nothing more comes."""
        for worker in self._workers:
            self._let_go(worker)
        self._workers.clear()

    def _idle(self) -> _Worker | None:
        self._hear()
        free = (w for w in self._workers if w.folder is None and w.slot < self.slots and w.process.poll() is None)
        return next(free, None)

    def _start(self) -> _Worker:
        taken = {w.slot for w in self._workers}
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        devices = gpus()
        variables = {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if devices else {}
        with (self._home / "workers.log").open("ab") as log:
            process = start_module(
                "scaling_core.worker", ["--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                variables=_ONE_THREAD | variables,
            )  # fmt: skip
        os.set_blocking(_handle(process.stdout), False)
        worker = _Worker(process, str(Process.of(process.pid)), slot)
        self._workers.append(worker)
        return worker

    def _hear(self) -> None:
        """Take in what the workers answered, and let go of those that died or have had nothing to do for long."""
        for worker in list(self._workers):
            code = worker.process.poll()  # before reading: what it said last has been written then
            self._read(worker)
            if code is not None:
                if worker.folder is not None:
                    self._ended[worker.folder] = Seen("ended", message=_how(code))
                self._drop(worker)
            elif worker.folder is None and time.monotonic() - worker.since > _IDLE_S:
                self._drop(worker)

    def _read(self, worker: _Worker) -> None:
        try:
            while data := os.read(_handle(worker.process.stdout), 65536):
                worker.heard += data
        except BlockingIOError:
            pass
        *lines, worker.heard = worker.heard.split(b"\n")
        for line in lines:
            answer = json.loads(line)
            self._ended[Path(answer["folder"])] = Seen("ended", answer["state"], answer["message"])
            worker.folder, worker.since = None, time.monotonic()

    def _drop(self, worker: _Worker) -> None:
        self._let_go(worker)
        self._workers.remove(worker)

    def _let_go(self, worker: _Worker) -> None:
        for pipe in (worker.process.stdin, worker.process.stdout):
            if pipe is not None:
                pipe.close()


def _handle(pipe: object) -> int:
    handle: int = pipe.fileno()  # type: ignore[attr-defined]
    return handle


def _how(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code}"
    try:
        return f"its process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was killed by signal {-code}"
