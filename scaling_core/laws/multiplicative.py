"""Powers of N, D and C multiplied: a plane in logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling_core.laws.base import Allocation, Array, Held, Parameter
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import exp
from scaling_core.laws.powers import MAX_EXPONENT

#: C that N and D foretell to within this share (root mean square) tells nothing of its own: two digits round by .015.
_FOLLOWS = 0.02
_EXPONENTS = ("alpha", "beta", "gamma")


class Multiplicative(FormulaLaw):
    """L(N, D, C) = K·N^alpha·D^beta·C^gamma."""

    name = "multiplicative"
    title = "Multiplicative L(N, D, C)"
    latex = r"L(N,D,C) = {K} \, N^{{{alpha}}} D^{{{beta}}} C^{{{gamma}}}"
    predictors = ("params", "tokens", "flops")
    parameters = (
        Parameter("K", "K", "loss at N = D = C = 1", "nats per token", log=True),
        Parameter("alpha", r"\alpha", "exponent of parameters, negative where they help", "",
                  lower=-MAX_EXPONENT, upper=MAX_EXPONENT),
        Parameter("beta", r"\beta", "exponent of tokens, negative where they help", "",
                  lower=-MAX_EXPONENT, upper=MAX_EXPONENT),
        Parameter("gamma", r"\gamma", "exponent of compute, negative where it helps", "",
                  lower=-MAX_EXPONENT, upper=MAX_EXPONENT),
    )  # fmt: skip
    source = "Zhang et al. 2024, arXiv 2402.17193, eq. 1, without their offset and with C beside N and D"
    notes = ("Under C = 6ND this law has no best split: more of the one and less of the other always helps.",)
    linear = ("K",)
    centring: Mapping[str, Shifts] = {"K": (("-alpha", "params"), ("-beta", "tokens"), ("-gamma", "flops"))}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        return p["K"] * exp(p["alpha"] * z["params"] + p["beta"] * z["tokens"] + p["gamma"] * z["flops"])

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Values to start from."""
        slopes = (-0.3, -0.1, -0.02)
        return {"alpha": slopes, "beta": slopes, "gamma": (-0.05, 0.0)}

    def settle(self, frame: pd.DataFrame, chosen: frozenset[str] = frozenset()) -> tuple[Held, ...]:
        """Hold gamma at 0 where C follows from N and D, unless a person has settled one of the exponents."""
        if len(frame) < 4 or chosen.intersection(_EXPONENTS):
            return ()
        logs = np.log(frame[list(self.predictors)].to_numpy(dtype=float))
        basis = np.column_stack([np.ones(len(logs)), logs[:, :2]])
        coefficients = np.linalg.lstsq(basis, logs[:, 2], rcond=None)[0]
        apart = float(np.sqrt(np.mean((basis @ coefficients - logs[:, 2]) ** 2)))
        if apart > _FOLLOWS:
            return ()
        return (
            Held("gamma", 0.0, "C of these runs follows from their N and D (as 6ND does), so an exponent of its own "
                 "cannot be told from theirs: gamma is held at 0."),
        )  # fmt: skip

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation | None:
        """None: with C = 6ND the loss is a single power of N, lowest at one end or the other."""
        return None
