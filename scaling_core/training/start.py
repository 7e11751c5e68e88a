"""Where a run begins: at nothing, at its own last checkpoint, on a trunk, or with the weights of another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from scaling_core.errors import UserError
from scaling_core.training.checkpoint import load
from scaling_core.training.folder import RunFolder
from scaling_core.training.models import family
from scaling_core.training.precision import Chosen, choose
from scaling_core.training.spec import TrainSpec


@dataclass(frozen=True)
class Beginning:
    """Where a run begins.

    Attributes
    ----------
    state : dict or None
        The checkpoint; None of a run that begins at nothing.
    how : {"nothing", "resume", "branch", "fine-tune"}
    tuned_from : dict or None
        The run whose weights it goes on with, be it through a trunk: ``run``, ``ladder``, ``folder``, ``tokens`` that
        the weights had seen, ``loss`` that they had come to on their own data where that is known.
    """

    state: dict[str, Any] | None
    how: str
    tuned_from: dict[str, Any] | None = None


def begin(spec: TrainSpec, folder: RunFolder, network: Mapping[str, Any], data: str) -> Beginning:
    """Return the checkpoint to begin with, and how.

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
        return Beginning(state, "resume", state.get("tuned_from"))
    if not spec.start.folder:
        return Beginning(None, "nothing")
    path = start_path(spec, folder)
    state = load(path)
    other = TrainSpec.from_json(state["spec"])
    tunes = spec.start.kind == "fine-tune"
    if not tunes:
        _check_branch(spec, other, int(state["step"]), path)
    _check_same(state, other, network, None if tunes else data, path)
    return Beginning(state, spec.start.kind, _tuned_from(state, path) if tunes else state.get("tuned_from"))


def _tuned_from(state: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What a fine-tuned run says of the run whose weights it takes."""
    run, other = RunFolder(path.parents[1]), TrainSpec.from_json(state["spec"])
    before = (state.get("tuned_from") or {}).get("tokens", 0)
    seen = int(state["step"]) * other.optimiser.batch_tokens + before
    loss = (run.result or {}).get("loss") if path == run.last else None
    return {"run": run.name, "ladder": run.path.parent.name, "folder": str(run.path), "tokens": seen, "loss": loss}


def kept(beginning: Beginning, spec: TrainSpec, device: torch.device) -> Chosen:
    """The number format of a run: as asked for, and where that is "auto" the one that it, or its trunk, began in.

    Raises
    ------
    UserError
        If the device has no units for the format.
    """
    width = spec.model.width if spec.model.family == "decoder" else 0
    state = beginning.state if beginning.how in ("resume", "branch") else None
    begun = (state or {}).get("precision")
    if spec.precision != "auto" or begun is None:
        return choose(spec.precision, device, width=width)
    try:
        return choose(begun, device, width=width)
    except UserError as error:
        raise UserError(
            f"It was begun in {begun}, and cannot go on so here: {error.what}",
            where=spec.name,
            fix=f"Resume it where there are units for {begun}, or start it anew: in another format it is another run.",
        ) from None


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
        wrong = next((name for name in theirs if theirs[name] != network.get(name)), "network")
        raise UserError(
            f"The checkpoint is of another network than this run asks for: {wrong} {theirs.get(wrong)}, not "
            f"{network.get(wrong)}.",
            where=str(path),
            fix="Ask for the network of the checkpoint, or start from another run.",
        )
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
