"""Jobs on a SLURM site, one SLURM job a run, through submitit. Run folders lie on storage that the nodes share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.jobs.executors.base import Seen, needed_package
from scaling_core.jobs.model import Limits
from scaling_core.jobs.process import Process
from scaling_core.jobs.work import run_here
from scaling_core.training.folder import RunFolder

#: Jobs handed to SLURM at once where no limit is set; what waits there is SLURM's to order.
_SLOTS = 64
_WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "RESIZING", "SUSPENDED", "REQUEUE_HOLD", "SPECIAL_EXIT")
_RUNNING = ("RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT")


class SlurmExecutor:
    """Hands runs to SLURM and asks it about them; it can be left and come back to.

    A job that SLURM is about to end at its time limit saves a checkpoint, stops as "interrupted" and is queued again.

    Parameters
    ----------
    home, limits
    partition, account, constraint : str
        Where the site wants jobs; empty leaves it to the site.
    minutes : int
        Time limit of a job.
    gpus, cpus : int
        Of a job.
    memory_gb : float
        Of a job; 0 leaves it to the site.
    cluster : {"slurm", "local"}
        "local" runs the same way in processes of this machine, to try it without SLURM.
    """

    def __init__(
        self,
        home: Path,
        limits: Limits,
        *,
        partition: str = "",
        account: str = "",
        constraint: str = "",
        minutes: int = 24 * 60,
        gpus: int = 0,
        cpus: int = 1,
        memory_gb: float = 0.0,
        cluster: str = "slurm",
    ) -> None:
        self.limits = limits
        self._submitit = needed_package("submitit", "SLURM")
        self._folder = home / "slurm"
        self._cluster = cluster
        self._jobs: dict[str, Any] = {}
        try:
            self._executor = self._submitit.AutoExecutor(folder=self._folder, cluster=cluster)
        except RuntimeError as error:
            raise UserError(f"SLURM cannot be used here ({error}).", fix="Start this on a login node.") from None
        asked = {"timeout_min": minutes, "gpus_per_node": gpus, "cpus_per_task": cpus}
        site = {"slurm_partition": partition, "slurm_account": account, "slurm_constraint": constraint}
        memory = {"mem_gb": memory_gb} if memory_gb else {}
        self._executor.update_parameters(**asked, **memory, **{k: v for k, v in site.items() if v})

    @property
    def slots(self) -> int:
        """Jobs handed over at once."""
        return self.limits.slots or _SLOTS

    def takes(self, folder: Path) -> int:
        """One: what a job has there is among the options."""
        return 1

    def submit(self, folder: Path) -> str:
        """Hand a run to SLURM; returns its job number."""
        self._executor.update_parameters(name=folder.name[:40])
        try:
            job = self._executor.submit(run_here, str(folder.absolute()))
        except Exception as error:  # submitit's own errors share no base that says more
            raise UserError(f"SLURM did not take the job ({error}).") from None
        self._jobs[job.job_id] = job
        return f"{self._cluster} {job.job_id}"

    def poll(self, ref: str, folder: Path) -> Seen:
        """What has become of it, as SLURM says."""
        job = self._job(ref)
        if job is None:
            return Seen("unknown")
        if job.paths.result_pickle.exists():
            return _outcome(job)
        state = job.state.split(" ")[0].rstrip("+").upper()
        if state in _RUNNING or state in _WAITING:
            return Seen("running" if state in _RUNNING else "waiting")
        if state == "UNKNOWN":  # SLURM's records lag behind a fresh job
            return Seen("waiting")
        if self._cluster == "local" and _alive(folder):
            return Seen("running")
        return Seen("ended", message=f"SLURM says {state.lower().replace('_', ' ')}")

    def cancel(self, ref: str, folder: Path) -> None:
        """Take the job from SLURM."""
        job = self._job(ref)
        if job is not None:
            job.cancel(check=False)

    def logs(self, ref: str, folder: Path) -> str:
        """What the job printed outside of its run folder."""
        job = self._job(ref)
        return "" if job is None else (job.stdout() or "") + (job.stderr() or "")

    def wait(self, seconds: float) -> None:
        """Return after so long."""
        time.sleep(seconds)

    def close(self) -> None:
        """Let go; SLURM's jobs go on."""
        self._jobs.clear()

    def _job(self, ref: str) -> Any:
        """A job handed over by us or by an executor before us."""
        cluster, _, number = ref.partition(" ")
        if not number:
            return None
        if number not in self._jobs:
            kind = self._submitit.SlurmJob if cluster == "slurm" else self._submitit.LocalJob
            self._jobs[number] = kind(folder=self._folder, job_id=number)
        return self._jobs[number]


def _outcome(job: Any) -> Seen:
    error = job.exception()
    if error is not None:
        return Seen("ended", message=str(error).strip().splitlines()[-1])
    state, message = job.result()
    return Seen("ended", state, message)


def _alive(folder: Path) -> bool:
    status = RunFolder(folder).status
    return bool(status and Process.of_status(status).alive)
