"""Learning rate and batch size by published rules, side by side, each with where it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scaling_core.planning.values import Number, plain, positive
from scaling_core.units import format_count, format_flops

#: Tokens of a sequence where a rule gives its batch in sequences (Porian et al. 2024).
PORIAN_CONTEXT = 2048
KAPLAN_CRITICAL_TOKENS, KAPLAN_CRITICAL_EXPONENT = 2e8, 0.21


def step_law_learning_rate(n_params: Number, tokens: Number) -> Number:
    """1.79 N^−0.713 D^0.307, N without embeddings (Li et al. 2025, arXiv 2503.04715)."""
    return plain(1.79 * plain(n_params) ** -0.713 * plain(tokens) ** 0.307)


def step_law_batch_tokens(tokens: Number) -> Number:
    """0.58 D^0.571 tokens (Li et al. 2025, arXiv 2503.04715)."""
    return plain(0.58 * plain(tokens) ** 0.571)


def deepseek_learning_rate(flops: Number) -> Number:
    """0.3118 C^−0.125 (Bi et al. 2024, arXiv 2401.02954)."""
    return plain(0.3118 * plain(flops) ** -0.125)


def deepseek_batch_tokens(flops: Number) -> Number:
    """0.2920 C^0.3271 tokens (Bi et al. 2024, arXiv 2401.02954)."""
    return plain(0.2920 * plain(flops) ** 0.3271)


def kaplan_learning_rate(n_params: Number) -> Number:
    """0.003239 − 0.0001395 ln N, N without embeddings (Kaplan et al. 2020, arXiv 2001.08361, appendix D.6)."""
    return plain(0.003239 - 0.0001395 * np.log(plain(n_params)))


def porian_learning_rate(n_params: Number) -> Number:
    """3.7 N^−0.36 (Porian et al. 2024, arXiv 2406.19146, Figure 3)."""
    return plain(3.7 * plain(n_params) ** -0.36)


def porian_batch_tokens(n_params: Number) -> Number:
    """0.00037 N^0.703 sequences of 2,048 tokens (Porian et al. 2024, arXiv 2406.19146, Figure 3)."""
    return plain(0.00037 * plain(n_params) ** 0.703 * PORIAN_CONTEXT)


def kaplan_critical_batch(loss: Number) -> Number:
    """Critical batch in tokens at a loss: 2e8 / L^(1/0.21) (Kaplan et al. 2020, arXiv 2001.08361, eq. 5.3).

    A batch of that size takes twice the fewest steps and twice the fewest tokens (McCandlish et al. 2018).
    """
    reached = positive(loss, "The loss", "Give nats per token.")
    return plain(KAPLAN_CRITICAL_TOKENS / plain(reached) ** (1 / KAPLAN_CRITICAL_EXPONENT))


@dataclass(frozen=True)
class Rule:
    """One published rule and where it was fitted.

    ``ranges`` holds the extent of its runs in ``params``, ``tokens`` or ``flops``, as far as stated.
    """

    name: str
    source: str
    ranges: tuple[tuple[str, tuple[float, float]], ...]
    caveat: str
    learning_rate: Callable[[float, float, float], Number]
    batch_tokens: Callable[[float, float, float], Number] | None


@dataclass(frozen=True)
class Recipe:
    """What one rule says for one run; None where it says nothing. ``notes`` say where the run lies outside it."""

    name: str
    learning_rate: float | None
    batch_tokens: float | None
    steps: float | None
    source: str
    inside: bool
    notes: tuple[str, ...]


RULES = (
    Rule(
        "Step Law",
        "Li et al. 2025, arXiv 2503.04715",
        (("params", (6e7, 1e9)), ("tokens", (2e9, 1e11))),
        "AdamW, cosine decay to a fixed 1e-5.",
        lambda n, d, c: step_law_learning_rate(n, d),
        lambda n, d, c: step_law_batch_tokens(d),
    ),
    Rule(
        "DeepSeek LLM",
        "Bi et al. 2024, arXiv 2401.02954",
        (("flops", (1e17, 2e19)),),
        "Multi-step decay; compute counted without embeddings.",
        lambda n, d, c: deepseek_learning_rate(c),
        lambda n, d, c: deepseek_batch_tokens(c),
    ),
    Rule(
        "Porian et al.",
        "Porian et al. 2024, arXiv 2406.19146",
        (("params", (5e6, 9.01e8)),),
        "Models trained near 20 tokens per parameter, AdamW with β₂ tuned.",
        lambda n, d, c: porian_learning_rate(n),
        lambda n, d, c: porian_batch_tokens(n),
    ),
    Rule(
        "Kaplan et al.",
        "Kaplan et al. 2020, arXiv 2001.08361",
        (("params", (1e3, 1.5e9)),),
        "Adam, batches of 0.5M tokens; the rule breaks down near 1e10 parameters, as its authors say.",
        lambda n, d, c: kaplan_learning_rate(n),
        None,
    ),
)


def recipes(n_params: float, tokens: float, flops: float | None = None) -> tuple[Recipe, ...]:
    """Return what every rule says for a run of N parameters (without embeddings) on D tokens.

    ``flops`` is 6ND unless said.

    Raises
    ------
    UserError
        If N or D is not above zero.
    """
    n = float(positive(n_params, "The number of parameters", "Give a number like 124M."))
    d = float(positive(tokens, "The number of tokens", "Give a number like 20B."))
    c = float(positive(6 * n * d if flops is None else flops, "The compute", "Give FLOPs."))
    return tuple(_recipe(rule, n, d, c) for rule in RULES)


def _recipe(rule: Rule, n: float, d: float, c: float) -> Recipe:
    rate = float(rule.learning_rate(n, d, c))
    batch = float(rule.batch_tokens(n, d, c)) if rule.batch_tokens else None
    outside = _outside(rule, {"params": n, "tokens": d, "flops": c})
    if rate <= 0:
        outside.append("The rule has no learning rate above zero here.")
    return Recipe(
        rule.name,
        rate if rate > 0 else None,
        batch,
        d / batch if batch else None,
        rule.source,
        not outside,
        (*outside, rule.caveat),
    )


def _outside(rule: Rule, asked: dict[str, float]) -> list[str]:
    notes = []
    letters = {"params": "N", "tokens": "D", "flops": "C"}
    for name, (low, high) in rule.ranges:
        write = format_flops if name == "flops" else format_count
        if not low <= asked[name] <= high:
            notes.append(
                f"{letters[name]} = {write(asked[name])} lies outside the runs of this rule "
                f"({write(low)} to {write(high)})."
            )
    return notes
