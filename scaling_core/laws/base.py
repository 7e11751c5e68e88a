"""What a law is: a function of runs with unknown parameters, and what a solver needs to know about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.laws.optimum import FLOPS_PER_PARAM_TOKEN, searched_split

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int_]
#: Predictor columns by canonical name, each of shape (n,), or (..., n) to meet the leading axes of parameters.
Predictors = Mapping[str, Array]


@dataclass(frozen=True)
class Parameter:
    """An unknown of a law: its name, LaTeX symbol, meaning, unit and bounds (closed).

    ``log`` says that it is a positive scale, which a solver does well to move by factors.
    """

    name: str
    symbol: str
    meaning: str
    unit: str
    lower: float = 0.0
    upper: float = np.inf
    log: bool = False


class Allocation(NamedTuple):
    """The best N and D for a compute budget, and the loss they reach; arrays of one shape."""

    params: Array
    tokens: Array
    loss: Array


class Held(NamedTuple):
    """A parameter that the runs leave open, the value that it is held at, and why, for a person."""

    name: str
    value: float
    reason: str


class Evaluation(ABC):
    """A law at a batch of B parameter vectors, bound to n runs: value and derivatives from shared intermediates."""

    value: Array
    """Predicted loss over the loss scale, shape (B, n)."""

    @abstractmethod
    def rows(self, kept: Index) -> Evaluation:
        """The same at some of the parameter vectors, by index."""

    @abstractmethod
    def gradient(self) -> Array:
        """First derivatives of the value by working coordinates, shape (B, p, n)."""

    @abstractmethod
    def curvature(self, v: Array) -> Array:
        """Second derivatives of the value summed over runs with weights ``v`` (B, n): shape (B, p, p)."""


class Working(ABC):
    """A law bound to runs, in the coordinates a solver works in.

    Predictors are centred in ln and loss is divided by ``loss_scale``, so that all coordinates are of order one
    and nearly uncorrelated (uncentred, corr(ln A, alpha) is about .999).
    """

    lower: Array
    upper: Array
    #: Whether predictors are centred; without, parameters are more correlated than the runs can be blamed for.
    centred: bool = True

    @abstractmethod
    def coordinate(self, index: int, value: float) -> float:
        """Working coordinate of one parameter's value, for bounds; predictors must not be centred."""

    @abstractmethod
    def at(self, u: Array) -> Evaluation:
        """Evaluate at ``u`` of shape (B, p)."""

    @abstractmethod
    def only(self, kept: Mask) -> Working:
        """The same on some of the runs, in the same coordinates."""

    @abstractmethod
    def to_natural(self, u: Array) -> Array:
        """Parameters of the law, shape (..., p), from working coordinates of the same shape."""

    @abstractmethod
    def from_natural(self, theta: Array) -> Array:
        """Working coordinates, shape (..., p), from parameters of the law of the same shape."""

    @abstractmethod
    def starts(self, loss: Array) -> Array:
        """Start points, shape (S, p), for losses of shape (n,) already divided by ``loss_scale``."""


class Law(ABC):
    """A law of loss: its formula, parameters, values and derivatives.

    Attributes
    ----------
    name : str
        Identifier on the command line, in links and files.
    title : str
        What a person reads in a menu.
    latex : str
        The formula, with a field ``{name}`` for each parameter.
    predictors : tuple of str
        Canonical columns that the law reads.
    parameters : tuple of Parameter
        In the order of the last axis of ``theta``.
    where : str
        What symbols of the formula mean that are neither parameters nor predictors, as Markdown with LaTeX.
    source : str
        Where the form was published.
    notes : tuple of str
        What a person must know of every fit of this law.
    """

    name: str
    title: str
    latex: str
    predictors: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    source: str
    where: str = ""
    notes: tuple[str, ...] = ()

    def on(self, frame: pd.DataFrame) -> Law:
        """The law as it is read on these runs: one made of text learns which of its names are columns of theirs."""
        return self

    def check(self, frame: pd.DataFrame) -> None:
        """Refuse runs that this law is not about.

        Raises
        ------
        UserError
            If a column that the law reads is not there.
        """
        for name in self.predictors:
            if name not in frame or not pd.api.types.is_numeric_dtype(frame[name]):
                raise UserError(
                    f"{self.title} reads “{name}”, which these runs do not have as a number.",
                    fix="Choose another law, or name the column that holds it.",
                )

    def settle(self, frame: pd.DataFrame, chosen: frozenset[str] = frozenset()) -> tuple[Held, ...]:
        """Parameters that these rows can never tell from the others, with the values to hold them at.

        ``frame`` holds the rows to fit, ``chosen`` the names of parameters that a person bounds or fixes. A parameter
        that is held must not be moved by centring.
        """
        return ()

    @abstractmethod
    def predict(self, theta: Any, x: Predictors) -> Array:
        """Loss, shape (..., n), for parameters of shape (..., p) and predictors of shape (n,) or (..., n)."""

    @abstractmethod
    def jacobian(self, theta: Any, x: Predictors) -> Array:
        """Derivatives of the loss by the parameters, shape (..., n, p)."""

    @abstractmethod
    def working(self, x: Predictors, loss_scale: float, *, centred: bool = True) -> Working:
        """Bind the law to runs for a solver. Bounds on a parameter ask for predictors that are not centred."""

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation | None:
        """Best N and D for budgets ``flops`` with C = 6ND, where the law has both; else None.

        ``theta`` of shape (..., p) and ``flops`` of shape (m,) give arrays of shape (..., m), NaN where no split is
        best. ``unique_tokens`` counts for laws that know of repeated data. A law that has a closed form says so.
        """
        if set(self.predictors) != {"params", "tokens"}:
            return None
        shape = (*np.shape(theta)[:-1], np.size(flops))

        def loss(params: Array, tokens: Array) -> Array:
            return self.predict(theta, {"params": params, "tokens": tokens})

        return allocate(self, theta, flops, lambda product: searched_split(loss, shape, product))

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(p.name for p in self.parameters)

    def formula(self, numbers: Mapping[str, str] | None = None) -> str:
        """Return the formula in LaTeX, with symbols or with the given numbers in place of parameters."""
        values = {p.name: (numbers or {}).get(p.name, p.symbol) for p in self.parameters}
        return self.latex.format(**values)


def allocate(law: Law, theta: Any, flops: Any, split: Callable[[Array], Array], **others: Array) -> Allocation:
    """N by ``split`` of N·D (m,), the D that is left of each budget, and the loss of ``law`` there.

    ``others`` are further predictors of the law.
    """
    product = np.asarray(flops, dtype=float) / FLOPS_PER_PARAM_TOKEN
    params = split(product)
    tokens = product / params
    return Allocation(params, tokens, law.predict(theta, {"params": params, "tokens": tokens, **others}))
