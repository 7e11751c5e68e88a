"""Jobs in processes of this machine: one a core with one thread each, or a few on each GPU."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count, islice
from pathlib import Path

from scaling_core.errors import UserError
from scaling_core.jobs.devices import gpus, local_slots
from scaling_core.jobs.executors.base import Seen
from scaling_core.jobs.launch import start_module
from scaling_core.jobs.model import Limits
from scaling_core.jobs.process import Process
from scaling_core.training.folder import RunFolder
from scaling_core.training.threads import ONE_THREAD

#: Seconds after which a worker without work is let go; it holds a few hundred MB once it has loaded torch.
_IDLE_S = 30.0


@dataclass
class _Worker:
    """A worker process: its slots, the folder it has, what it said, and since when it has none."""

    process: subprocess.Popen[bytes]
    ref: str
    slots: tuple[int, ...]
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
        return local_slots(self.limits)

    def takes(self, folder: Path) -> int:
        """A slot for each process of the run."""
        return _processes(folder)

    def submit(self, folder: Path) -> str:
        """Hand a folder to a worker without work, or to a new one."""
        self._ended.pop(folder, None)
        wide = self.takes(folder)
        for attempt in (1, 2):
            worker = self._idle(wide) or self._start(wide)
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

    def _idle(self, wide: int) -> _Worker | None:
        """A worker without work that has as many slots as a run takes."""
        self._hear()
        most = max(wide, self.slots)
        free = (w for w in self._workers if w.folder is None and len(w.slots) == wide and max(w.slots) < most)
        return next((w for w in free if w.process.poll() is None), None)

    def _start(self, wide: int) -> _Worker:
        for idle in [w for w in self._workers if w.folder is None]:
            self._drop(idle)  # its slots are wanted, by a run of another width
        slots, devices = self._free(wide), gpus()
        variables = {"CUDA_VISIBLE_DEVICES": ",".join(devices[n % len(devices)] for n in slots)} if devices else {}
        with (self._home / "workers.log").open("ab") as log:
            process = start_module(
                "scaling_core.worker", ["--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                variables=ONE_THREAD | variables,
            )  # fmt: skip
        os.set_blocking(_handle(process.stdout), False)
        worker = _Worker(process, str(Process.of(process.pid)), slots)
        self._workers.append(worker)
        return worker

    def _free(self, wide: int) -> tuple[int, ...]:
        """Slots that no worker has, each on a GPU of its own where there are any.

        Raises
        ------
        UserError
            If there are fewer GPUs than processes.
        """
        taken, devices = {n for w in self._workers for n in w.slots}, gpus()
        free = (n for n in count() if n not in taken)
        if not devices:
            return tuple(islice(free, wide))
        if wide > len(devices):
            raise UserError(f"The run asks for {wide} processes, each on its own GPU, and there are {len(devices)}.",
                            fix="Ask for fewer processes.")  # fmt: skip
        chosen: dict[int, int] = {}
        while len(chosen) < wide:
            slot = next(free)
            chosen.setdefault(slot % len(devices), slot)
        return tuple(chosen.values())

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


@lru_cache(maxsize=1024)
def _processes(folder: Path) -> int:
    """Processes that a run is to have; 1 for what is no training. A specification is written once."""
    try:
        processes = json.loads(RunFolder(folder).spec_json).get("processes", 1)
    except (OSError, ValueError, AttributeError):
        return 1
    return max(1, processes) if isinstance(processes, int) else 1


def _how(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code}"
    try:
        return f"its process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was killed by signal {-code}"
