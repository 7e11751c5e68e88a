"""Uploaded files, kept by what they contain."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scaling_core.errors import UserError
from scaling_core.runs.progress import tick
from scaling_core.runs.upload import Upload

_CHUNK = 4 * 2**20
_HASH = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True)
class UploadStore:
    """Files under ``<root>/uploads``, each called by its SHA-256, with its own name beside it.

    Any number of processes may write at once: a file appears whole or not at all.
    """

    root: Path

    def put(self, upload: Upload) -> str:
        """Keep a file and return its SHA-256. Keeping the same content again changes nothing.

        Raises
        ------
        UserError
            If the folder cannot be written to.
        """
        path = self._path(upload.sha256)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _keep(path, upload)
        except OSError as error:
            raise UserError(
                f"The upload cannot be kept: {error.strerror or error}.",
                where=str(self.root),
                fix="Free some space or set SCALING_HOME to a folder that can be written to.",
            ) from None
        return upload.sha256

    def get(self, sha256: str) -> Upload:
        """Return the file with this SHA-256, of which the first 12 digits or more may be given.

        Raises
        ------
        UserError
            If there is none, the digits fit more than one, or they are no SHA-256.
        """
        found = self._find(sha256)
        try:
            return Upload(_name_of(found), found.read_bytes())
        except OSError:
            raise _unknown(found.name, 0) from None

    def _find(self, sha256: str) -> Path:
        wanted = sha256.strip().lower()
        if not _HASH.fullmatch(wanted):
            raise UserError(
                f"“{sha256[:80]}” is not the hash of a file.", fix="Give at least 12 of its hexadecimal digits."
            )
        found = [p for p in self._path(wanted).parent.glob(f"{wanted}*") if len(p.name) == 64]
        if len(found) != 1:
            raise _unknown(wanted, len(found))
        return found[0]

    def name_of(self, sha256: str) -> str:
        """Return the name of a file, without reading it.

        Raises
        ------
        UserError
            As ``get``.
        """
        return _name_of(self._find(sha256))

    def size_of(self, sha256: str) -> int:
        """Return the size of a file in bytes, without reading it.

        Raises
        ------
        UserError
            As ``get``.
        """
        found = self._find(sha256)
        try:
            return found.stat().st_size
        except OSError:
            raise _unknown(found.name, 0) from None

    def _path(self, sha256: str) -> Path:
        return self.root / "uploads" / sha256[:2] / sha256


def _unknown(sha256: str, found: int) -> UserError:
    if found > 1:
        return UserError(f"{found} files begin with {sha256}.", fix="Give more digits.")
    return UserError(f"This server no longer has the file {sha256[:12]}….", fix="Upload it again.")


def _name_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _name_of(path: Path) -> str:
    try:
        return str(json.loads(_name_path(path).read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return path.name[:12]


def _keep(path: Path, upload: Upload) -> None:
    """Write content and name so that no reader, and no crash, ever sees half of them; stopped, it leaves nothing."""
    with ExitStack() as stack:
        content = stack.enter_context(_written(path.parent, upload.data))
        name = stack.enter_context(_written(path.parent, json.dumps({"name": upload.name}).encode()))
        # The name goes first, so that no content is ever without one.
        name.replace(_name_path(path))
        content.replace(path)


@contextmanager
def _written(folder: Path, data: bytes) -> Iterator[Path]:
    """Write data to a temporary file, which is gone afterwards unless it was given another name inside."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".upload-")
    try:
        with os.fdopen(handle, "wb") as file:
            for start in range(0, len(data), _CHUNK):
                tick(start / len(data))
                file.write(data[start : start + _CHUNK])
            file.flush()
            os.fsync(file.fileno())
        yield Path(temporary)
    finally:
        Path(temporary).unlink(missing_ok=True)
