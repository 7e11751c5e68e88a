"""The formats that can be read, one module each. To add one: write its module, and put its reader in ``READERS``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scaling_core.errors import UserError
from scaling_core.runs.logs import Logs
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.any_log import AnyLogReader
from scaling_core.runs.readers.base import EitherReader, FolderReader, Likeness, LogReader, Reader, table_of
from scaling_core.runs.readers.binary import refuse_binary, unknown_log
from scaling_core.runs.readers.build_nanogpt import BuildNanoGptReader
from scaling_core.runs.readers.delimited import DelimitedReader
from scaling_core.runs.readers.excel import ExcelReader
from scaling_core.runs.readers.huggingface import HuggingFaceReader
from scaling_core.runs.readers.jsonl import BEGINS_WITH_DATE, JsonReader
from scaling_core.runs.readers.keras import KerasReader
from scaling_core.runs.readers.lightning import LightningReader
from scaling_core.runs.readers.litgpt import LitgptReader
from scaling_core.runs.readers.litgpt_csv import LitgptCsvReader
from scaling_core.runs.readers.llmc import LlmcReader
from scaling_core.runs.readers.markdown import MarkdownReader
from scaling_core.runs.readers.megatron import MegatronReader
from scaling_core.runs.readers.mlruns import MlrunsReader
from scaling_core.runs.readers.modded_nanogpt import ModdedNanoGptReader
from scaling_core.runs.readers.nanochat import NanochatReader
from scaling_core.runs.readers.nanogpt import NanoGptReader
from scaling_core.runs.readers.olmo import OlmoReader
from scaling_core.runs.readers.one_curve import as_curves
from scaling_core.runs.readers.parquet import ParquetReader
from scaling_core.runs.readers.same_names import told_apart
from scaling_core.runs.readers.tensorboard import TensorBoardReader
from scaling_core.runs.readers.tensorboard_csv import TensorBoardCsvReader
from scaling_core.runs.readers.trackers import MlflowReader, TrackioReader
from scaling_core.runs.readers.wandb_csv import WandbHistoryReader, WandbTableReader
from scaling_core.runs.readers.wandb_offline import WandbOfflineReader
from scaling_core.runs.upload import Upload, check_size

#: In the order in which equal scores are settled.
READERS: tuple[Reader, ...] = (
    ParquetReader(),
    TensorBoardReader(),
    WandbOfflineReader(),
    MlflowReader(),
    TrackioReader(),
    WandbHistoryReader(),
    WandbTableReader(),
    TensorBoardCsvReader(),
    ExcelReader(),
    HuggingFaceReader(),
    LitgptCsvReader(),
    LightningReader(),
    KerasReader(),
    NanoGptReader(),
    BuildNanoGptReader(),
    LitgptReader(),
    NanochatReader(),
    ModdedNanoGptReader(),
    MegatronReader(),
    OlmoReader(),
    LlmcReader(),
    AnyLogReader(),
    JsonReader(),
    MarkdownReader(),
    DelimitedReader(),
)
#: Formats that are folders of many files.
FOLDER_READERS: tuple[FolderReader, ...] = (MlrunsReader(),)


@dataclass(frozen=True)
class Candidate:
    """A format that a file may be of."""

    reader: Reader
    likeness: Likeness


def detect(upload: Upload) -> tuple[Candidate, ...]:
    """Return the formats that a file may be of, the likeliest first; none if its content fits none."""
    found = [Candidate(reader, reader.looks_like(upload)) for reader in READERS]
    return tuple(sorted((c for c in found if c.likeness.score > 0), key=lambda c: -c.likeness.score))


def recognise(upload: Upload, max_bytes: int | None = None) -> Candidate:
    """Return the likeliest format of a file.

    Raises
    ------
    UserError
        If the file is too large, empty, or of no format known here.
    """
    check_size(upload.name, len(upload.data), max_bytes)
    if not upload.head.strip() and not upload.data.strip():
        raise UserError("The file is empty.", where=upload.name, fix="Give a file with a header and rows.")
    candidates = detect(upload)
    if not candidates:
        refuse_binary(upload.head, upload.name)
    if isinstance(candidates[0].reader, DelimitedReader) and BEGINS_WITH_DATE.match(upload.head):
        raise unknown_log(upload.name)
    return candidates[0]


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
    best = recognise(upload, max_bytes)
    found = read_as(best, upload)
    if isinstance(found, RawTable):
        return found
    complete = best.reader.complete if isinstance(best.reader, LogReader) else None
    return replace(table_of(found, best.reader.name, upload.name, complete), reason=best.likeness.reason)


def read_as(best: Candidate, upload: Upload) -> Logs | RawTable:
    """Read a file in a format: as logs, which may be joined with what lies beside them, or as a table.

    Raises
    ------
    UserError
        If the file is broken or has no rows.
    """
    reader = best.reader
    if isinstance(reader, LogReader):
        return reader.logs(upload)
    found = reader.either(upload) if isinstance(reader, EitherReader) else reader.read(upload)
    if isinstance(found, Logs):
        return found
    return replace(told_apart(as_curves(found, upload.name), upload.name), reason=best.likeness.reason)
