"""What an executor is: four verbs (submit, poll, cancel, logs), and how many jobs it takes at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from scaling_core.errors import UserError
from scaling_core.jobs.model import Limits


@dataclass(frozen=True)
class Seen:
    """What an executor sees of a job.

    Attributes
    ----------
    state : {"waiting", "running", "ended", "unknown"}
        "waiting" for a place; "ended" says that no process of it is left, however it ended; "unknown" that it cannot
        tell, and the beats of the run decide.
    outcome, message : str
        How it ended, as its worker answered ("done", "failed", "paused", "cancelled", "interrupted", "busy"), or
        empty where the process died; and why.
    """

    state: Literal["waiting", "running", "ended", "unknown"]
    outcome: str = ""
    message: str = ""


class Executor(Protocol):
    """A place where jobs run. It starts processes on run folders and knows nothing of the queue."""

    limits: Limits

    @property
    def slots(self) -> int:
        """Jobs that it takes at once."""

    def takes(self, folder: Path) -> int:
        """Slots that the job of a run folder takes."""

    def submit(self, folder: Path) -> str:
        """Start the job of a run folder; returns what the executor calls it, which outlives this process.

        Raises
        ------
        UserError
            If it cannot be started.
        """

    def poll(self, ref: str, folder: Path) -> Seen:
        """What has become of it; of one that an earlier executor of this kind started too."""

    def cancel(self, ref: str, folder: Path) -> None:
        """End its process, now, without asking it: the run has been asked before and did not follow."""

    def logs(self, ref: str, folder: Path) -> str:
        """What was printed on its behalf outside of the run folder's own log."""

    def wait(self, seconds: float) -> None:
        """Return after so long, or as soon as something has happened."""

    def close(self) -> None:
        """Let go; jobs that run go on where they can."""


#: Name -> module and class. One is imported when the first job asks for it.
EXECUTORS: dict[str, tuple[str, str]] = {
    "local": ("scaling_core.jobs.executors.local", "LocalExecutor"),
    "ray": ("scaling_core.jobs.executors.ray_cluster", "RayExecutor"),
    "slurm": ("scaling_core.jobs.executors.slurm", "SlurmExecutor"),
}


def make_executor(name: str, home: Path, limits: Limits, options: Mapping[str, Any]) -> Executor:
    """Make the executor of a name.

    Parameters
    ----------
    name : str
    home : Path
        The workspace.
    limits : Limits
    options : mapping
        Keyword arguments of its class (partition, address ...).

    Raises
    ------
    UserError
        If a package that it needs is not installed, or it cannot be reached, or has no such option.
    """
    module, kind = EXECUTORS[name]
    make = getattr(importlib.import_module(module), kind)
    try:
        made: Executor = make(home, limits, **options)
    except TypeError as error:
        raise UserError(f"The options of the executor “{name}” are wrong ({error}).") from None
    return made


def needed_package(name: str, what: str) -> Any:
    """Import a package that only this executor needs.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        fix = "Install it: pip install -r requirements-cluster.txt"
        raise UserError(f"{what} needs the package “{name}”, which is not installed.", fix=fix) from None
