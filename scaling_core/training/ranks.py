"""One run in several processes (torch's DDP): each has a share of every batch, all have the same weights.

A run with ``processes`` > 1 is started as ``torchrun`` with this module in every process; the process that the job
runs in follows it, passes on what is wanted and tells how far it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed, nn

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder, Wanted
from scaling_core.training.spec import TrainSpec

if TYPE_CHECKING:
    from scaling_core.training.loop import Watcher

#: Variable that names the file in which the first process reads what is wanted, and says why it failed.
_MAIL = "SCALING_EXPLORER_MAIL"
#: Steps between two agreements on what is wanted: each waits for every process.
_AGREE_EVERY = 8
_LOOK_S = 0.2
_WANTED: tuple[Wanted, ...] = ("run", "pause", "cancel")


@dataclass(frozen=True)
class Ring:
    """The processes of a run, seen from one of them."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this one writes the run's files."""
        return self.rank == 0

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """Let gradients be the mean over all processes."""
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)

    def quiet(self, model: nn.Module, more: bool) -> AbstractContextManager[Any]:
        """Keep gradients to itself while ``more`` parts of the batch follow."""
        return model.no_sync() if self.size > 1 and more else nullcontext()  # type: ignore[operator]

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
            values /= self.size
        return values

    def same(self, answer: int) -> int:
        """What the first process answers."""
        if self.size == 1:
            return answer
        told = [answer]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    def agreed(self, control: Watcher, step: int) -> Wanted:
        """What is wanted, the same in every process."""
        if self.size == 1:
            return control.check()
        if step % _AGREE_EVERY:
            return "run"
        return _WANTED[self.same(_WANTED.index(control.check()) if self.first else 0)]


def inside() -> bool:
    """Whether torchrun started this process."""
    return _MAIL in os.environ


@contextmanager
def group() -> Iterator[Ring]:
    """Join the other processes of this run, if torchrun started any."""
    if not inside():
        yield Ring()
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Ring(distributed.get_rank(), distributed.get_world_size(), int(os.environ["LOCAL_RANK"]))
    finally:
        distributed.destroy_process_group()


def launch(spec: TrainSpec, folder: RunFolder, control: Watcher) -> None:
    """Train a run in ``spec.processes`` processes on this machine and follow it to its end.

    Raises
    ------
    UserError
        What the first process said, or that one of them died.
    """
    with tempfile.TemporaryDirectory() as place:
        mail = Path(place)
        (mail / "follower").write_text(str(os.getpid()))
        process = subprocess.Popen(_command(spec, folder), env={**os.environ, _MAIL: place}, stdin=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                (mail / "wanted").write_text(control.check())
                _pass_on(folder, control)
                time.sleep(_LOOK_S)
        finally:
            if process.poll() is None:
                process.terminate()  # torchrun ends its processes with it
                process.wait()
        if process.returncode:
            said = (mail / "error").read_text() if (mail / "error").exists() else "One of its processes died."
            raise UserError(said, where=spec.name)
        _pass_on(folder, control)


def _command(spec: TrainSpec, folder: RunFolder) -> list[str]:
    run = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={spec.processes}"]
    return [sys.executable, *run, "-m", "scaling_core.training.ranks", str(folder.path)]


def _pass_on(folder: RunFolder, control: Watcher) -> None:
    rows = [row for row in folder.metrics() if "tokens_per_second" in row]
    if rows:
        last = rows[-1]
        control.report(
            tokens=last["tokens"], steps=last["step"], loss=last["loss"], tokens_per_second=last["tokens_per_second"]
        )


class Mailbox:
    """Stands for the watcher inside a process that torchrun started."""

    def __init__(self, mail: Path) -> None:
        self._mail = mail
        self._follower = int((mail / "follower").read_text())

    def check(self) -> Wanted:
        """What the following process last wrote; "pause" where that was killed.

        torchrun gives its processes sessions of their own, so nothing ends them with it, and whoever takes up the run
        next must not meet them at work.
        """
        if not _is_there(self._follower):
            return "pause"
        try:
            text = (self._mail / "wanted").read_text()
        except OSError:
            return "run"
        return text if text in _WANTED else "run"

    def report(self, **progress: Any) -> None:
        """The lines of metrics tell it."""


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main() -> int:
    """Train in this process, one of several."""
    from scaling_core.training.loop import train

    mail, folder = Path(os.environ[_MAIL]), RunFolder(Path(sys.argv[1]))
    try:
        train(TrainSpec.from_json(folder.spec_json), folder, Mailbox(mail))
    except (UserError, OSError) as error:
        if os.environ.get("RANK") == "0":
            (mail / "error").write_text(error.what if isinstance(error, UserError) else str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
