"""Jobs on a Ray cluster, one task a run: the engine when one machine is not enough."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import scaling_core
from scaling_core.errors import UserError
from scaling_core.jobs.devices import cores
from scaling_core.jobs.executors.base import Seen, needed_package
from scaling_core.jobs.executors.parcel import Parcel, pack, run_parcel, unpack
from scaling_core.jobs.model import Limits
from scaling_core.jobs.process import Process
from scaling_core.training.folder import RunFolder, Wanted


class RayExecutor:
    """Hands runs to a Ray cluster: the one at ``address`` or ``RAY_ADDRESS``, else one of this machine's own.

    Tasks end with the process that handed them over; the next supervisor finds them dead and starts them again from
    their checkpoints.

    Parameters
    ----------
    home, limits
    address : str
        Of the cluster ("ray://head:10001", "head:6379"); empty takes ``RAY_ADDRESS``.
    cpus, gpus : float
        What a job takes of the cluster; half a GPU is 0.5.
    shared : bool or None
        Whether the nodes see the run folders at the same path. None looks when a run starts there; where they do not,
        what the run needs is sent with it, and what it writes is sent back about once a second.
    """

    def __init__(
        self,
        home: Path,
        limits: Limits,
        *,
        address: str = "",
        cpus: float = 1.0,
        gpus: float = 0.0,
        shared: bool | None = None,
    ) -> None:
        self.limits = limits
        self._ray = needed_package("ray", "Ray")
        self._shared = shared
        self._takes = {"num_cpus": cpus, "num_gpus": gpus}
        self._tasks: dict[str, Any] = {}
        self._wanted: dict[Path, Wanted] = {}
        self._beats: dict[Path, int] = {}
        _join(self._ray, address or os.environ.get("RAY_ADDRESS", ""), limits.slots or cores())
        self._mailbox = self._ray.remote(num_cpus=0)(Mailbox).remote()
        # The supervisor counts attempts itself, so Ray is to start nothing again.
        self._run = self._ray.remote(max_retries=0, max_calls=0, **self._takes)(run_parcel)

    @property
    def slots(self) -> int:
        """Jobs at once: as limited, else as many as the cluster has cores or GPUs for."""
        if self.limits.slots:
            return self.limits.slots
        has = self._ray.cluster_resources()
        wanted = {"CPU": self._takes["num_cpus"], "GPU": self._takes["num_gpus"]}
        return int(min(has.get(name, 0.0) / takes for name, takes in wanted.items() if takes))

    def takes(self, folder: Path) -> int:
        """One: what a job has there is among the options."""
        return 1

    def submit(self, folder: Path) -> str:
        """Hand a run to the cluster; returns the task's name there."""
        parcel = None if self._shared else pack(folder)
        self._wanted[folder], self._beats[folder] = RunFolder(folder).wanted, _beat(folder)
        # What was wanted of an earlier attempt is not to stop this one.
        self._ray.get(self._mailbox.want.remote(str(folder), self._wanted[folder]))
        task = self._run.options(name=folder.name).remote(str(folder), parcel, self._mailbox, self._shared is None)
        ref = f"ray {task.hex()}"
        self._tasks[ref] = task
        return ref

    def poll(self, ref: str, folder: Path) -> Seen:
        """What has become of it."""
        task = self._tasks.get(ref)
        if task is None:
            return _of_another(folder)
        ready, _ = self._ray.wait([task], timeout=0)
        self._pass_on(folder)
        if not ready:
            return Seen("running" if _beat(folder) > self._beats[folder] else "waiting")
        del self._tasks[ref]  # one that has ended would end every wait at once
        try:
            state, message = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            return Seen("ended", message=_how(error))
        self._receive()
        return Seen("ended", state, message)

    def cancel(self, ref: str, folder: Path) -> None:
        """Kill the process that runs it, or take it from Ray's queue."""
        task = self._tasks.get(ref)
        if task is not None:
            self._ray.cancel(task, force=True)

    def logs(self, ref: str, folder: Path) -> str:
        """Where Ray keeps what its processes print."""
        return f"Ray's own logs lie in {self._ray._private.worker._global_node.get_session_dir_path()}/logs."

    def wait(self, seconds: float) -> None:
        """Return after so long, or as soon as a task ends."""
        tasks = list(self._tasks.values())
        if tasks:
            self._ray.wait(tasks, num_returns=1, timeout=seconds, fetch_local=False)
        self._receive()

    def close(self) -> None:
        """Leave the cluster; its tasks end."""
        self._ray.shutdown()

    def _pass_on(self, folder: Path) -> None:
        """Tell a run that does not see its own folder what is wanted of it now."""
        wanted = RunFolder(folder).wanted
        if not self._shared and wanted != self._wanted.get(folder):
            self._wanted[folder] = wanted
            self._mailbox.want.remote(str(folder), wanted)

    def _receive(self) -> None:
        """Write what runs elsewhere sent into their folders here."""
        if self._shared:
            return
        for folder, pieces in self._ray.get(self._mailbox.take.remote()):
            unpack(pieces, Path(folder).parent)


class Mailbox:
    """Between runs that do not see their folders and the supervisor: an actor beside the supervisor."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, Parcel]] = []
        self._wanted: dict[str, Wanted] = {}

    def put(self, folder: str, pieces: Parcel) -> Wanted:
        """Send what a run has written; returns what is wanted of it."""
        if pieces:
            self._sent.append((folder, pieces))
        return self._wanted.get(folder, "run")

    def take(self) -> list[tuple[str, Parcel]]:
        """Everything sent since the last time, in order."""
        sent, self._sent = self._sent, []
        return sent

    def want(self, folder: str, wanted: Wanted) -> None:
        """Say what is wanted of a run."""
        self._wanted[folder] = wanted


def _join(ray: Any, address: str, slots: int) -> None:
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if address:
            # Nodes elsewhere get the library as it is here.
            ray.init(address=address, runtime_env={"py_modules": [str(Path(scaling_core.__file__).parent)]}, **quiet)
        else:
            ray.init(address="local", num_cpus=slots, include_dashboard=False, **quiet)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = address or "this machine"
        raise UserError(
            f"The Ray cluster cannot be reached ({error}).", where=where, fix="Look at RAY_ADDRESS."
        ) from None


def _beat(folder: Path) -> int:
    status = RunFolder(folder).status
    return status.beat if status else 0


def _of_another(folder: Path) -> Seen:
    """Of a task that an earlier supervisor handed over: gone with it, as soon as its process is."""
    status = RunFolder(folder).status
    if status is None:
        return Seen("ended", message="its supervisor is gone")
    alive = Process.of_status(status).alive
    if alive is None:
        return Seen("unknown")
    return Seen("running") if alive else Seen("ended", message="its process ended with its supervisor")


def _how(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"Ray says {type(error).__name__}: {first}".rstrip(": ")
