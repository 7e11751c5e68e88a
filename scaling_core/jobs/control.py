"""What a run asks and tells while it goes on."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from dataclasses import fields, replace
from types import FrameType
from typing import Any

from scaling_core.jobs.process import Process
from scaling_core.training.folder import RunFolder, State, Status, Wanted

#: Seconds between two beats, and between two looks at what is wanted.
BEAT_S = 1.0
LOOK_S = 0.1
_TOLD = {field.name for field in fields(Status)} - {"state", "beat", "host", "boot_id", "pid", "pid_started"}


class Stop:
    """Whether a signal has asked this process to stop; one for all runs of the process."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """From now on SIGTERM, and SIGUSR2 of a SLURM site about to end the job, ask to stop at the next step."""
        for name in ("SIGTERM", "SIGUSR2"):
            if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
                signal.signal(getattr(signal, name), self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class Control:
    """One run's line to those who wait for it: its status goes out, what is wanted comes in.

    A thread renews the status about once a second, so that it beats through a long step too. Its count goes on from
    the status of an earlier attempt: a later beat is always of a later attempt. Where the disk is full a beat is left
    out; the run itself finds out when it writes.
    """

    def __init__(self, folder: RunFolder, stop: Stop) -> None:
        before, self_ = folder.status, Process.of_self()
        self._folder, self._stop = folder, stop
        self._status = Status(
            "starting", beat=before.beat if before else 0, host=self_.host, boot_id=self_.boot_id, pid=self_.pid,
            pid_started=self_.started, tokens=before.tokens if before else 0, steps=before.steps if before else 0,
            message="loads what it needs",
        )  # fmt: skip
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._looked, self._seen = 0.0, "run"
        self.answered: Wanted = "run"
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._write()
        self._thread.start()

    def check(self) -> Wanted:
        """What is wanted of the run now; asked at every step.

        "pause" and "cancel" want it to save a checkpoint and return. A signal to stop reads as "pause".
        """
        now = time.monotonic()
        if now - self._looked > LOOK_S:
            self._looked, self._seen = now, self._folder.wanted
        self.answered = "pause" if self._stop.asked and self._seen == "run" else self._seen  # type: ignore[assignment]
        return self.answered

    def report(self, **progress: Any) -> None:
        """Tell how far it is: ``tokens``, ``steps``, ``loss``, ``tokens_per_second``, ``device``, ``message``.

        The first report makes a run that was starting a running one.
        """
        with self._lock:
            first = self._status.state == "starting"
            values: dict[str, Any] = {"message": ""} if first else {}
            values |= {name: value for name, value in progress.items() if name in _TOLD}
            self._status = replace(self._status, state="running", **values)
        if first:
            self._write()

    def end(self, state: State, message: str = "") -> None:
        """Stop beating and leave the last status.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._status = replace(self._status, state=state, message=message)
        self._write(last=True)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._write()

    def _write(self, last: bool = False) -> None:
        with self._lock:
            self._status = replace(self._status, beat=self._status.beat + 1)
            if last:
                self._folder.report(self._status)
            else:
                with suppress(OSError):
                    self._folder.report(self._status)
