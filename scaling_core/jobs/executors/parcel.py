"""A run on a node that does not see its folder: what it needs goes there, what it writes comes back."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from scaling_core.jobs.control import BEAT_S
from scaling_core.jobs.work import run_here
from scaling_core.training.folder import RunFolder, Wanted, write_whole

#: Pieces of files: the path under the ladder's folder, where the piece begins, and its bytes. A piece that begins at
#: None is the whole file; others are appended.
Parcel = list[tuple[str, int | None, bytes]]
_GROWING = ("metrics.jsonl", "log.txt")
_STAYS = ("lock", "wanted")


def pack(folder: Path) -> Parcel:
    """What a run needs: its own folder, the checkpoint that it starts from, and the results of its ladder."""
    ladder = folder.parent
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name not in _STAYS and not p.name.startswith(".")]
    paths += [p for p in ladder.glob("*.json") if p.is_file()]
    paths += [p for p in (*ladder.glob("*/result.json"), *ladder.glob("*/spec.json")) if p.parent != folder]
    start = _start_of(folder)
    return [(str(p.relative_to(ladder)), None, p.read_bytes()) for p in (*paths, *start)]


def _start_of(folder: Path) -> list[Path]:
    try:
        start = json.loads(RunFolder(folder).spec_json).get("start") or {}
        other = RunFolder(folder.parent / start["folder"])
    except (OSError, ValueError, KeyError, AttributeError):
        return []
    path = other.kept(int(start["tokens"])) if start.get("tokens") else other.last
    inside = other.path.parent == folder.parent and bool(start["folder"])
    return [path] if inside and path.exists() else []


def unpack(pieces: Parcel, ladder: Path) -> None:
    """Write pieces of files under a ladder's folder."""
    for name, begin, data in pieces:
        path = ladder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if begin is None:
            write_whole(path, data)
            continue
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(begin)
            file.seek(begin)
            file.write(data)


def run_parcel(folder: str, pieces: Parcel | None, mailbox: Any, look: bool) -> tuple[str, str]:
    """Run a folder on this node; with ``look`` in place where the node sees it, else from its pieces.

    Returns
    -------
    tuple of str
        The outcome's state and message.
    """
    if pieces is None or (look and (Path(folder) / "spec.json").exists()):
        return run_here(folder)
    with tempfile.TemporaryDirectory(prefix="scaling-run-") as there:
        unpack(pieces, Path(there))
        run = RunFolder(Path(there) / Path(folder).name)
        run.checkpoints.mkdir(exist_ok=True)
        courier = Courier(run, folder, mailbox)
        courier.start()
        try:
            return run_here(str(run.path))
        finally:
            courier.end()


class Courier:
    """A thread that sends what a run writes, and brings what is wanted of it."""

    def __init__(self, run: RunFolder, home_folder: str, mailbox: Any) -> None:
        self._run, self._home_folder, self._mailbox = run, home_folder, mailbox
        self._known: dict[str, tuple[int, int]] = {name: stamp for name, _, stamp in self._files()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)

    def start(self) -> None:
        """Begin to carry."""
        self._thread.start()

    def end(self) -> None:
        """Send what is left."""
        self._ended.set()
        self._thread.join()
        self._carry()

    def _go(self) -> None:
        while not self._ended.wait(BEAT_S):
            with suppress(OSError):
                self._carry()

    def _carry(self) -> None:
        import ray

        wanted: Wanted = ray.get(self._mailbox.put.remote(self._home_folder, list(self._changed())))
        if wanted != self._run.wanted:
            self._run.want(wanted)

    def _changed(self) -> Iterator[tuple[str, int | None, bytes]]:
        """Pieces written since the last time: the status last, so that it never tells of what is not there yet."""
        for name, path, stamp in sorted(self._files(), key=lambda found: found[1].name == "status.json"):
            before = self._known.get(name)
            if stamp == before:
                continue
            begin = before[1] if before and path.name in _GROWING and stamp[1] > before[1] else None
            with suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(begin or 0)
                data = file.read()
                self._known[name] = (stamp[0], (begin or 0) + len(data))
                yield name, begin, data

    def _files(self) -> list[tuple[str, Path, tuple[int, int]]]:
        """Every file of the run, and of its ladder, with when it was last written and its size."""
        found = []
        for path in (*self._run.path.rglob("*"), *self._run.path.parent.glob("*.json")):
            if path.name in _STAYS or path.name.startswith("."):
                continue
            with suppress(FileNotFoundError):
                if path.is_file():
                    at = path.stat()
                    found.append((str(path.relative_to(self._run.path.parent)), path, (at.st_mtime_ns, at.st_size)))
        return found
