"""The units a loss comes in, and how each becomes nats per token."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_core.errors import UserError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LossUnit:
    """A unit of loss.

    ``to_nats`` takes losses of any shape and the bytes per token, and gives nats per token of the same shape.
    """

    name: str
    title: str
    rule: str
    to_nats: Callable[[Floats, float], Floats]
    needs_bytes_per_token: bool = False


def _log_above_one(values: Floats) -> Floats:
    # A perplexity of 1 or less says that nothing is left to learn, or that it is none.
    return np.log(np.where(values > 1, values, np.nan))


LOSS_UNITS: dict[str, LossUnit] = {
    unit.name: unit
    for unit in (
        LossUnit("nats", "nats per token", "as they are", lambda x, _: x),
        LossUnit("bits", "bits per token", "times ln 2", lambda x, _: x * math.log(2)),
        LossUnit(
            "bits_per_byte",
            "bits per byte",
            "times ln 2 times bytes per token",
            lambda x, ratio: x * (math.log(2) * ratio),
            needs_bytes_per_token=True,
        ),
        LossUnit("perplexity", "perplexity per token", "natural logarithm", lambda x, _: _log_above_one(x)),
    )
}


def check_loss_unit(name: str) -> LossUnit:
    """Return the unit of that name.

    Raises
    ------
    UserError
        If there is none; the message lists the choices.
    """
    if name not in LOSS_UNITS:
        raise UserError(f"“{name}” is not a unit of loss.", fix=f"Choose one of {', '.join(LOSS_UNITS)}.")
    return LOSS_UNITS[name]
