"""The laws: one registry. A new law is a file here and a line below."""

from __future__ import annotations

from collections.abc import Callable

from scaling_core.errors import UserError
from scaling_core.laws.base import Allocation, Array, Evaluation, Index, Law, Mask, Parameter, Predictors, Working
from scaling_core.laws.chinchilla import FLOPS_PER_PARAM_TOKEN, Chinchilla
from scaling_core.laws.gamma import GammaForm
from scaling_core.laws.power import PowerLaw

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Chinchilla(),
        *(PowerLaw(x, offset=offset) for x in ("flops", "params", "tokens") for offset in (True, False)),
        GammaForm(),
    )
}

#: Laws made to measure, by the word before the colon of their names: what stands behind it makes the law.
FAMILIES: dict[str, Callable[[str], Law]] = {}


def get_law(name: str) -> Law:
    """Return a law by name, or make one from ``FAMILY:TEXT``.

    Raises
    ------
    UserError
        If there is no law of that name.
    """
    family, colon, text = name.partition(":")
    if colon and family in FAMILIES:
        return FAMILIES[family](text)
    if name not in LAWS:
        raise UserError(f"There is no law called “{name}”.", fix=f"Choose one of: {', '.join(LAWS)}.")
    return LAWS[name]


__all__ = [
    "FLOPS_PER_PARAM_TOKEN",
    "LAWS",
    "Allocation",
    "Array",
    "Evaluation",
    "Index",
    "Law",
    "Mask",
    "Parameter",
    "Predictors",
    "Working",
    "get_law",
]
