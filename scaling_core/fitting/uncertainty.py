"""How sure a fit is: ways to draw other parameters that the runs might as well have given. One registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.fitting.bootstrap import bootstrap, resample_counts
from scaling_core.laws import Array

if TYPE_CHECKING:
    from scaling_core.fitting.fit import Posed

Draws = tuple[Array, int]


@dataclass(frozen=True)
class Method:
    """A way to draw parameters.

    ``draw(posed, u, resamples, seed)`` returns working coordinates (R, p) and how many draws were lost.
    """

    name: str
    title: str
    about: str
    draw: Callable[[Posed, Array, int, int], Draws]


def _pairs(posed: Posed, u: Array, resamples: int, seed: int) -> Draws:
    """Pair bootstrap (Efron 1979): refit on runs drawn with replacement; checkpoints of a run are drawn together."""
    counts = resample_counts(posed.groups, resamples, posed.problem.free, seed)
    return bootstrap(posed.problem, u, counts * posed.weights)


METHODS: dict[str, Method] = {
    m.name: m for m in (Method("pairs", "Pair bootstrap", "refits on runs drawn with replacement", _pairs),)
}

DEFAULT_METHOD = "pairs"


def get_method(name: str) -> Method:
    """Return a method by name, or raise UserError with the choices."""
    if name not in METHODS:
        raise UserError(f"There is no way to draw called “{name}”.", fix=f"Choose one of: {', '.join(METHODS)}.")
    return METHODS[name]
