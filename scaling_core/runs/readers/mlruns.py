"""MLflow's folders: ``mlruns/<experiment>/<run>/`` with ``meta.yaml``, a file a metric and a file a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from scaling_core.errors import UserError
from scaling_core.runs.logs import LoggedRun, Logs
from scaling_core.runs.readers.points import Points, without_metrics
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar
from scaling_core.runs.upload import Upload

_META = "meta.yaml"
#: Status of a run as the file store numbers it.
_STATES = {"1": "running", "2": "scheduled", "3": "finished", "4": "failed", "5": "killed"}
_LARGEST_STEP = 2**62
_LONGEST_VALUE = 8_000  # bytes; MLflow allows 6,000 characters


@dataclass(frozen=True)
class MlrunsReader:
    """Reads folders of MLflow's file store."""

    name: str = "MLflow folder"

    def claims(self, paths: Sequence[str]) -> frozenset[str]:
        """Return all files of experiments: below a folder with ``meta.yaml`` around runs, which have theirs."""
        roots = _roots(paths)
        stores = {PurePosixPath(root).parent.parent for root in roots}
        held = roots | _experiments(paths, roots)
        return frozenset(path for path in paths if _root_of(path, held) or _is_experiment(path, stores))

    def logs(self, files: Sequence[Upload]) -> Logs:
        """Read all runs that were not deleted.

        Raises
        ------
        UserError
            If no run logged a metric.
        """
        texts: list[str] = []
        runs = [run for root, held in _by_root(files).items() if (run := _run(root, held, texts)) is not None]
        logged = tuple(run for run in runs if len(run.rows))
        texts += without_metrics([run.name for run in runs if not len(run.rows)])
        if not logged:
            where = files[0].name if files else ""
            raise UserError("No run in the folder logged a metric.", where=where, fix="Give the whole mlruns folder.")
        return Logs(logged, tuple(Note("warning", text) for text in texts))


def _is_experiment(path: str, stores: set[PurePosixPath]) -> bool:
    return PurePosixPath(path).name == _META and PurePosixPath(path).parent.parent in stores


def _roots(paths: Sequence[str]) -> frozenset[str]:
    """Find the folders of runs; one that logged no metric has no such folder, but lies beside one that did."""
    told = _told(paths)
    with_metrics = {root for path in paths if (root := _before(path, "metrics")) is not None}
    runs = told & with_metrics
    around = _experiments(paths, runs)
    return frozenset(runs | {root for root in told if str(PurePosixPath(root).parent) in around})


def _told(paths: Sequence[str]) -> frozenset[str]:
    """Find the folders with ``meta.yaml``."""
    return frozenset(str(PurePosixPath(path).parent) for path in paths if PurePosixPath(path).name == _META)


def _experiments(paths: Sequence[str], roots: Iterable[str]) -> frozenset[str]:
    """Find the folders of experiments: around runs, and with ``meta.yaml`` of their own."""
    return _told(paths) & {str(PurePosixPath(root).parent) for root in roots if root != "."}


def _before(path: str, part: str) -> str | None:
    """Return what stands before the first folder of that name, or None if there is none."""
    parts = PurePosixPath(path).parts[:-1]
    return str(PurePosixPath(*parts[: parts.index(part)])) if part in parts else None


def _root_of(path: str, roots: frozenset[str]) -> str:
    return next((str(p) for p in PurePosixPath(path).parents if str(p) in roots), "")


def _by_root(files: Sequence[Upload]) -> dict[str, dict[str, Upload]]:
    """Sort files by run; within it each is called by its path."""
    roots = _roots([file.name for file in files])
    held: dict[str, dict[str, Upload]] = {root: {} for root in sorted(roots)}
    for file in files:
        if root := _root_of(file.name, roots):
            held[root][str(PurePosixPath(file.name).relative_to(root))] = file
    return held


def _run(root: str, files: dict[str, Upload], texts: list[str]) -> LoggedRun | None:
    meta = _meta(files[_META].data)
    if "run_id" not in meta and "run_uuid" not in meta:  # a model that was logged, not a run
        return None
    if meta.get("lifecycle_stage") == "deleted":
        texts.append(f"The deleted run “{meta.get('run_name', root)}” was left out.")
        return None
    points, config, strange = Points(), dict[str, Scalar](), 0
    for path, file in sorted(files.items()):
        part, _, key = path.partition("/")
        if part == "metrics":
            strange += _take_metric(key, file.data, points)
        elif part == "params" and len(file.data) <= _LONGEST_VALUE:
            config[key] = file.data.decode(errors="replace").strip()
    tagged = files.get("tags/mlflow.runName")
    name = meta.get("run_name") or (tagged.data.decode(errors="replace").strip() if tagged else "")
    own: list[str] = [f"{strange:,} lines hold no time, value and step and were left out."] if strange else []
    rows = points.rows(own)
    name = name or PurePosixPath(root).name
    texts += [f"{name}: {text}" for text in own]
    return LoggedRun(name, rows, config, _STATES.get(meta.get("status", ""), ""), files[_META].name)


def _meta(data: bytes) -> dict[str, str]:
    """Read the flat ``key: value`` lines of a ``meta.yaml``."""
    pairs = (line.partition(":") for line in data.decode(errors="replace").splitlines())
    return {key.strip(): value.strip().strip("'\"") for key, colon, value in pairs if colon and key == key.lstrip()}


def _take_metric(name: str, data: bytes, points: Points) -> int:
    """Take up the lines ``time value step`` of a metric; return how many are none. Old files have no step."""
    strange = 0
    for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
        cells = line.split()
        try:
            step = int(cells[2]) if len(cells) > 2 else number - 1
            time, value = float(cells[0]) / 1e3, float(cells[1])
        except (ValueError, IndexError):
            strange += bool(cells)
            continue
        if abs(step) < _LARGEST_STEP:
            points.add(name, step, value, time, number)
        else:
            strange += 1
    return strange
