"""Published laws to plan with, by name, each with its source and what it cannot do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling_core.errors import UserError

#: Extent of the 240 points of Hoffmann et al. 2022, figure 4, that Besiroglu et al. 2024 read off and fitted.
_CHINCHILLA_RANGES = (
    ("params", (5.733e7, 1.618e10)),
    ("tokens", (8.187e8, 3.178e11)),
    ("flops", (1.397e18, 1.296e22)),
)


@dataclass(frozen=True)
class PublishedLaw:
    """Constants of a law as someone printed them, in the order of the law's parameters.

    ``split`` (a, b) is N = a·C^b where only the split of a budget was published; ``law`` is then empty. ``ranges``
    holds the data's extent where it is known; ``caveats`` what a reader must know before planning.
    """

    name: str
    title: str
    law: str
    theta: tuple[float, ...]
    source: str
    caveats: tuple[str, ...] = ()
    ranges: tuple[tuple[str, tuple[float, float]], ...] = ()
    split: tuple[float, float] | None = None


PUBLISHED: dict[str, PublishedLaw] = {
    p.name: p
    for p in (
        PublishedLaw(
            "besiroglu",
            "Chinchilla, refitted (Besiroglu et al. 2024)",
            "chinchilla",
            (1.8172, 482.01, 2085.43, 0.3478, 0.3658),
            "Besiroglu et al. 2024, arXiv 2404.10102",
            ranges=_CHINCHILLA_RANGES,
        ),
        PublishedLaw(
            "hoffmann_tex_unrounded",
            "Chinchilla, as computed (Hoffmann et al. 2022)",
            "chinchilla",
            (1.69337368, 406.401018, 410.722827, 0.33917084, 0.2849083),
            "Hoffmann et al. 2022, arXiv 2203.15556; unrounded values by Besiroglu et al. 2024",
            ("Fits its own data about 20% worse (in the Huber objective) than the refit of 2024.",),
            ranges=_CHINCHILLA_RANGES,
        ),
        PublishedLaw(
            "hoffmann_printed",
            "Chinchilla, as printed (Hoffmann et al. 2022)",
            "chinchilla",
            (1.69, 406.4, 410.7, 0.34, 0.28),
            "Hoffmann et al. 2022, arXiv 2203.15556, appendix D.2",
            ("Rounded too far to reproduce the paper's own 40B parameters at 5.76e23 FLOPs: it gives 32B.",),
            ranges=_CHINCHILLA_RANGES,
        ),
        PublishedLaw(
            "devries_sardana",
            "Chinchilla, fitted to table A3 (De Vries 2023)",
            "chinchilla",
            (1.69, 406.4, 410.7, 0.336, 0.283),
            "De Vries 2023; used by Sardana et al. 2023, arXiv 2401.00448",
            ("Exponents adjusted so that the optimum follows Hoffmann's table A3, not fitted to runs.",),
            ranges=_CHINCHILLA_RANGES,
        ),
        PublishedLaw(
            "kaplan",
            "GPT, joint law (Kaplan et al. 2020)",
            "kaplan",
            (8.8e13, 5.4e13, 0.076, 0.095),
            "Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5",
            (
                "Gives too large models too little data: learning rates were not matched to the length of runs, "
                "and N leaves embeddings out (Pearce & Song 2024, arXiv 2406.12907).",
                "Has no irreducible loss.",
            ),
            ranges=(("params", (768.0, 1.5e9)), ("tokens", (2.2e7, 2.3e10))),
        ),
        PublishedLaw(
            "gadre_c4",
            "C4, over-trained models (Gadre et al. 2024)",
            "over-training",
            (1.5083, 141.28, 189.52, 0.12124),
            "Gadre et al. 2024, arXiv 2403.08540; refitted on the authors' 104 runs",
            ("Tokens per parameter are the same at every budget by the form of the law.",),
        ),
        PublishedLaw(
            "deepseek",
            "DeepSeek LLM, split of a budget (2024)",
            "",
            (),
            "DeepSeek-AI 2024, arXiv 2401.02954, section 3.2",
            (
                "Measures a model by its FLOPs per token M = 0.1715·C^0.5243; read here as N = M/6, "
                "which leaves attention out.",
            ),
            ranges=(("flops", (1e17, 3e20)),),
            split=(0.1715 / 6, 0.5243),
        ),
        PublishedLaw(
            "llama3",
            "Llama 3, split of a budget (2024)",
            "",
            (),
            "Llama team 2024, arXiv 2407.21783, section 3.2.1 and legend of figure 3",
            (
                "D = 0.299·C^0.537; the constants printed in the text (0.29, 0.53) are rounded too far to give the "
                "paper's own 402B parameters.",
            ),
            ranges=(("flops", (6e18, 1e22)),),
            split=(1 / (6 * 0.299), 1 - 0.537),
        ),
        PublishedLaw(
            "muennighoff_c4",
            "C4, equal exponents (Muennighoff et al. 2023)",
            "chinchilla",
            (math.exp(0.6254804), math.exp(6.255414), math.exp(7.3049974), 0.3526596, 0.3526596),
            "Muennighoff et al. 2023, arXiv 2305.16264; unrounded from the authors' repository, for unique data",
            ("Holds for data seen once; repeated data needs the data-constrained form.",),
        ),
    )
}


def get_published(name: str) -> PublishedLaw:
    """Return published constants by name or the beginning of one.

    Raises
    ------
    UserError
        If no name, or more than one, begins so.
    """
    wanted = name.strip().lower().replace("-", "_")
    found = [p for key, p in PUBLISHED.items() if key.startswith(wanted)] if wanted else []
    if wanted in PUBLISHED:
        return PUBLISHED[wanted]
    if len(found) == 1:
        return found[0]
    what = (
        f"“{name}” could be any of {', '.join(p.name for p in found)}."
        if found
        else (f"There are no published constants called “{name}”.")
    )
    raise UserError(what, fix=f"Choose one of: {', '.join(PUBLISHED)}.")
