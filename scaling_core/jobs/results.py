"""The finished runs of a ladder as a file of runs, the way any other log comes in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.jobs.starts import curve_of, started_from
from scaling_core.runs import Upload, safe_csv
from scaling_core.runs.counted import COUNTED_IN
from scaling_core.training.folder import RunFolder
from scaling_core.training.outcomes import is_point, is_tuned, origin_of

#: Column of the file -> field of ``result.json``. ``params_non_embedding`` is blocks and head.
COLUMNS = {
    "run": "run", "params_non_embedding": "n_params", "tokens": "tokens", "unique_tokens": "unique_tokens",
    "flops": "flops", "flops_6nd": "flops_6nd", "val_loss": "loss", "bits_per_byte": "bits_per_byte",
    "accuracy": "accuracy", "source_entropy": "entropy",
    "step": "steps", "family": "family", "width": "width", "layers": "layers",
    "heads": "heads", "seed": "seed", "role": "role", "seconds": "seconds", "tokens_per_second": "tokens_per_second",
    "mfu": "mfu", "device": "device", "precision": "precision", "schedule": "schedule",
    "core_share": "core_share",
}  # fmt: skip
#: What a look at the validation loss on the way says.
_LOOK = ("step", "tokens", "val_loss", "bits_per_byte", "accuracy", "train_loss")
#: Counts of parameters by class; no name of them may read as the N of a fit, which the first column is.
_COUNTS = {"embedding_params": "embedding", "n_position": "position", "n_blocks": "blocks", "n_head": "head"}


def ladder_upload(folder: Path) -> Upload:
    """The runs of a ladder that ended well, as a CSV file with one row each.

    Loss is the validation loss in nats per token. Trunks, probes and forecasts are no runs and are left out. A run that
    began with the weights of another has that run in the column ``started_from``, which keeps it out of laws unless
    they are asked for it, and a row for each look at its validation loss on the way: its curve.

    Parameters
    ----------
    folder : Path
        The ladder's folder.

    Raises
    ------
    UserError
        If no run has ended well.
    """
    results = [RunFolder(path.parent).result for path in sorted(folder.glob("*/result.json"))]
    ended = [result for result in results if result is not None]
    rows = [_row(result) for result in ended if is_point(result)]
    rows += [row for result in ended if is_tuned(result) for row in _tuned_rows(folder, result)]
    if not rows:
        raise UserError("No run of this ladder has ended well yet.", where=folder.name)
    frame = pd.DataFrame(rows)
    return Upload(f"{folder.name}.csv", safe_csv(frame.dropna(axis="columns", how="all")).encode())


def _tuned_rows(folder: Path, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The curve of a fine-tuned run, its trunk's part included, then its end."""
    run = RunFolder(folder / str(result["run"]))
    origin = started_from(run.path) or origin_of(result)["tuned_from"]
    end = _row(result) | {"started_from": origin, "start": "fine-tune", "train_loss": result.get("train_loss")}
    per_token = result["flops"] / result["tokens"]
    same = {name: end[name] for name in ("run", "params_non_embedding", "started_from", "start", "width", "layers")}
    for line in curve_of(run.path):
        if "val_loss" in line and 0 < line["step"] < result["steps"]:
            flops = line["tokens"] * per_token
            yield same | {name: line.get(name) for name in _LOOK} | {"flops": flops}
    yield end


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    counts, start = result.get("counts"), result.get("start")
    row = {column: result.get(name) for column, name in COLUMNS.items()}
    if isinstance(counts, Mapping):
        row |= {column: counts.get(name) for column, name in _COUNTS.items()}
    data = result.get("data")
    row[COUNTED_IN] = data.get("unit") if isinstance(data, Mapping) else None  # nothing where it is tokens of text
    row["start"] = str(start.get("kind")) if isinstance(start, Mapping) and start.get("folder") else "from nothing"
    return row
