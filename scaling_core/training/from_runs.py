"""A ladder of runs that somebody asks for by N and D: the next experiments of a plan, or any list of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models import family
from scaling_core.training.models.base import DataShape
from scaling_core.training.presets import SHAPES
from scaling_core.training.rungs import Facts, facts_of
from scaling_core.training.spec import ModelSpec

#: A size asked for is met by one that differs from it by no more than this; beyond, nothing here comes near.
_NEAR = 0.2
_STEP = 16


def ladder_from_runs(runs: pd.DataFrame, base: LadderSpec, facts: Facts | None = None) -> LadderSpec:
    """A ladder of single runs with the ``params`` and ``tokens`` of each row, at the nearest sizes that can be built.

    Parameters
    ----------
    runs : pandas.DataFrame
        ``Experiments.runs``, or any frame with ``params`` and ``tokens``.
    base : LadderSpec
        Name, data, optimiser and the rest.

    Raises
    ------
    UserError
        If a column is missing, there is no row, or a size is far from any that can be built.
    """
    if missing := [name for name in ("params", "tokens") if name not in runs]:
        raise UserError(f"The runs have no column “{missing[0]}”.", fix="Give params and tokens for each run.")
    if runs.empty:
        raise UserError("There is no run in it.")
    shape = (facts or facts_of(base)).shape
    sizes = tuple(nearest_size(float(n), base, shape) for n in runs["params"])
    return replace(base, design="list", sizes=sizes, budgets=tuple(float(d) for d in runs["tokens"]))


def nearest_size(params: float, base: LadderSpec, shape: DataShape) -> str:
    """Width and layers, "64/4", whose blocks and head come nearest to ``params`` at a usual ratio of the two.

    Raises
    ------
    UserError
        If none comes within a fifth.
    """
    found = [(_off(n, params), model) for model in _sizes(base) if (n := _params(model, shape))]
    off, best = min(found, key=lambda pair: pair[0])
    if not off <= math.log1p(_NEAR):
        raise UserError(
            f"No size of the family “{base.family}” comes near {params:.3g} parameters.",
            fix="Ask for other sizes, or write a ladder file with your own.",
        )
    return f"{best.width}/{best.layers}"


def _params(model: ModelSpec, shape: DataShape) -> int | None:
    """N of a network; None of one that cannot be built, since its width does not divide into heads."""
    try:
        return family(model.family).count(model, shape).fitted
    except UserError:
        return None


def _off(params: int, wanted: float) -> float:
    return abs(math.log(params / wanted)) if wanted > 0 else math.inf


def _sizes(base: LadderSpec) -> list[ModelSpec]:
    """Widths in steps of 16, each with the layers that the table gives its neighbours, or one more or less."""
    known = [tuple(map(int, text.split("/"))) for text in SHAPES]
    widths = [*range(_STEP, 256, _STEP), *range(256, known[-1][0] + 1, 4 * _STEP)]
    models = []
    for width in widths:
        usual = min(known, key=lambda pair: abs(math.log(pair[0] / width)))[1]
        models += [ModelSpec(base.family, width, max(1, usual + more), 0, base.context) for more in (0, -1, 1)]
    return models
