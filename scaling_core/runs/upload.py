"""A file as a person gave it: its name and its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scaling_core.errors import UserError

#: The largest file that is read, in bytes.
MAX_FILE_BYTES = 500 * 2**20
#: How much of a file's beginning is looked at to tell its format.
HEAD_BYTES = 64 * 2**10
_WORTH_A_THREAD = 4 * 2**20


@dataclass(frozen=True)
class Upload:
    """The name and the content of one file.

    Attributes
    ----------
    name : str
        The file's own name, without folders.
    data : bytes
        All of its content.
    """

    name: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """The content's SHA-256, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def head(self) -> bytes:
        """The first ``HEAD_BYTES`` of its content."""
        return self.data[:HEAD_BYTES]

    @classmethod
    def from_path(cls, path: str | Path, max_bytes: int | None = None) -> Upload:
        """Read a file of this machine.

        Parameters
        ----------
        path : str or Path
        max_bytes : int, optional
            The largest size accepted; ``MAX_FILE_BYTES`` unless given.

        Raises
        ------
        UserError
            If there is no such file, it is a folder, may not be read, or is too large.
        """
        path = Path(path)
        try:
            check_size(path.name, path.stat().st_size, max_bytes)
            return cls(path.name, path.read_bytes())
        except FileNotFoundError:
            raise UserError("There is no such file.", where=str(path), fix="Check the path.") from None
        except IsADirectoryError:
            raise UserError("This is a folder.", where=str(path), fix="Give the files in it.") from None
        except PermissionError:
            raise UserError("You may not read this file.", where=str(path), fix="Change its rights.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"The file cannot be read: {error}.", where=str(path)) from None


@contextmanager
def hashed_meanwhile(uploads: Iterable[Upload]) -> Iterator[None]:
    """Hash large files while what is inside runs: hashing leaves a processor to the others."""
    large = [upload for upload in uploads if len(upload.data) >= _WORTH_A_THREAD]
    if not large:
        yield
        return
    with ThreadPoolExecutor(1) as worker:
        for upload in large:
            worker.submit(lambda u=upload: u.sha256)  # type: ignore[misc]
        yield


def check_size(name: str, size: int, max_bytes: int | None = None) -> None:
    """Refuse a file that is too large to read.

    Raises
    ------
    UserError
        If ``size`` bytes are more than ``max_bytes`` (``MAX_FILE_BYTES`` unless given).
    """
    limit = MAX_FILE_BYTES if max_bytes is None else max_bytes
    if size > limit:
        raise UserError(
            f"The file has {_mebibytes(size)}, more than the limit of {_mebibytes(limit)}.",
            where=name,
            fix="Thin the log (every 10th row will do for a fit), or keep only the columns you need.",
        )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
