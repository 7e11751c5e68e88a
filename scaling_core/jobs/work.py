"""Running the job of one run folder in this process: under its lock, with its output in its log, to its outcome."""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scaling_core.errors import UserError
from scaling_core.jobs.control import Control, Stop
from scaling_core.jobs.kinds import KINDS, kind_of
from scaling_core.jobs.process import held
from scaling_core.training.folder import RunFolder, State, Wanted
from scaling_core.training.threads import ONE_THREAD

_LEFT_AS: dict[Wanted, State] = {"pause": "paused", "cancel": "cancelled"}


@dataclass(frozen=True)
class Outcome:
    """How a folder was left: "busy" where another process has it."""

    state: str
    message: str = ""


def one_thread() -> None:
    """Let the libraries that this process will load use one thread, unless the environment says another number."""
    for name, count in ONE_THREAD.items():
        os.environ.setdefault(name, count)


def said(outcome: Outcome) -> str:
    """An outcome as a person reads it."""
    return f"{outcome.state} ({outcome.message})" if outcome.message else outcome.state


def run_folder(path: Path, stop: Stop) -> Outcome:
    """Run the job of one folder in this process, from its last checkpoint where there is one.

    Returns
    -------
    Outcome
        "done", "failed", "paused", "cancelled" or "interrupted" as in its status, or "busy". It comes from what
        happened and not from the folder, so that a full disk does not hide it.
    """
    folder = RunFolder(path.absolute())
    try:
        with held(folder.path / "lock") as lock:
            return _run_alone(folder, stop) if lock else Outcome("busy", "another process has this run")
    except FileNotFoundError:
        return Outcome("failed", f"there is no run folder {path}")
    except OSError as error:
        return Outcome(*_state_of(error))


def run_here(path: str) -> tuple[str, str]:
    """Run one folder in a process that a cluster started for it; returns the outcome's state and message."""
    one_thread()
    stop = Stop()
    stop.listen()
    outcome = run_folder(Path(path), stop)
    return outcome.state, outcome.message


def _run_alone(folder: RunFolder, stop: Stop) -> Outcome:
    if folder.result is not None:
        return Outcome("done", "was done before")
    control = Control(folder, stop)
    control.start()
    with _output_to(folder.log):
        outcome = _run_kind(folder, control, stop)
        _log(said(outcome))
        with suppress(OSError):  # the disk is full; the outcome is still answered
            control.end(outcome.state, outcome.message)  # type: ignore[arg-type]
    return outcome


def _run_kind(folder: RunFolder, control: Control, stop: Stop) -> Outcome:
    _log(f"taken up by process {os.getpid()} on {os.uname().nodename}")
    try:
        kind = kind_of(folder)
        if kind not in KINDS:
            raise UserError(f"There is no kind “{kind}”.", fix=f"Known: {', '.join(KINDS)}.")
        if folder.wanted == "run":
            KINDS[kind].load()(folder, control)
        else:
            control.check()
    except UserError as error:
        return Outcome("failed", error.line())
    except Exception as error:
        traceback.print_exc()
        return Outcome(*_state_of(error))
    if folder.result is not None:
        return Outcome("done")
    if control.answered == "run":
        return Outcome("failed", "it ended without a result")
    if stop.asked and folder.wanted == "run":
        return Outcome("interrupted", "was asked to stop by a signal")
    return Outcome(_LEFT_AS[control.answered])


def _state_of(error: Exception) -> tuple[State, str]:
    """A full disk is no fault of the run: it goes on once there is space."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "interrupted", f"the disk is full ({error.strerror})"
    return "failed", f"out of memory ({text})" if isinstance(error, MemoryError) or "out of memory" in text else text


def _log(text: str) -> None:
    with suppress(OSError):
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Append what this process and the libraries in it print to a file."""
    with suppress(OSError):
        sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        for number, handle in enumerate(kept, start=1):
            os.dup2(handle, number)
            os.close(handle)
        os.close(log)
