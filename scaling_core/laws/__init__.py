"""The laws: one registry. A new law is a file here and a line below."""

from __future__ import annotations

from collections.abc import Callable

from scaling_core.errors import UserError
from scaling_core.laws import custom, ratio
from scaling_core.laws.additive_power import AdditivePower
from scaling_core.laws.axis import SINGLE
from scaling_core.laws.base import Allocation, Array, Evaluation, Held, Index, Law, Mask, Parameter, Predictors, Working
from scaling_core.laws.broken import Broken
from scaling_core.laws.chinchilla import Chinchilla, ChinchillaTied
from scaling_core.laws.data_constrained import DataConstrained
from scaling_core.laws.gamma import GammaForm
from scaling_core.laws.kaplan import Kaplan, KaplanJoint
from scaling_core.laws.logarithmic import Logarithmic
from scaling_core.laws.m4 import M4
from scaling_core.laws.metric import MetricExponential, MetricLogistic
from scaling_core.laws.multiplicative import Multiplicative
from scaling_core.laws.optimum import FLOPS_PER_PARAM_TOKEN
from scaling_core.laws.over_training import OverTraining
from scaling_core.laws.piecewise import Piecewise
from scaling_core.laws.power import PowerLaw
from scaling_core.laws.shifted import Shifted

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Chinchilla(),
        ChinchillaTied(),
        *(PowerLaw(x, offset=offset) for x in SINGLE for offset in (True, False)),
        GammaForm(),
        AdditivePower(),
        OverTraining(),
        DataConstrained(),
        KaplanJoint(),
        Multiplicative(),
        *(family(x) for family in (Kaplan, Shifted, Logarithmic, Piecewise, Broken, M4) for x in SINGLE),
        MetricExponential(),
        MetricLogistic(),
    )
}

#: Laws made to measure, by the word before the colon of their names: what stands behind it makes the law.
FAMILIES: dict[str, Callable[[str], Law]] = {custom.FAMILY: custom.custom_law, ratio.FAMILY: ratio.ratio_law}


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
        made = "custom:FORMULA or ratio:COLUMN/COLUMN"
        raise UserError(f"There is no law called “{name}”.", fix=f"Choose one of: {', '.join(LAWS)}; or write {made}.")
    return LAWS[name]


__all__ = [
    "FLOPS_PER_PARAM_TOKEN",
    "LAWS",
    "Allocation",
    "Array",
    "Evaluation",
    "Held",
    "Index",
    "Law",
    "Mask",
    "Parameter",
    "Predictors",
    "Working",
    "get_law",
]
