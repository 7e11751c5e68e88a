"""The finished runs of a ladder as a file of runs, the way any other log comes in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs import Upload, safe_csv
from scaling_core.training.folder import RunFolder
from scaling_core.training.outcomes import is_point

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
#: Counts of parameters by class; no name of them may read as the N of a fit, which the first column is.
_COUNTS = {"embedding_params": "embedding", "n_position": "position", "n_blocks": "blocks", "n_head": "head"}


def ladder_upload(folder: Path) -> Upload:
    """The runs of a ladder that ended well, as a CSV file with one row each.

    Loss is the validation loss in nats per token. Trunks, probes and forecasts are no runs and are left out; so are
    runs fine-tuned from others, which are no points of a law (``outcomes.is_point``).

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
    rows = [_row(result) for result in results if result is not None and is_point(result)]
    if not rows:
        raise UserError("No run of this ladder has ended well yet.", where=folder.name)
    frame = pd.DataFrame(rows)
    return Upload(f"{folder.name}.csv", safe_csv(frame.dropna(axis="columns", how="all")).encode())


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    counts, start = result.get("counts"), result.get("start")
    row = {column: result.get(name) for column, name in COLUMNS.items()}
    if isinstance(counts, Mapping):
        row |= {column: counts.get(name) for column, name in _COUNTS.items()}
    row["start"] = str(start.get("kind")) if isinstance(start, Mapping) and start.get("folder") else "from nothing"
    return row
