"""Many files as one: packed once into the home folder, mapped from there by every run, known by their SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.folder import write_whole
from scaling_core.workspace import home

#: One file in so many is held out for validation.
_ONE_IN = 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Packed:
    """What a packed corpus is, as its index file says.

    Attributes
    ----------
    training_bytes, held_out_bytes : int
    files, held_out_files : int
        Files to train on, and those held out.
    sha256 : str
        Of all bytes: first those to train on, then those held out, files in the order of their names.
    """

    training_bytes: int
    held_out_bytes: int
    files: int
    held_out_files: int
    sha256: str

    @property
    def split(self) -> str:
        """How validation was split off, for the record: files differ in size, so the share of bytes is told too."""
        share = self.held_out_bytes / max(1, self.training_bytes + self.held_out_bytes)
        return (
            f"by file: {self.held_out_files} of {self.files + self.held_out_files} held out, {share:.1%} of the bytes"
        )


def pack(root: Path, files: Sequence[Path]) -> tuple[Packed, np.ndarray, np.ndarray]:
    """Pack files below ``root``: what they are, the bytes to train on and those held out, both mapped.

    Whether a file is held out is told by the hash of its name, so that it stays so when others come or go.

    Raises
    ------
    UserError
        If a file cannot be read, or the home folder not be written.
    """
    training, held_out = split_by_name(root, files)
    target = home() / "corpora" / f"{_fingerprint(root, [*training, *held_out])}.bin"
    index = target.with_suffix(".json")
    if not index.is_file() or not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(index, json.dumps(asdict(_write(target, training, held_out))).encode())
    packed = Packed(**json.loads(index.read_text()))
    data = mapped(target)
    return packed, data[: packed.training_bytes], data[packed.training_bytes :]


def split_by_name(root: Path, files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files to train on and files held out, each in the order of their names; some of both where there are two."""
    ordered = sorted(files, key=lambda path: path.relative_to(root).as_posix())
    ranks = {path: rank_of(path.relative_to(root).as_posix()) for path in ordered}
    held_out = [path for path in ordered if ranks[path] % _ONE_IN == 0]
    if len(ordered) > 1 and not held_out:
        held_out = [min(ordered, key=ranks.__getitem__)]
    if len(held_out) == len(ordered) > 1:
        held_out.remove(max(ordered, key=ranks.__getitem__))
    kept = set(held_out)
    return [path for path in ordered if path not in kept], held_out


def mapped(path: Path) -> np.ndarray:
    """Return a file as bytes that are read when they are looked at."""
    return np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.empty(0, np.uint8)


def hashed(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def rank_of(name: str) -> int:
    """A number that the name of a file tells, whatever other files there are: who is held out goes by it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _fingerprint(root: Path, files: Sequence[Path]) -> str:
    """Names, sizes and times of the files: another packing for other files, without reading them."""
    stats = [(path.relative_to(root).as_posix(), path.stat()) for path in files]
    lines = [f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n" for name, stat in stats]
    return hashlib.sha256(f"{root}\n{''.join(lines)}".encode()).hexdigest()[:24]


def _write(target: Path, training: Sequence[Path], held_out: Sequence[Path]) -> Packed:
    digest, sizes = hashlib.sha256(), [0, 0]
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            for part, files in enumerate((training, held_out)):
                for path in files:
                    for chunk in _chunks(path):
                        sizes[part] += out.write(chunk)
                        digest.update(chunk)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Packed(sizes[0], sizes[1], len(training), len(held_out), digest.hexdigest())


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise UserError(f"The file cannot be read ({error.strerror}).", where=str(path)) from None
