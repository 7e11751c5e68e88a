"""How a law meets runs: objective, solver, certificate, intervals."""

from scaling_core.fitting.certificate import Certificate
from scaling_core.fitting.fit import DEFAULT_RESAMPLES, fit
from scaling_core.fitting.objective import OBJECTIVES, Objective, get_objective
from scaling_core.fitting.recipe import Line
from scaling_core.fitting.recommend import Recommendation, recommend
from scaling_core.fitting.result import DEFAULT_LEVEL, Band, FitResult, quantile_interval
from scaling_core.fitting.selection import EXCLUDED, FITTED, HELD_OUT, UNUSABLE, Range, Selection, roles

__all__ = [
    "DEFAULT_LEVEL",
    "DEFAULT_RESAMPLES",
    "EXCLUDED",
    "FITTED",
    "HELD_OUT",
    "OBJECTIVES",
    "UNUSABLE",
    "Band",
    "Certificate",
    "FitResult",
    "Line",
    "Objective",
    "Range",
    "Recommendation",
    "Selection",
    "fit",
    "get_objective",
    "quantile_interval",
    "recommend",
    "roles",
]
