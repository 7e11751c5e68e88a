"""Where a run begins: at nothing, at its own last checkpoint, on a trunk, or with the weights of another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.training.checkpoint import load
from scaling_core.training.folder import RunFolder
from scaling_core.training.spec import TrainSpec


def begin(spec: TrainSpec, folder: RunFolder) -> tuple[dict[str, Any] | None, str]:
    """Return the checkpoint to begin with, and how: "resume", "branch", "fine-tune" or "nothing".

    Raises
    ------
    UserError
        If the checkpoint is not there, or belongs to another network, other data or another batch.
    """
    if folder.last.exists():
        return load(folder.last), "resume"
    if not spec.start.folder:
        return None, "nothing"
    path = start_path(spec, folder)
    state = load(path)
    _check(spec, TrainSpec.from_json(state["spec"]), int(state["step"]), path)
    return state, spec.start.kind


def start_path(spec: TrainSpec, folder: RunFolder) -> Path:
    """The checkpoint that a specification starts from; a relative folder lies beside the run's own."""
    other = RunFolder((folder.path.parent / spec.start.folder).resolve())
    return other.kept(spec.start.tokens) if spec.start.tokens else other.last


def _check(spec: TrainSpec, other: TrainSpec, step: int, path: Path) -> None:
    if spec.model != other.model:
        raise UserError("The checkpoint is of another network than this run asks for.", where=str(path))
    if spec.start.kind == "fine-tune":
        return
    if spec.data != other.data or spec.optimiser.batch_tokens != other.optimiser.batch_tokens:
        raise UserError(
            "A branch must go on with the data and the batch of its trunk.",
            where=str(path),
            fix="Start it as “fine-tune”, which takes the weights alone.",
        )
    if spec.steps <= step:
        raise UserError(f"The run ends at {spec.tokens:,} tokens, which its trunk has already seen.", where=str(path))
