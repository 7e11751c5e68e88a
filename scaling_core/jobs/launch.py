"""Processes of our own that outlive who starts them: one supervisor a workspace, and workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import scaling_core
from scaling_core.errors import UserError
from scaling_core.jobs.process import Process, is_held

_LOCK = "supervisor.lock"


def ensure_supervisor(home: Path) -> bool:
    """Start the workspace's supervisor where none runs; it goes on when this process ends.

    Call it after every change that gives it work: after ``add_ladder``, ``retry``, and ``want``.

    Returns
    -------
    bool
        Whether one was started.

    Raises
    ------
    UserError
        If the workspace cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        if is_held(lock_path(home)):
            return False
        with (home / "supervisor.log").open("ab") as log:
            start_module("scaling_core.jobs.supervisor", [str(home.absolute())], stdout=log, stderr=log)
    except OSError as error:
        raise UserError(f"The supervisor cannot be started: {error.strerror or error}.", where=str(home)) from None
    return True


def supervisor_of(home: Path) -> Process | None:
    """The supervisor that runs for a workspace, or None."""
    if not is_held(lock_path(home)):
        return None
    return Process.read(lock_path(home).read_text())


def lock_path(home: Path) -> Path:
    """The file that the supervisor of a workspace holds locked, with what identifies it inside."""
    return home / _LOCK


def start_module(
    module: str,
    arguments: list[str],
    *,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    stdin: int = subprocess.DEVNULL,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a module of this library in a session of its own: no signal to us, or to our terminal, reaches it."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True, env={**environment(), **(variables or {})},
    )  # fmt: skip
    # Whoever ends first, nothing is left of it in the list of processes.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def environment() -> dict[str, str]:
    """This process's environment, in which the library is found wherever the process is started."""
    root = str(Path(scaling_core.__file__).parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
