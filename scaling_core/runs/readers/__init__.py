"""The formats that can be read, one module each. To add one: write its module, and put its reader in ``READERS``."""

from __future__ import annotations

from scaling_core.errors import UserError
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.base import Reader
from scaling_core.runs.readers.binary import refuse_binary
from scaling_core.runs.readers.delimited import DelimitedReader
from scaling_core.runs.readers.jsonl import JsonReader
from scaling_core.runs.readers.parquet import ParquetReader
from scaling_core.runs.upload import Upload, check_size

#: In the order in which equal scores are settled.
READERS: tuple[Reader, ...] = (ParquetReader(), JsonReader(), DelimitedReader())
_HEAD_BYTES = 64 * 2**10


def read(upload: Upload, max_bytes: int | None = None) -> RawTable:
    """Read a file in whichever format its content shows it to be.

    Parameters
    ----------
    upload : Upload
    max_bytes : int, optional
        The largest size accepted; ``MAX_FILE_BYTES`` unless given.

    Raises
    ------
    UserError
        If the file is too large, empty, of no format known here, broken, or has no rows.
    """
    check_size(upload.name, len(upload.data), max_bytes)
    head = upload.data[:_HEAD_BYTES]
    if not upload.data.strip():
        raise UserError("The file is empty.", where=upload.name, fix="Give a file with a header and rows.")
    score, reader = max(((r.matches(head, upload.name), r) for r in READERS), key=lambda pair: pair[0])
    if score <= 0:
        refuse_binary(head, upload.name)
    return reader.read(upload)
