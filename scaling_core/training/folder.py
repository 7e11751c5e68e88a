"""The folder of one run: the truth about it, from which everything else can be told again.

    spec.json        what was asked, written once
    wanted           what a person wants of it: "run", "pause" or "cancel"
    status.json      where it stands; replaced as a whole about once a second while it runs
    metrics.jsonl    one line a logged step; only ever grows, a torn last line does not count
    result.json      counts, losses and provenance; written once, at the end
    checkpoints/     last.pt, and kept-<tokens>.pt for others to start from
    log.txt          what the process printed
    lock             held (flock) by the one process that may write here

A worker touches nothing else. Whoever asks for the run writes ``spec.json`` and ``wanted`` and reads the rest.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Wanted = Literal["run", "pause", "cancel"]
#: What a worker reports of itself. "interrupted" was stopped by a signal, or found dead by its supervisor.
State = Literal["starting", "running", "paused", "done", "failed", "cancelled", "interrupted"]
#: Of a checkpoint's layout and of the networks that it can be of; weights of another version fit none of ours.
CHECKPOINT_VERSION = 2
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Status:
    """Where a run stands, as its worker last said.

    Attributes
    ----------
    state : State
    beat : int
        Counts up while the worker lives. Whoever watches judges by their own clock how long it has stood still, so
        that a clock set forward or back kills nothing.
    host, boot_id, pid, pid_started
        The process, known for certain: a pid alone comes back.
    tokens, steps : int
        Seen so far, a trunk's included.
    loss : float or None
        Mean training loss since the last line of metrics, in nats.
    tokens_per_second : float or None
    device : str
    message : str
        For a person: why it failed, what it waits for.
    """

    state: State
    beat: int = 0
    host: str = ""
    boot_id: str = ""
    pid: int = 0
    pid_started: float = 0.0
    tokens: int = 0
    steps: int = 0
    loss: float | None = None
    tokens_per_second: float | None = None
    device: str = ""
    message: str = ""


@dataclass(frozen=True)
class RunFolder:
    """A run folder by its path; nothing is read or written until asked."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    def create(self, spec_json: str) -> None:
        """Make the folder with its specification, wanted to run."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "spec.json", spec_json.encode())
        self.want("run")

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints lie."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.checkpoints / "last.pt"

    def kept(self, tokens: int) -> Path:
        """The checkpoint kept at so many tokens."""
        return self.checkpoints / f"kept-{tokens}.pt"

    @property
    def log(self) -> Path:
        """What the process printed."""
        return self.path / "log.txt"

    @property
    def spec_json(self) -> str:
        """What was asked."""
        return (self.path / "spec.json").read_text(encoding="utf-8")

    def want(self, wanted: Wanted) -> None:
        """Say what is wanted of the run; its worker looks several times a second."""
        write_whole(self.path / "wanted", wanted.encode())

    @property
    def wanted(self) -> Wanted:
        """What is wanted of it; "run" where nothing was said."""
        try:
            text = (self.path / "wanted").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return "run"
        return text if text in ("pause", "cancel") else "run"  # type: ignore[return-value]

    def report(self, status: Status) -> None:
        """Replace the status."""
        write_whole(self.path / "status.json", json.dumps(asdict(status)).encode(), durable=False)

    @property
    def status(self) -> Status | None:
        """Where it stands, or None before a worker took it up."""
        data = _read_json(self.path / "status.json")
        return None if data is None else Status(**{k: v for k, v in data.items() if k in Status.__dataclass_fields__})

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, for good."""
        write_whole(self.path / "result.json", json.dumps(result, indent=1).encode())

    @property
    def result(self) -> dict[str, Any] | None:
        """Counts, losses and provenance of a run that ended well."""
        return _read_json(self.path / "result.json")

    def metrics(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Every whole line of metrics from byte ``start`` on; a line that is torn or no JSON is passed over."""
        try:
            data = (self.path / "metrics.jsonl").read_bytes()[start:]
        except FileNotFoundError:
            return
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file that appears whole or not at all; ``durable`` also survives a power cut.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; what was there before stays.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
