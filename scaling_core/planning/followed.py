"""How the numbers of a plan follow, formula by formula with the numbers put in: what to redo by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.planning.answers import relative_price
from scaling_core.planning.basis import Basis
from scaling_core.planning.budget import Terms
from scaling_core.planning.plan import Plan
from scaling_core.planning.repeats import SOURCE, Decays
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import TWO_POWERS
from scaling_core.runs.metrics import LOSS
from scaling_core.units import format_latex

_CHINCHILLA = "Hoffmann et al. 2022, arXiv 2203.15556, eq. 4"
_LIFETIME = "Sardana et al. 2023, arXiv 2401.00448, eq. 3"


@dataclass(frozen=True)
class Step:
    """One formula that a plan went through.

    Attributes
    ----------
    what : str
        What it gives, for a person.
    latex : str
        The formula, and the numbers put into it.
    source : str
        Where it comes from.
    """

    what: str
    latex: str
    source: str = ""


def followed(basis: Basis, scenario: Scenario, answer: Plan) -> tuple[Step, ...]:
    """The formulas that gave ``answer``, in the order in which they were used."""
    steps = [*_law(basis), *_repeats(basis, scenario, answer), *_choice(basis, scenario, answer)]
    if scenario.demand.tokens:
        steps += _life(scenario, answer)
    if scenario.terms is not None and answer.gpu_hours is not None:
        steps += _spent(scenario.terms, answer)
    return tuple(steps)


def _n(value: float | None) -> str:
    """A number in a formula."""
    return r"\text{unknown}" if value is None or not math.isfinite(value) else format_latex(float(value), 4)


def _law(basis: Basis) -> list[Step]:
    if basis.law is None:
        return []
    numbers = dict(zip(basis.law.parameter_names, map(format_latex, basis.theta.tolist()), strict=True))
    what = "Loss of a model" if basis.metric == LOSS else f"{basis.metric.cost_title} of a model"
    return [Step(what, basis.law.formula(numbers), basis.law.source)]


def _repeats(basis: Basis, scenario: Scenario, answer: Plan) -> list[Step]:
    """What repeated tokens and surplus parameters are worth, where the data is limited."""
    decays = basis.decays(scenario)
    if not math.isfinite(scenario.unique_tokens) or decays is None or answer.effective_tokens is None:
        return []
    u = scenario.unique_tokens
    tokens = (
        rf"D' = U + U R_D\left(1 - e^{{-(D/U - 1)/R_D}}\right) = {_n(u)} + {_n(u)} \cdot {_n(decays.tokens)}"
        rf"\left(1 - e^{{-({_n(answer.epochs)} - 1)/{_n(decays.tokens)}}}\right) = {_n(answer.effective_tokens)}"
        if answer.tokens > u
        else rf"D \le U = {_n(u)}: \quad D' = D = {_n(answer.tokens)}"
    )
    steps = [Step("What the tokens are worth", tokens, f"{SOURCE}, eq. 5. {decays.text(scenario.level)}")]
    return [*steps, _surplus(basis, scenario, answer, decays)] if basis.law_name in TWO_POWERS else steps


def _surplus(basis: Basis, scenario: Scenario, answer: Plan, decays: Decays) -> Step:
    surface = basis.surface(scenario, basis.theta[None])
    enough = float(surface.enough[0, 0])
    worth = float(surface.worth_of_params(np.array([[answer.params]]))[0, 0])
    start = (
        r"U_N = \left(\frac{A}{B}\right)^{1/\alpha} U = "
        if _is_tied(basis)
        else r"U_N = \left(\frac{\alpha A}{\beta B}\right)^{1/\alpha} U^{\beta/\alpha} = "
    )
    latex = (
        start + _n(enough) + r", \quad "
        r"N' = U_N + U_N R_N\left(1 - e^{-(N/U_N - 1)/R_N}\right) = " + _n(worth)
        if answer.params > enough
        else rf"N \le U_N = {_n(enough)}: \quad N' = N = {_n(answer.params)}"
    )
    text = f"{SOURCE}, eq. 6, with R_N* = {decays.params:.3g}. The law above is taken at N' and D'."
    return Step("What the parameters are worth", latex, text)


def _choice(basis: Basis, scenario: Scenario, answer: Plan) -> list[Step]:
    """How N and D were chosen."""
    found = rf"N = {_n(answer.params)},\quad D = {_n(answer.tokens)}"
    if not basis.has_optimum:
        return [Step("N and D", found, "They continue the line of the runs, or are a published split.")]
    c = _n(answer.flops)
    if scenario.params is not None:
        how = (
            rf"D = \frac{{C}}{{6N}} = \frac{{{c}}}{{6 \cdot {_n(answer.params)}}} = {_n(answer.tokens)}"
            if scenario.loss is None
            else rf"L(N, D) = {_n(scenario.loss)} \;\Rightarrow\; D = {_n(answer.tokens)},\quad C = 6ND = {c}"
        )
        return [Step("Tokens of the wanted size", how, "C = 6ND, Kaplan et al. 2020, arXiv 2001.08361")]
    if scenario.demand.tokens:
        least = r"\min_{N, D}\; 6ND + \rho \cdot 2 N D_{\text{served}} \quad\text{with}\quad L(N, D) = "
        return [Step("N and D", f"{least}{_n(answer.loss)}: \\quad {found}", _LIFETIME)]
    if scenario.loss is not None:
        least = rf"\min_{{N, D}}\; C = 6ND \quad\text{{with}}\quad L(N, D) = {_n(scenario.loss)}: \quad "
        return [Step("N and D", f"{least}{found}", _CHINCHILLA)]
    return [_split(basis, scenario, answer, found, c)]


def _split(basis: Basis, scenario: Scenario, answer: Plan, found: str, c: str) -> Step:
    """In closed form, or by a search, where the budget is all that is given."""
    if math.isfinite(scenario.unique_tokens) or basis.law_name not in TWO_POWERS:
        least = rf"\min_{{N, D}}\; L(N, D) \quad\text{{with}}\quad 6ND = C = {c}: \quad {found}"
        limited = math.isfinite(scenario.unique_tokens)
        return Step("N and D", least, "A search along ln N." if limited else "The best split of this law.")
    return Step("N and D", _closed_form(basis, answer, c), _CHINCHILLA)


def _closed_form(basis: Basis, answer: Plan, c: str) -> str:
    """G, N and D of two powers, each with its numbers; one exponent alone leaves C to the power of a half."""
    by_name = _parameters(basis)
    a, b, alpha = (by_name[name] for name in ("A", "B", "alpha"))
    beta = by_name.get("beta", alpha)
    g = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    if _is_tied(basis):
        symbols, exponent = (
            r"\left(\frac{A}{B}\right)^{1/2\alpha} = "
            rf"\left(\frac{{{_n(a)}}}{{{_n(b)}}}\right)^{{1/(2 \cdot {_n(alpha)})}}",
            r"1/2",
        )
    else:
        symbols, exponent = (
            r"\left(\frac{\alpha A}{\beta B}\right)^{1/(\alpha+\beta)} = "
            rf"\left(\frac{{{_n(alpha)} \cdot {_n(a)}}}{{{_n(beta)} \cdot {_n(b)}}}\right)^{{1/{_n(alpha + beta)}}}",
            r"\beta/(\alpha+\beta)",
        )
    return (
        rf"\begin{{aligned}} G &= {symbols} = {_n(g)} \\ "
        rf"N &= G\left(\tfrac{{C}}{{6}}\right)^{{{exponent}}} = {_n(g)} \cdot "
        rf"\left(\tfrac{{{c}}}{{6}}\right)^{{{_n(beta / (alpha + beta))}}} = {_n(answer.params)} \\ "
        rf"D &= \frac{{C}}{{6N}} = \frac{{{c}}}{{6 \cdot {_n(answer.params)}}} = {_n(answer.tokens)} \end{{aligned}}"
    )


def _parameters(basis: Basis) -> dict[str, float]:
    assert basis.law is not None  # asked only of two powers
    return dict(zip(basis.law.parameter_names, basis.theta.tolist(), strict=True))


def _is_tied(basis: Basis) -> bool:
    """Whether one exponent stands for both."""
    return "beta" not in _parameters(basis)


def _life(scenario: Scenario, answer: Plan) -> list[Step]:
    n, d, served = _n(answer.params), _n(answer.tokens), _n(scenario.demand.tokens)
    total = rf"6ND + 2 N D_{{\text{{served}}}} = 6 \cdot {n} \cdot {d} + 2 \cdot {n} \cdot {served} = "
    steps = [Step("FLOPs over its life", total + _n(answer.lifetime_flops), _LIFETIME), _price(scenario)]
    if answer.lifetime_saving is not None and math.isfinite(answer.lifetime_saving):
        saved = (
            r"1 - \frac{6ND + \rho \cdot 2 N D_{\text{served}}}{6N_0D_0 + \rho \cdot 2 N_0 D_{\text{served}}} = "
            rf"{_n(answer.lifetime_saving)}"
        )
        text = "N₀ and D₀: the model of the same loss that is cheapest to train."
        steps.append(Step("Saved over its life", saved, text))
    return steps


def _price(scenario: Scenario) -> Step:
    """What a FLOP of inference costs beside one of training."""
    demand, terms = scenario.demand, scenario.terms
    train = float(np.mean(terms.all_in_utilisation)) if terms is not None else 1.0
    reading, writing = demand.prefill_mfu or train, demand.decode_mfu or train
    w = demand.written_share
    latex = (
        r"\rho = \frac{u_{\text{train}}}{s}\left(\frac{1-w}{u_{\text{prefill}}} + \frac{w}{u_{\text{decode}}}\right) = "
        rf"\frac{{{_n(train)}}}{{{_n(demand.speed_up)}}}\left(\frac{{{_n(1 - w)}}}{{{_n(reading)}}} + "
        rf"\frac{{{_n(w)}}}{{{_n(writing)}}}\right) = {_n(relative_price(scenario))}"
    )
    text = "Accelerator time: u are utilisations, w the share of written tokens, s the speed-up of the serving format."
    return Step("Price ρ of a FLOP of serving, in FLOPs of training", latex, text)


def _spent(terms: Terms, answer: Plan) -> list[Step]:
    """Hours, days, dollars, energy and carbon."""
    peak, kept = terms.hardware.peak(terms.precision), float(np.mean(terms.all_in_utilisation))
    n, hours = float(np.mean(terms.n_gpus)), _n(answer.gpu_hours)
    rate = rf"\frac{{C}}{{3600 \cdot \text{{peak}} \cdot u}} = \frac{{{_n(answer.flops)}}}{{3600 \cdot {_n(peak)}"
    steps = [
        Step("Accelerator-hours", rf"{rate} \cdot {_n(kept)}}} = {hours}",
             "u: MFU × (1 − restarts) × (1 − idle); MFU as in Chowdhery et al. 2022, arXiv 2204.02311"),
        Step("Days", rf"\frac{{{hours}}}{{24 \cdot {_n(n)}}} = {_n(answer.days)}", "Hours over 24 × accelerators."),
    ]  # fmt: skip
    if terms.usd_per_gpu_hour is not None:
        price = float(np.mean(terms.usd_per_gpu_hour))
        known = terms.hardware.price
        source = "A price of your own." if terms.price_usd_per_hour is not None or known is None else known.source
        steps.append(Step("Cost, $", rf"{hours} \cdot {_n(price)} = {_n(answer.cost_usd)}", source))
    return [*steps, *_power(terms, answer, hours)]


def _power(terms: Terms, answer: Plan, hours: str) -> list[Step]:
    if terms.hardware.tdp_w is None:
        return []
    parts = (terms.hardware.tdp_w / 1000, *(float(np.mean(v)) for v in (
        terms.power.power_fraction, terms.power.server_factor, terms.power.pue)))  # fmt: skip
    carbon = float(np.mean(terms.power.carbon_kg_per_kwh))
    energy = r" \cdot ".join((hours, *map(_n, parts)))
    of = "Hours × rated kW × share of it drawn × server factor × PUE."
    return [
        Step("Energy, kWh", f"{energy} = {_n(answer.energy_kwh)}", f"{of} {terms.power.convention}"),
        Step("CO₂e, kg", rf"{_n(answer.energy_kwh)} \cdot {_n(carbon)} = {_n(answer.co2e_kg)}",
             "Mean carbon intensity of US electricity, Touvron et al. 2023, arXiv 2302.13971"),
    ]  # fmt: skip
