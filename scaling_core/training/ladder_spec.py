"""What a ladder is to be: sizes, budgets and how they are crossed; the same in a TOML file, a preset and a page."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from scaling_core.errors import UserError
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec, Precision

Design = Literal["grid", "isoflop", "fixed-ratio", "list"]
DESIGNS: dict[Design, str] = {
    "grid": "Every size at every number of tokens",
    "isoflop": "Every size at every budget of FLOPs",
    "fixed-ratio": "Every size at every number of tokens per parameter",
    "list": "Single runs, each with its own size and tokens",
}
_SIZE = re.compile(r"^\s*(\d+)\s*/\s*(\d+)\s*(?:/\s*(\d+)\s*)?$")
_NAME = re.compile(r"^[\w][\w .()+-]{0,59}$")


@dataclass(frozen=True)
class ForecastSpec:
    """How the law is fitted that says what the held-back run will reach.

    Attributes
    ----------
    law, objective : str
        Names in ``LAWS`` and ``OBJECTIVES``.
    min_tokens : int
        Runs of fewer tokens are left out: they are still in the steep fall after the start, where a law of powers does
        not hold yet.
    level : float
        Level of the interval.
    draws, seed : int
    """

    law: str = "chinchilla"
    objective: str = "huber-log"
    min_tokens: int = 0
    level: float = 0.9
    draws: int = 400
    seed: int = 0


@dataclass(frozen=True)
class LadderSpec:
    """A ladder of runs.

    Attributes
    ----------
    name : str
    sizes : tuple of str
        Width and layers of each size, "64/4"; with heads, "64/4/2".
    budgets : tuple of float
        By design: tokens of a run, its FLOPs, or its tokens per parameter. A "list" has one, in tokens, for each size.
    design : {"grid", "isoflop", "fixed-ratio", "list"}
        "list" pairs sizes and budgets in order, and a size may stand in it more than once; the others cross them.
    share_trunk : bool
        Train the stable part of a size once and branch every cool-down off it.
    hold_back : bool
        Train the end of the largest run only after the law of all others has said what it will reach.
    start : str
        A finished run of this machine with whose weights every run begins: its folder, the id of its job, or its name
        ("w64-l4-1.05M", or with its ladder "first/w64-l4-1.05M"). Sizes, family and context are then that run's, and
        ``sizes`` may be left out; budgets count the tokens of this ladder alone. Its runs are no points of a law.
    family, context, data, optimiser, seed, device, precision, compile, processes
        As in ``TrainSpec``, for every run.
    forecast : ForecastSpec
    """

    name: str
    sizes: tuple[str, ...] = ()
    budgets: tuple[float, ...] = ()
    design: Design = "grid"
    share_trunk: bool = True
    hold_back: bool = True
    start: str = ""
    family: str = "decoder"
    context: int = 128
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool | None = None
    processes: int = 1
    data: DataSpec = field(default_factory=DataSpec)
    optimiser: OptimiserSpec = field(default_factory=OptimiserSpec)
    forecast: ForecastSpec = field(default_factory=ForecastSpec)

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise UserError(f"“{self.name}” is no name for a ladder.", where="name", fix=_NAME_FIX)
        if not self.sizes and not self.start:
            raise UserError("A ladder needs sizes.", where="sizes", fix='Give them as ["32/2", "64/4"].')
        if not self.budgets:
            raise UserError("A ladder needs budgets.", where="budgets", fix="Give them as [1e6, 2e6].")
        for budget in self.budgets:
            if not 0 < budget < math.inf:
                raise UserError(f"A budget of {budget:g} is not possible.", where="budgets", fix="Give one above 0.")
        models = self.models
        if self.design == "list" and models and len(models) != len(self.budgets):
            raise UserError("A list needs a budget for each size.", where="budgets", fix=f"Give {len(models)} of them.")
        if self.design != "list" and len(set(models)) < len(models):
            raise UserError("A size stands here twice.", where="sizes", fix="Leave one of them out.")
        if not 0 < self.forecast.level < 1:
            raise UserError("The level is a share between 0 and 1.", where="forecast.level", fix="Write 0.9.")

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """The network of each size."""
        return tuple(_model(text, self.family, self.context) for text in self.sizes)

    @property
    def cells(self) -> dict[ModelSpec, tuple[float, ...]]:
        """The budgets of each network."""
        if self.design != "list":
            return dict.fromkeys(self.models, self.budgets)
        pairs = list(zip(self.models, self.budgets, strict=True))
        return {model: tuple(b for m, b in pairs if m == model) for model in dict.fromkeys(self.models)}


_NAME_FIX = "Use 1 to 60 letters, digits, spaces and . - _ + ( )."


def _model(text: str, family: str, context: int) -> ModelSpec:
    match = _SIZE.match(text)
    if not match:
        raise UserError(f"“{text}” is no size.", where="sizes", fix="Write width/layers, say 64/4.")
    width, layers, heads = (int(part or 0) for part in match.groups())
    if not width or not layers:
        raise UserError(f"“{text}” is no size.", where="sizes", fix="Width and layers are at least 1.")
    return ModelSpec(family, width, layers, heads, context)
