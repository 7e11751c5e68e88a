"""Databases of trackers: MLflow's and trackio's, recognised by their tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from scaling_core.errors import UserError
from scaling_core.runs.logs import LoggedRun, Logs
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.points import Points, without_metrics
from scaling_core.runs.readers.sqlite import MARK, Database, opened
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar, flat
from scaling_core.runs.upload import Upload

_LARGEST_STEP = 2**62
_MAX_NUMBER = 1e308
_INFINITY = 1.7976931348623157e308  # what MLflow writes for it, since a database has none
_WORDS = {"nan": np.nan, "infinity": np.inf, "-infinity": -np.inf, "inf": np.inf, "-inf": -np.inf}
Row = tuple[object, ...]


@dataclass
class _Found:
    """A run while its rows are read."""

    name: str
    state: str = ""
    config: dict[str, Scalar] = field(default_factory=dict)
    points: Points = field(default_factory=Points)


@dataclass(frozen=True)
class MlflowReader(LogReader):
    """Reads MLflow's SQLite database."""

    name: str = "MLflow"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a database with MLflow's tables of runs and metrics."""
        return _by_tables(upload, {"runs": ("run_uuid",), "metrics": ("key", "value", "run_uuid")})

    def logs(self, upload: Upload) -> Logs:
        """Read all runs that were not deleted.

        Raises
        ------
        UserError
            If the database is broken, or no run logged a metric.
        """
        with opened(upload.data, upload.name) as database:
            found, deleted = _mlflow_runs(database)
            for key, value, run in database.rows("params", ("key", "value", "run_uuid")):
                if run in found and isinstance(key, str) and isinstance(value, (str, int, float)):
                    found[str(run)].config[key] = value
            metrics = ("run_uuid", "key", "step", "value", "is_nan", "timestamp")
            strange = 0
            for place, row in enumerate(database.rows("metrics", metrics), start=1):
                strange += not _take_mlflow(row, place, found, deleted)
            if deleted:
                were = "s were" if len(deleted) > 1 else " was"
                database.texts.append(f"{len(deleted):,} deleted run{were} left out.")
            return _logs(found, database, strange, upload)


def _mlflow_runs(database: Database) -> tuple[dict[str, _Found], set[str]]:
    found: dict[str, _Found] = {}
    deleted: set[str] = set()
    for key, name, status, stage in database.rows("runs", ("run_uuid", "name", "status", "lifecycle_stage")):
        if stage == "deleted":
            deleted.add(str(key))
        else:
            found[str(key)] = _Found(str(name or key), _state(status))
    return found, deleted


def _state(status: object) -> str:
    return str(status).lower() if status else ""


def _take_mlflow(row: Row, place: int, found: dict[str, _Found], deleted: set[str]) -> bool:
    """Take up a row of the table of metrics; False if it is none."""
    run, name, step, value, is_nan, stamp = row
    if str(run) in deleted:
        return True
    step = 0 if step is None else step
    if not (isinstance(run, str) and isinstance(name, str) and isinstance(step, int) and abs(step) < _LARGEST_STEP):
        return False
    if not isinstance(value, (int, float)) or not isinstance(stamp, (int, float, type(None))):
        return False
    # The table of runs may be damaged; the metrics still say which run they belong to.
    held = found.setdefault(run, _Found(run))
    number = np.nan if is_nan else np.copysign(np.inf, value) if abs(value) >= _INFINITY else value
    held.points.add(name, step, float(number), np.nan if stamp is None else stamp / 1e3, place)
    return True


@dataclass(frozen=True)
class TrackioReader(LogReader):
    """Reads trackio's database of a project."""

    name: str = "trackio"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept a database with trackio's table of metrics."""
        return _by_tables(upload, {"metrics": ("run_name", "step", "metrics")})

    def logs(self, upload: Upload) -> Logs:
        """Read all runs.

        Raises
        ------
        UserError
            If the database is broken, or no run logged a metric.
        """
        found: dict[str, _Found] = {}
        strange = 0
        with opened(upload.data, upload.name) as database:
            columns = ("run_id", "run_name", "step", "metrics", "timestamp")
            for place, row in enumerate(database.rows("metrics", columns), start=1):
                strange += not _take_trackio(row, place, found)
            for key, name, config in database.rows("configs", ("run_id", "run_name", "config")):
                if (run := found.get(str(key or name))) is not None and isinstance(settings := _json(config), dict):
                    run.config |= {k: v for k, v in flat(settings) if not k.startswith("_")}
            return _logs(found, database, strange, upload)


def _take_trackio(row: Row, place: int, found: dict[str, _Found]) -> bool:
    key, name, step, metrics, stamp = row
    values = _json(metrics)
    if not (isinstance(name, str) and isinstance(step, int) and abs(step) < _LARGEST_STEP and isinstance(values, dict)):
        return False
    points = found.setdefault(str(key or name), _Found(name)).points
    time = _seconds(stamp)
    for metric, value in flat(_without_media(values)):
        number = _WORDS.get(value.lower()) if isinstance(value, str) else value
        if number is not None and not isinstance(number, bool) and not _MAX_NUMBER < abs(number) < np.inf:
            points.add(metric, step, float(number), time, place)
    return True


def _without_media(values: Mapping[str, object]) -> dict[str, object]:
    return {k: v for k, v in values.items() if not (isinstance(v, Mapping) and "_type" in v)}


def _seconds(stamp: object) -> float:
    try:
        return datetime.fromisoformat(str(stamp)).timestamp()
    except (ValueError, OverflowError, OSError):
        return float("nan")


def _json(text: object) -> object:
    if not isinstance(text, (str, bytes)):
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _by_tables(upload: Upload, wanted: Mapping[str, tuple[str, ...]]) -> Likeness:
    if not upload.head.startswith(MARK):
        return UNLIKE
    try:
        with opened(upload.data, upload.name) as database:
            if all(set(columns) <= set(database.tables.get(table, ())) for table, columns in wanted.items()):
                named = " and ".join(f"“{table}” ({', '.join(columns)})" for table, columns in wanted.items())
                return Likeness(0.95, f"it is an SQLite database with the tables {named}")
    except UserError:
        pass
    return UNLIKE


def _logs(found: Mapping[str, _Found], database: Database, strange: int, upload: Upload) -> Logs:
    texts = list(database.texts)
    if strange:
        texts.append(f"{strange:,} rows of metrics hold something other than numbers at a step and were left out.")
    texts += without_metrics([run.name for run in found.values() if not run.points.names])
    runs = tuple(_logged(run, upload.name, texts) for run in found.values() if run.points.names)
    if not runs:
        why = f" {texts[0]}" if texts else ""
        raise UserError(
            f"No run in the database logged a metric.{why}", where=upload.name, fix="Give another database."
        )
    return Logs(runs, tuple(Note("warning", text, upload.name) for text in dict.fromkeys(texts)))


def _logged(run: _Found, file: str, texts: list[str]) -> LoggedRun:
    own: list[str] = []
    rows = run.points.rows(own)
    texts += [f"{run.name}: {text}" for text in own]
    return LoggedRun(run.name, rows, run.config, run.state, file)
