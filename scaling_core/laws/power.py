"""Power laws in one predictor, with and without an offset: L(x) = a·x^(−b) + c for x = N, D or C."""

from __future__ import annotations

from scaling_core.laws.axis import LETTER, WORD
from scaling_core.laws.base import Parameter
from scaling_core.laws.powers import MAX_EXPONENT, SumOfPowers, Term

_SOURCE = (
    "Kaplan et al. 2020, arXiv 2001.08361, eq. 1.1–1.3; with offset: Henighan et al. 2020, arXiv 2010.14701, eq. 1.1"
)


class PowerLaw(SumOfPowers):
    """L(x) = a·x^(−b), plus c with an offset."""

    def __init__(self, predictor: str, *, offset: bool) -> None:
        letter = LETTER[predictor]
        self.name = f"power-{letter.lower()}" + ("-offset" if offset else "")
        self.title = f"Power law L({letter})" + (" with offset" if offset else "")
        self.latex = f"L({letter}) = {{a}} \\, {letter}^{{{{-{{b}}}}}}" + (" + {c}" if offset else "")
        self.predictors = (predictor,)
        self.source = _SOURCE
        self.parameters = (
            Parameter("a", "a", f"loss above the offset at {letter} = 1", "nats per token"),
            Parameter("b", "b", f"how fast loss falls with {WORD[predictor]}", "", upper=MAX_EXPONENT),
        )
        self.terms = (Term("a", (("b", predictor),)),)
        if offset:
            self.parameters += (Parameter("c", "c", "irreducible loss", "nats per token"),)
            self.terms += (Term("c"),)
