"""What a job can be: a registry of kinds, each with what runs it.

The module of a kind is imported in the worker when a job of that kind is taken up, so that nothing else needs torch.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder
from scaling_core.training.spec import TrainSpec

if TYPE_CHECKING:
    from scaling_core.jobs.control import Control

#: Reads the specification, does the work and calls ``folder.finish``; returns before that where ``control.check()``
#: says "pause" or "cancel", with a checkpoint left to go on from.
Runner = Callable[[RunFolder, "Control"], None]


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes
    ----------
    module, function : str
        Where its ``Runner`` is.
    check : callable
        Raises ``UserError`` where a specification cannot be read.
    span : callable
        Of a specification: the tokens that the run starts from and ends at, as its status counts them.
    """

    module: str
    function: str
    check: Callable[[str], object]
    span: Callable[[str], tuple[int, int]]

    def load(self) -> Runner:
        """Import what runs it."""
        runner: Runner = getattr(importlib.import_module(self.module), self.function)
        return runner


def _json_table(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError("The specification is no table of JSON.")
    return found


def _train_span(text: str) -> tuple[int, int]:
    spec = TrainSpec.from_json(text)
    branched = spec.start.folder and spec.start.kind == "branch"
    return (spec.start.tokens if branched else 0), spec.steps * spec.optimiser.batch_tokens


def _probe_span(text: str) -> tuple[int, int]:
    steps = _json_table(text).get("steps", 1)
    return 0, steps if isinstance(steps, int) else 1


KINDS: dict[str, Kind] = {
    "train": Kind("scaling_core.jobs.runners", "train_run", TrainSpec.from_json, _train_span),
    "forecast": Kind("scaling_core.jobs.runners", "forecast_ladder", _json_table, lambda _: (0, 1)),
    "probe": Kind("scaling_core.jobs.probe", "probe", _json_table, _probe_span),
}


def kind_of(folder: RunFolder) -> str:
    """The kind of a run folder; one made by hand, with a specification alone, is a training run."""
    try:
        return (folder.path / "kind").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return "train"
