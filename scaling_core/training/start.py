"""Where a run begins: at nothing, at its own last checkpoint, on a trunk, or with the weights of another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.training.checkpoint import load
from scaling_core.training.folder import RunFolder
from scaling_core.training.models import family
from scaling_core.training.spec import TrainSpec


def begin(
    spec: TrainSpec, folder: RunFolder, network: Mapping[str, Any], data: str
) -> tuple[dict[str, Any] | None, str]:
    """Return the checkpoint to begin with, and how: "resume", "branch", "fine-tune" or "nothing".

    A specification that leaves the heads to the family, or names a folder, can come to mean something else: another
    version of the library, other files. So a checkpoint is held against what the run really has.

    Parameters
    ----------
    network : mapping
        The run's resolved ``ModelSpec``.
    data : str
        SHA-256 of the run's data; empty where they have none.

    Raises
    ------
    UserError
        If the checkpoint is not there, or belongs to another network, other data or another batch.
    """
    if folder.last.exists():
        state = load(folder.last)
        _check_same(state, TrainSpec.from_json(state["spec"]), network, data, folder.last)
        return state, "resume"
    if not spec.start.folder:
        return None, "nothing"
    path = start_path(spec, folder)
    state = load(path)
    other = TrainSpec.from_json(state["spec"])
    tunes = spec.start.kind == "fine-tune"
    if not tunes:
        _check_branch(spec, other, int(state["step"]), path)
    _check_same(state, other, network, None if tunes else data, path)
    return state, spec.start.kind


def start_path(spec: TrainSpec, folder: RunFolder) -> Path:
    """The checkpoint that a specification starts from; a relative folder lies beside the run's own."""
    other = RunFolder((folder.path.parent / spec.start.folder).resolve())
    return other.kept(spec.start.tokens) if spec.start.tokens else other.last


def _check_same(
    state: Mapping[str, Any], other: TrainSpec, network: Mapping[str, Any], data: str | None, path: Path
) -> None:
    """Refuse a checkpoint of another network, or, unless ``data`` is None, of other data."""
    theirs = state.get("model") or asdict(family(other.model.family).resolved(other.model))
    if theirs != network:
        raise UserError("The checkpoint is of another network than this run asks for.", where=str(path))
    if data is not None and state.get("data", data) != data:
        raise UserError(
            "The data are not those that the checkpoint was trained on.",
            where=str(path),
            fix="Bring the files back as they were, or start the run anew.",
        )


def _check_branch(spec: TrainSpec, other: TrainSpec, step: int, path: Path) -> None:
    if spec.data != other.data or spec.optimiser.batch_tokens != other.optimiser.batch_tokens:
        raise UserError(
            "A branch must go on with the data and the batch of its trunk.",
            where=str(path),
            fix="Start it as “fine-tune”, which takes the weights alone.",
        )
    if spec.steps <= step:
        raise UserError(f"The run ends at {spec.tokens:,} tokens, which its trunk has already seen.", where=str(path))
