"""How sure a fit is: ways to draw other parameters that the runs might as well have given. One registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.fitting.bootstrap import pairs
from scaling_core.fitting.laplace import laplace
from scaling_core.fitting.wild import wild
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
    return pairs(posed.problem, u, posed.weights, posed.groups, resamples, seed)


def _wild(posed: Posed, u: Array, resamples: int, seed: int) -> Draws:
    return wild(posed.problem, u, posed.weights, posed.groups, resamples, seed)


def _laplace(posed: Posed, u: Array, resamples: int, seed: int) -> Draws:
    return laplace(posed.problem, u, posed.weights, posed.groups, resamples, seed), 0


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("pairs", "Pair bootstrap", "refits on runs drawn with replacement", _pairs),
        Method("wild", "Wild bootstrap", "refits where residuals change sign", _wild),
        Method("laplace", "Normal approximation", "draws around the fit", _laplace),
    )
}

DEFAULT_METHOD = "pairs"


def get_method(name: str) -> Method:
    """Return a method by name, or raise UserError with the choices."""
    if name not in METHODS:
        raise UserError(f"There is no way to draw called “{name}”.", fix=f"Choose one of: {', '.join(METHODS)}.")
    return METHODS[name]
