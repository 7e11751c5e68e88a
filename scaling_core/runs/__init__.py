"""From logs to runs: files in any supported format become a ``RunTable``."""

from scaling_core.runs.build import build
from scaling_core.runs.cleaning import CHECKS, flags
from scaling_core.runs.containers import from_folder, pack, pack_folders
from scaling_core.runs.export import safe_csv
from scaling_core.runs.gather import Gathered, gather
from scaling_core.runs.guess import Choice, Guess, guess_mapping
from scaling_core.runs.load import load, usable
from scaling_core.runs.loss_units import LOSS_UNITS, LossUnit
from scaling_core.runs.metrics import LOSS, Metric, measurable
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.raw import MAX_COLUMNS, RawTable
from scaling_core.runs.readers import READERS, read
from scaling_core.runs.samples import Sample, sample, samples
from scaling_core.runs.schema import COLUMNS, PREDICTORS, Column, Note, RunTable, Source, concatenate
from scaling_core.runs.store import UploadStore
from scaling_core.runs.upload import MAX_FILE_BYTES, Upload
from scaling_core.workspace import home

__all__ = [
    "CHECKS",
    "COLUMNS",
    "LOSS",
    "LOSS_UNITS",
    "MAX_COLUMNS",
    "MAX_FILE_BYTES",
    "PREDICTORS",
    "READERS",
    "Choice",
    "Column",
    "Gathered",
    "Guess",
    "LossUnit",
    "Metric",
    "Note",
    "Overrides",
    "RawTable",
    "RunTable",
    "Sample",
    "Source",
    "Upload",
    "UploadStore",
    "build",
    "concatenate",
    "flags",
    "from_folder",
    "gather",
    "guess_mapping",
    "home",
    "load",
    "measurable",
    "pack",
    "pack_folders",
    "read",
    "safe_csv",
    "sample",
    "samples",
    "usable",
]
