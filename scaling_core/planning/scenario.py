"""What a person asks: a budget or a loss to reach, the data there is, the demand to serve, and the machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from numbers import Real
from typing import Any

from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.planning.budget import Terms
from scaling_core.planning.demand import Demand
from scaling_core.planning.energy import ACCELERATORS_ONLY, PowerTerms
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.repeats import Decay
from scaling_core.units import format_flops, format_number

#: Below one FLOP nothing is trained; above this the sum of all computing on Earth is passed many times over.
MIN_FLOPS, MAX_FLOPS = 1.0, 1e40
#: A million times the largest models there are.
MAX_PARAMS = 1e20


@dataclass(frozen=True)
class Scenario:
    """A question to a planner.

    Attributes
    ----------
    flops : float, optional
        Training compute to spend. Either this or ``loss`` is given.
    level : float
        Level of the intervals.
    loss : float, optional
        Loss to reach, at the lowest cost.
    params : float, optional
        A size that is wanted, in place of the best one.
    unique_tokens : float
        Distinct tokens that there are to train on; infinite for endless data.
    decay : Decay
        What repeated tokens and excess parameters are worth, where the law does not say.
    demand : Demand
        What the model will serve over its life.
    terms : Terms, optional
        Hardware, utilisation and prices; without, there is no time, cost or energy.
    """

    flops: float | None = None
    level: float = DEFAULT_LEVEL
    loss: float | None = None
    params: float | None = None
    unique_tokens: float = math.inf
    decay: Decay = field(default_factory=Decay)
    demand: Demand = field(default_factory=Demand)
    terms: Terms | None = None

    def __post_init__(self) -> None:
        if (self.flops is None) == (self.loss is None):
            raise UserError("A plan needs a budget or a loss to reach, not both.", fix="Give one of the two.")
        if self.flops is not None and not (math.isfinite(self.flops) and MIN_FLOPS <= self.flops <= MAX_FLOPS):
            raise UserError(
                f"A budget of {format_flops(self.flops)} FLOPs cannot be planned for.",
                fix=f"Give one between 1 and {format_flops(MAX_FLOPS)} FLOPs, say 1e22.",
            )
        if self.loss is not None and not 0 < self.loss < math.inf:
            raise UserError(f"A loss of {self.loss:g} cannot be planned for.", fix="Give one above zero, 2.1 say.")
        if self.params is not None and not 1 <= self.params <= MAX_PARAMS:
            raise UserError(
                f"A model of {format_number(self.params)} parameters cannot be planned for.",
                fix=f"Give a size like 7B, between 1 and {format_number(MAX_PARAMS)}.",
            )
        if not self.unique_tokens >= 1:
            raise UserError("There must be at least one token to train on.", fix="Give the unique tokens, 1T say.")
        if not 0 < self.level < 1:
            raise UserError(f"An interval of level {self.level:g} cannot be.", fix="Give one between 0 and 1, 0.9 say.")

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON types; endless data is null."""
        return {
            "flops": self.flops,
            "loss": self.loss,
            "params": self.params,
            "level": self.level,
            "unique_tokens": self.unique_tokens if math.isfinite(self.unique_tokens) else None,
            "decay": asdict(self.decay),
            "demand": asdict(self.demand),
            "terms": _terms_to_json(self.terms) if self.terms else None,
        }

    @classmethod
    def from_json(cls, data: Any) -> Scenario:
        """Rebuild from ``to_json``; what is left out takes its default.

        Raises
        ------
        UserError
            If it is no mapping, or a part is unknown, of another kind or impossible.
        """
        data = _mapping(data, "A scenario")
        known = {"flops", "loss", "params", "level", "unique_tokens", "decay", "demand", "terms"}
        if unknown := sorted(set(data) - known, key=str):
            raise UserError(f"A scenario has no “{unknown[0]}”.", fix=f"It may have: {', '.join(sorted(known))}.")
        parts: dict[str, Callable[[Any], Any]] = {
            "decay": _decay_from_json,
            "demand": _demand_from_json,
            "terms": _terms_from_json,
        }
        try:
            made: dict[str, Any] = {
                name: parts.get(name, partial(_number, name))(data[name])
                for name in known
                if data.get(name) is not None
            }
            return cls(**made)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"This is not a scenario ({error}).", fix=_SAVED) from error


_SAVED = "Use one that Scaling Explorer saved."


def _mapping(data: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise UserError(f"{what} is made of names and values, not of “{str(data)[:40]}”.", fix=_SAVED)
    return data


def _number(name: str, value: Any) -> float:
    """One finite number as a float."""
    try:
        good = isinstance(value, Real) and value is not True and value is not False and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        good = False
    if not good:
        shown = str(value) if not isinstance(value, int) or abs(value) < 10**40 else "a number beyond all bounds"
        raise UserError(f"“{name}” of a scenario is one finite number, not {shown[:40]}.", fix=_SAVED)
    return float(value)


def _numbers(data: Mapping[str, Any], words: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Values as floats, but those of ``words`` and nulls as they are."""
    return {k: v if v is None or k in words else _number(k, v) for k, v in data.items()}


def _decay_from_json(data: Any) -> Decay:
    return Decay(**_numbers(_mapping(data, "A decay")))


def _demand_from_json(data: Any) -> Demand:
    return Demand(**_numbers(_mapping(data, "A demand")))


def _terms_to_json(terms: Terms) -> dict[str, Any]:
    own = {k: v for k, v in vars(terms).items() if k not in ("hardware", "power")}
    return {**own, "hardware": terms.hardware.to_json(), "power": asdict(terms.power)}


def _terms_from_json(data: Any) -> Terms:
    data = _mapping(data, "The machine of a scenario")
    if data.get("hardware") is None:
        raise UserError("The machine of the scenario has no “hardware”.", fix=_SAVED)
    rest = {k: v for k, v in data.items() if k not in ("hardware", "power")}
    power = ACCELERATORS_ONLY if data.get("power") is None else _power_from_json(data["power"])
    machine = Hardware.from_json(_mapping(data["hardware"], "An accelerator"))
    return Terms(machine, power=power, **_numbers(rest, frozenset({"precision"})))


def _power_from_json(data: Any) -> PowerTerms:
    return PowerTerms(**_numbers(_mapping(data, "The power of a scenario"), frozenset({"convention"})))
