"""What a person asks: a budget or a loss to reach, the data there is, the demand to serve, and the machine."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.planning.budget import Terms
from scaling_core.planning.demand import Demand
from scaling_core.planning.energy import PowerTerms
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.repeats import Decay

#: Below one FLOP nothing is trained; above this the sum of all computing on Earth is passed many times over.
MIN_FLOPS, MAX_FLOPS = 1.0, 1e40


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
                f"A budget of {self.flops:g} FLOPs cannot be planned for.",
                fix=f"Give one between {MIN_FLOPS:g} and {MAX_FLOPS:g} FLOPs, say 1e22.",
            )
        if self.loss is not None and not 0 < self.loss < math.inf:
            raise UserError(f"A loss of {self.loss:g} cannot be planned for.", fix="Give one above zero, 2.1 say.")
        if self.params is not None and not 1 <= self.params < math.inf:
            raise UserError(f"A model of {self.params:g} parameters cannot be.", fix="Give a size like 7B.")
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
    def from_json(cls, data: dict[str, Any]) -> Scenario:
        """Rebuild from ``to_json``; what is left out takes its default.

        Raises
        ------
        UserError
            If a part is unknown, of another kind or impossible.
        """
        known = {"flops", "loss", "params", "level", "unique_tokens", "decay", "demand", "terms"}
        if unknown := sorted(set(data) - known):
            raise UserError(f"A scenario has no “{unknown[0]}”.", fix=f"It may have: {', '.join(sorted(known))}.")
        try:
            unique = data.get("unique_tokens")
            return cls(
                flops=_maybe(data.get("flops")),
                loss=_maybe(data.get("loss")),
                params=_maybe(data.get("params")),
                level=float(data.get("level", DEFAULT_LEVEL)),
                unique_tokens=math.inf if unique is None else float(unique),
                decay=Decay(**(data.get("decay") or {})),
                demand=Demand(**(data.get("demand") or {})),
                terms=_terms_from_json(data["terms"]) if data.get("terms") else None,
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"This is not a scenario ({error}).", fix="Use one that Scaling Explorer saved.") from error


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)


def _terms_to_json(terms: Terms) -> dict[str, Any]:
    own = {k: v for k, v in vars(terms).items() if k not in ("hardware", "power")}
    return {**own, "hardware": terms.hardware.to_json(), "power": asdict(terms.power)}


def _terms_from_json(data: dict[str, Any]) -> Terms:
    rest = {k: v for k, v in data.items() if k not in ("hardware", "power")}
    return Terms(Hardware.from_json(data["hardware"]), power=PowerTerms(**data["power"]), **rest)
