"""Where each of these laws comes from, what it was fitted on, and that its constants do not travel."""

from __future__ import annotations

from dataclasses import dataclass

NOT_PORTABLE = "Constants not portable: they hold for the source's own data, tokeniser and models."


@dataclass(frozen=True)
class Label:
    """What a person must know before reading a number of one law."""

    title: str
    source: str
    fitted_on: str
    caveat: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences to show beside every number."""
        return tuple(filter(None, (NOT_PORTABLE, f"Fitted on {self.fitted_on}.", self.caveat)))


LABELS = {
    "precision": Label(
        "Training in fewer bits",
        "Kumar et al. 2024, arXiv 2411.04330, appendix K, Table 2",
        "465 runs up to 1.7B parameters and 26B tokens, 3 to 16 bits, integer formats",
        "With its offsets the law leaves nothing of a model whose activations have 3 bits or fewer: read that as "
        "“outside the law”.",
    ),
    "sparsity": Label(
        "Sparse weights",
        "Frantar et al. 2023, arXiv 2309.08520, Table 2",
        "T5 encoder-decoders on C4 with 50 to 87.5% of the weights zero, up to 85M non-zero ones",
        "Only hardware that skips zeros runs faster for it.",
    ),
    "fine_grained": Label(
        "Mixture of experts, by granularity",
        "Krajewski et al. 2024, arXiv 2402.07871, Table 1",
        "over 100 runs of 129M to 3.7B parameters on 16B to 130B tokens, 64 times the weights, granularity 1 to 16",
        "Its two forms, dense and with experts, are separate fits.",
    ),
    "routed": Label(
        "Mixture of experts, by number",
        "Clark et al. 2022, arXiv 2202.01169, Table 3 (S-BASE)",
        "decoders of 15M to 1.3B parameters on 130B tokens, up to 512 experts",
        "Printed to three decimals, which moves dense equivalents by some percent; says that experts stop helping near "
        "1e12 parameters, which later work disputes.",
    ),
    "distillation": Label(
        "Learning from a teacher",
        "Busbridge et al. 2025, arXiv 2502.08606, eq. 8 and Table 6",
        "students and teachers of 143M to 12.6B parameters on up to 512B tokens of C4",
        "The teacher enters by its loss alone.",
    ),
}
