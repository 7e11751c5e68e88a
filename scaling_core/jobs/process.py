"""Who is running: a process known for certain, and a lock that ends with its holder."""

from __future__ import annotations

import os
import platform
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import psutil

from scaling_core.errors import UserError
from scaling_core.training.folder import Status

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Process:
    """A process: pids come back, so the machine, its start and the process's start go with it.

    Attributes
    ----------
    host, boot_id : str
    pid : int
    started : float
        On Linux seconds from the machine's start, which setting its clock does not move.
    """

    host: str
    boot_id: str
    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this pid on this machine now."""
        return cls(socket.gethostname(), boot_id(), pid, _started(pid) or 0.0)

    @classmethod
    def of_self(cls) -> Process:
        """This process."""
        return cls.of(os.getpid())

    @classmethod
    def of_status(cls, status: Status) -> Process:
        """The process that wrote a status."""
        return cls(status.host, status.boot_id, status.pid, status.pid_started)

    @classmethod
    def read(cls, text: str) -> Process | None:
        """Read ``str(process)`` back, or None where it is no such text."""
        parts = text.split("|")
        try:
            return cls(parts[0], parts[1], int(parts[2]), float(parts[3]))
        except (IndexError, ValueError):
            return None

    def __str__(self) -> str:
        return f"{self.host}|{self.boot_id}|{self.pid}|{self.started:.2f}"

    @property
    def alive(self) -> bool | None:
        """Whether it still runs; None where it belongs to another machine and nobody here can say."""
        if self.host != socket.gethostname():
            return None
        started = _started(self.pid) if self.boot_id == boot_id() else None
        return started is not None and abs(started - self.started) < 0.02

    def signal(self, number: signal.Signals, *, group: bool = False) -> bool:
        """Send it, or its whole group, a signal; False where it is gone."""
        if not self.alive:
            return False
        with suppress(ProcessLookupError, PermissionError):
            if group and os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
            return True
        return False


@cache
def boot_id() -> str:
    """What this start of the machine is called; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.system() + format(uuid.getnode(), "x")


def _started(pid: int) -> float | None:
    """When a process started, in seconds; None where there is none, or only what is left of one (a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


@contextmanager
def held(path: Path, patience_s: float = 0.0) -> Iterator[IO[bytes] | None]:
    """Hold a lock (flock) for a while; None instead where another process holds it.

    The lock ends with its holder, however that ended, so it is never stale.

    Parameters
    ----------
    path : Path
        The lock's file, made where it is not there.
    patience_s : float
        Seconds to go on asking.

    Raises
    ------
    UserError
        On a system that has no such locks.
    """
    if fcntl is None:
        raise UserError("Training jobs need Linux, macOS or Windows' Linux subsystem (WSL).")
    deadline = time.monotonic() + patience_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= deadline:
                    yield None
                    return
                time.sleep(0.05)
            else:
                break
        yield file


def is_held(path: Path) -> bool:
    """Whether some process holds a lock."""
    if not path.exists():
        return False
    with held(path) as file:
        return file is None
