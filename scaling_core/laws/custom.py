"""A law that a person types: ``custom:E + A/N**alpha + B/D**beta``.

The text becomes a tree of arithmetic (``custom_text``), the tree a law: values and exact derivatives on jets, what each
parameter is (``custom_roles``), how sizes move with units (``custom_centring``), where to start (``custom_starts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.laws.base import Allocation, Array, Predictors, Working
from scaling_core.laws.custom_centring import centring
from scaling_core.laws.custom_latex import formula
from scaling_core.laws.custom_roles import linear_in, roles
from scaling_core.laws.custom_starts import starts
from scaling_core.laws.custom_text import LETTERS, parse, with_columns
from scaling_core.laws.custom_tree import columns, evaluate, unknowns
from scaling_core.laws.formula import FormulaLaw
from scaling_core.laws.optimum import FLOPS_PER_PARAM_TOKEN, searched_split
from scaling_core.runs.schema import COLUMNS

FAMILY = "custom"
MAX_PARAMETERS = 12
#: A size that stands inside of a power may be far from 1 even in the middle of the runs: (Nc/N)^alpha with alpha .08.
_FAR = (1e-60, 1e60)
#: A size is looked for within so many times its start points.
_AWAY = 1e6
_SHOWN = 60
_LETTERS = ", ".join(f"{c} ({COLUMNS[LETTERS[c][0][0]].title.lower()})" for c in "NDCU")
_OWN = {"run", "loss", "line", "is_final"}


class CustomLaw(FormulaLaw):
    """A formula in quantities of the runs, with every other name a parameter.

    Raises
    ------
    UserError
        If the text is no formula, has nothing to fit, or too many parameters.
    """

    source = "a formula of one's own"

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._tree = parse(self.text)
        _check_size(self._tree)
        self._roles = roles(self._tree)
        self.name = f"{FAMILY}:{self.text}"
        self.title = f"Formula {self.text if len(self.text) <= _SHOWN else self.text[:_SHOWN] + '…'}"
        self.predictors = columns(self._tree)
        self.notes = _notes(self.predictors)
        self.parameters = tuple(r.parameter for r in self._roles.values())
        self.linear = linear_in(self._tree)
        kinds = {name: role.kind for name, role in self._roles.items()}
        sizes = {name for name, kind in kinds.items() if kind == "size"}
        exponents = {name for name, kind in kinds.items() if kind in ("exponent", "joint")}
        self.centring = centring(self._tree, sizes, exponents)
        self.reach = dict.fromkeys(sizes - set(self.linear), _FAR)
        self.latex = formula(self._tree, {}).replace("{", "{{").replace("}", "}}")

    def on(self, frame: pd.DataFrame) -> CustomLaw:
        """The same formula on some runs: a name that is a column of theirs is that column, and no parameter."""
        numeric = {c for c in frame.columns if isinstance(c, str) and pd.api.types.is_numeric_dtype(frame[c])}
        text = with_columns(self.text, frozenset(numeric - _OWN))
        return self if text == self.text else custom_law(text)

    def check(self, frame: pd.DataFrame) -> None:
        """Refuse runs without the columns that the formula reads, or with columns that it takes for parameters."""
        if not self.predictors:
            raise UserError(
                "The formula reads nothing of the runs.", fix=f"Use {_LETTERS}, M = D/N, or a column's name."
            )
        if "proxy_loss" in self.predictors and "proxy_loss" not in frame:
            raise UserError(
                "The formula reads the loss, which is what it should give.",
                fix="Take L out of it, or choose another column than the loss as what is fitted.",
            )
        super().check(frame)

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors; NaN where the formula has no value."""
        with np.errstate(all="ignore"):
            return evaluate(self._tree, p, z)

    def working(self, x: Predictors, loss_scale: float, *, centred: bool = True) -> Working:
        """Bind the law to runs for a solver; centred only where the formula can be in all that it reads."""
        bound = super().working(x, loss_scale, centred=centred)
        moved = {shift[-1] for shifts in self.centring.values() for shift in shifts}
        bound.centred = centred and moved >= set(self.predictors)
        self._keep_near(bound, x, loss_scale)
        return bound

    def _keep_near(self, bound: Working, x: Predictors, loss: float) -> None:
        """Bound the sizes that are not moved by centring near to what the runs suggest.

        One that should vanish would go on shrinking for ever: on its bound, it is seen to.
        """
        z = {name: np.log(np.asarray(values, dtype=float)) for name, values in x.items()}
        for name, values in self.points(z, np.full(1, loss)).items():
            i = self.parameter_names.index(name)
            if self.parameters[i].log and name not in self.centring:
                bound.lower[i] = max(bound.lower[i], np.log(values.min() / _AWAY))
                bound.upper[i] = min(bound.upper[i], np.log(values.max() * _AWAY))

    def points(self, z: Mapping[str, Array], loss: Array) -> dict[str, Array]:
        """Start points, (S,) of each parameter that is not linear."""
        return starts(self._tree, self._roles, self.linear, z, loss)

    def formula(self, numbers: Mapping[str, str] | None = None) -> str:
        """Return the formula in LaTeX, with symbols or with the given numbers in place of parameters."""
        return formula(self._tree, numbers or {})

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation | None:
        """Best N and D by search, where the formula reads nothing that they and C = 6ND do not give.

        Where it reads U, tokens are taken as new up to ``unique_tokens``.
        """
        read = set(self.predictors)
        if not read <= {"params", "tokens", "flops", "unique_tokens"} or len(read) < 2:
            return None
        product = np.asarray(flops, dtype=float) / FLOPS_PER_PARAM_TOKEN

        def loss(params: Array, tokens: Array) -> Array:
            unique = tokens if unique_tokens is None else np.minimum(tokens, unique_tokens)
            flops = FLOPS_PER_PARAM_TOKEN * params * tokens
            given = {"params": params, "tokens": tokens, "flops": flops, "unique_tokens": unique}
            return self.predict(theta, {name: given[name] for name in self.predictors})

        params = searched_split(loss, (*np.shape(theta)[:-1], np.size(flops)), product)
        tokens = product / params
        return Allocation(params, tokens, loss(params, tokens))


def _notes(predictors: tuple[str, ...]) -> tuple[str, ...]:
    own = [f"“{c}”" for c in predictors if c not in COLUMNS]
    return (f"The formula reads {', '.join(own)} of the runs.",) if own else ()


def _check_size(tree: Any) -> None:
    names = unknowns(tree)
    if not names:
        raise UserError("The formula has no parameters to fit.", fix="Give names to what should be found, say A or E.")
    if len(names) > MAX_PARAMETERS:
        raise UserError(
            f"The formula has {len(names)} parameters ({', '.join(names)}), more than {MAX_PARAMETERS}.",
            fix="Write numbers for some of them.",
        )


@lru_cache(maxsize=128)
def custom_law(text: str) -> CustomLaw:
    """Make the law of a formula."""
    return CustomLaw(text)
