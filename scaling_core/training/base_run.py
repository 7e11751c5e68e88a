"""A finished run with whose weights others begin: what they must know of it. Nothing here needs torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.training.folder import CHECKPOINT_VERSION, RunFolder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models import DataShape, family
from scaling_core.training.spec import DataSpec, ModelSpec, TrainSpec

_FINISHED = "Only a run that has ended well can be started from; `jobs list --all` says which have."


@dataclass(frozen=True)
class BaseRun:
    """A run that has ended well, with its weights.

    Attributes
    ----------
    folder : Path
        Its run folder, absolute.
    spec : TrainSpec
    params : int
        N of the fits: blocks and head.
    tokens : int
        Tokens that its weights have seen, those of the run that it began with itself included.
    loss : float
        Validation loss on its own data, nats.
    shape : mapping
        ``DataShape`` of what it learned.
    """

    folder: Path
    spec: TrainSpec
    params: int
    tokens: int
    loss: float
    shape: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def ladder(self) -> str:
        """Name of the folder that its ladder lies in."""
        return self.folder.parent.name

    @property
    def size(self) -> str:
        """Width and layers as a ladder states them, "64/4"."""
        model = self.spec.model
        return f"{model.width}/{model.layers}" + (f"/{model.heads}" if model.heads else "")


def read_base(folder: Path) -> BaseRun:
    """Read a finished run.

    Raises
    ------
    UserError
        If the folder is none of a training run, or the run has not ended well or has no weights that fit any more.
    """
    run = RunFolder(folder.expanduser().absolute())
    try:
        spec = TrainSpec.from_json(run.spec_json)
    except OSError:
        raise UserError("There is no run folder.", where=str(folder), fix=_FINISHED) from None
    except UserError:
        raise UserError("This is the folder of no training run.", where=str(folder), fix=_FINISHED) from None
    result = run.result
    if result is None:
        state = run.status.state if run.status else "queued"
        raise UserError(f"The run “{run.name}” has not ended well: it is {state}.", where=str(folder), fix=_FINISHED)
    if not run.last.exists():
        raise UserError(
            f"The run “{run.name}” has no weights any more.",
            where=str(run.last),
            fix="Put its last checkpoint back, or start from another run.",
        )
    if result.get("checkpoint_version") != CHECKPOINT_VERSION:
        raise UserError(
            f"The weights of the run “{run.name}” are of another version of the networks: they fit none of today's.",
            where=str(run.last),
            fix="Train it anew, or start from a run that was trained since.",
        )
    return _base(run, spec, result)


def _base(run: RunFolder, spec: TrainSpec, result: Mapping[str, Any]) -> BaseRun:
    try:
        before = (result.get("tuned_from") or {}).get("tokens", 0)
        tokens, loss, params = int(result["tokens"]) + int(before), float(result["loss"]), int(result["n_params"])
        return BaseRun(run.path, spec, params, tokens, loss, dict(result["shape"]))
    except (KeyError, TypeError, ValueError):
        raise UserError("What the run came to cannot be read.", where=str(run.path / "result.json")) from None


def continued(spec: LadderSpec, base: BaseRun) -> LadderSpec:
    """The ladder at the size, family and context of the run that it starts from.

    Raises
    ------
    UserError
        If the ladder names another size.
    """
    model = base.spec.model
    if other := [size for size, asked in zip(spec.sizes, spec.models, strict=True) if not _same_size(asked, model)]:
        raise UserError(
            f"The run “{base.name}” is of size {base.size}, not {other[0]}: its weights fit no other.",
            where="sizes",
            fix=f"Leave “sizes” out, or start from a run of size {other[0]}.",
        )
    count = len(spec.budgets) if spec.design == "list" else 1
    return replace(
        spec, start=str(base.folder), sizes=(base.size,) * count, family=model.family, context=model.context,
    )  # fmt: skip


def _same_size(asked: ModelSpec, model: ModelSpec) -> bool:
    return (asked.width, asked.layers) == (model.width, model.layers) and asked.heads in (0, model.heads)


def resolved(spec: LadderSpec) -> tuple[LadderSpec, BaseRun | None]:
    """The ladder at the size of the run that it starts from, and that run; as it is where it starts from none.

    Raises
    ------
    UserError
        If that run cannot be started from, or the ladder names another size than its.
    """
    if not spec.start:
        return spec, None
    base = read_base(Path(spec.start))
    return continued(spec, base), base


def called_after(source: str, base: BaseRun) -> str:
    """A name for a ladder that starts from a run: "text from w64-l4-1.05M"."""
    return re.sub(r"[^\w .()+-]+", "-", f"{source} from {base.name}")[:60]


def check_fits(base: BaseRun, data: DataSpec, shape: DataShape) -> None:
    """Refuse data that the network of a run cannot take in, or give answers to.

    Raises
    ------
    UserError
        With both kinds of data.
    """
    kind, learned = family(base.spec.model.family), base.spec.data.source
    fix = f"Choose data like those of “{learned}”, or start from a run that learned the like of “{data.source}”."
    if shape.kind not in kind.kinds:
        raise UserError(
            f"The run “{base.name}” learned “{learned}”; its network, a {kind.name}, cannot learn from "
            f"“{data.source}”.",
            where=str(base.folder),
            fix=fix,
        )
    for name, title in (("symbols", "different symbols"), ("outputs", "different answers")):
        if base.shape.get(name) != getattr(shape, name):
            raise UserError(
                f"The weights of the run “{base.name}” are made for {base.shape[name]:,} {title}; “{data.source}” has "
                f"{getattr(shape, name):,}.",
                where=str(base.folder),
                fix=fix,
            )
