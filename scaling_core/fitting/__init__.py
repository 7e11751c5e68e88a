"""How a law meets runs: objective, solver, certificate, intervals."""

from scaling_core.fitting.bands import Exponents, allocation_exponents, band_of
from scaling_core.fitting.certificate import Certificate
from scaling_core.fitting.fit import DEFAULT_RESAMPLES, Posed, fit, pose
from scaling_core.fitting.objective import DEFAULT_DELTA, OBJECTIVES, Objective, get_objective
from scaling_core.fitting.options import BY_COMPUTE, BY_SETTING, Constraint, parse_constraints
from scaling_core.fitting.profile import Profile, profile
from scaling_core.fitting.recipe import Line
from scaling_core.fitting.recommend import Recommendation, recommend
from scaling_core.fitting.result import DEFAULT_LEVEL, Band, FitResult, quantile_interval
from scaling_core.fitting.selection import (
    ALL,
    BEST,
    EXCLUDED,
    FINAL,
    FITTED,
    HELD_OUT,
    LAST,
    MAX_WARM_UP,
    UNUSABLE,
    Range,
    Selection,
    roles,
)
from scaling_core.fitting.uncertainty import DEFAULT_METHOD, METHODS, get_method

__all__ = [
    "ALL",
    "BEST",
    "BY_COMPUTE",
    "BY_SETTING",
    "DEFAULT_DELTA",
    "DEFAULT_LEVEL",
    "DEFAULT_METHOD",
    "DEFAULT_RESAMPLES",
    "EXCLUDED",
    "FINAL",
    "FITTED",
    "HELD_OUT",
    "LAST",
    "MAX_WARM_UP",
    "METHODS",
    "OBJECTIVES",
    "UNUSABLE",
    "Band",
    "Certificate",
    "Constraint",
    "Exponents",
    "FitResult",
    "Line",
    "Objective",
    "Posed",
    "Profile",
    "Range",
    "Recommendation",
    "Selection",
    "allocation_exponents",
    "band_of",
    "fit",
    "get_method",
    "get_objective",
    "parse_constraints",
    "pose",
    "profile",
    "quantile_interval",
    "recommend",
    "roles",
]
