"""The formulas shown beside a plan: the ones that were used, and their numbers add up."""

from __future__ import annotations

import re

import numpy as np
import pytest

from scaling_core.laws import get_law
from scaling_core.planning import Basis, Demand, Scenario, Terms, basis_of_published, get_hardware, get_published, plan
from scaling_core.planning.followed import Step, followed

BASIS = basis_of_published(get_published("besiroglu"))
TERMS = Terms(get_hardware("H100 SXM 80GB"), n_gpus=256)


def steps(scenario: Scenario) -> dict[str, Step]:
    return {step.what: step for step in followed(BASIS, scenario, plan(BASIS, scenario))}


def last_number(latex: str) -> float:
    """The number after the last sign of equality."""
    text = latex.rsplit("=", 1)[1].strip()
    mantissa, _, power = text.partition(r"\times 10^{")
    return float(mantissa) * 10.0 ** (int(power.strip("}")) if power else 0)


def test_endless_data_is_split_in_closed_form() -> None:
    found = steps(Scenario(1e23))
    assert list(found) == ["Loss of a model", "N and D"]
    assert r"\beta/(\alpha+\beta)" in found["N and D"].latex


def test_the_closed_form_can_be_redone_from_its_numbers() -> None:
    scenario = Scenario(1e23)
    latex, answer = steps(scenario)["N and D"].latex, plan(BASIS, scenario)
    _, A, B, alpha, beta = BASIS.theta
    g = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    first, second, third = latex.split(r"\\")
    assert last_number(first) == pytest.approx(g, rel=1e-3)
    assert last_number(second) == pytest.approx(g * (1e23 / 6) ** (beta / (alpha + beta)), rel=1e-3)
    assert last_number(second) == pytest.approx(answer.params, rel=1e-3)
    assert last_number(third.removesuffix(r"\end{aligned}").strip()) == pytest.approx(answer.tokens, rel=1e-3)


def test_a_law_of_one_exponent_shows_one() -> None:
    """Without beta G is (A/B)^(1/2alpha), and N grows as the square root of C."""
    theta = np.array([1.87, 521.0, 1488.0, 0.353])
    tied = Basis("tied", get_law("chinchilla-tied"), theta, np.zeros((0, 4)), {}, {}, (), "made")
    for scenario in (Scenario(1e23), Scenario(1e23, unique_tokens=1e10)):
        answer = plan(tied, scenario)
        shown = {step.what: step.latex for step in followed(tied, scenario, answer)}
        assert not any("beta" in latex for latex in shown.values())
    answer = plan(tied, Scenario(1e23))
    second = {s.what: s.latex for s in followed(tied, Scenario(1e23), answer)}["N and D"].split(r"\\")[1]
    by_hand = (521.0 / 1488.0) ** (1 / (2 * 0.353)) * (1e23 / 6) ** 0.5
    assert last_number(second) == pytest.approx(by_hand, rel=1e-3)
    assert answer.params == pytest.approx(by_hand, rel=1e-9)


def test_limited_data_shows_what_repeats_are_worth_and_no_closed_form() -> None:
    scenario = Scenario(1e23, unique_tokens=1e10)
    found, answer = steps(scenario), plan(BASIS, scenario)
    assert "min" in found["N and D"].latex
    assert r"\beta/(\alpha+\beta)" not in found["N and D"].latex
    assert last_number(found["What the tokens are worth"].latex) == pytest.approx(answer.effective_tokens, rel=1e-3)
    assert "published constant" in found["What the tokens are worth"].source
    worth = last_number(found["What the parameters are worth"].latex)
    E, A, B, alpha, beta = BASIS.theta
    by_hand = E + A * worth**-alpha + B * answer.effective_tokens**-beta
    assert by_hand == pytest.approx(answer.loss, rel=1e-4)


def test_demand_shows_the_price_of_serving_and_the_flops_over_life() -> None:
    demand = Demand(2e12, written_share=0.25, prefill_mfu=0.5, decode_mfu=0.05)
    scenario = Scenario(1e23, demand=demand, terms=TERMS)
    found, answer = steps(scenario), plan(BASIS, scenario)
    price = 0.4 * (0.75 / 0.5 + 0.25 / 0.05)
    assert last_number(found["Price ρ of a FLOP of serving, in FLOPs of training"].latex) == pytest.approx(price)
    life = 6 * answer.params * answer.tokens + 2 * answer.params * 2e12
    assert last_number(found["FLOPs over its life"].latex) == pytest.approx(life, rel=1e-3)
    assert last_number(found["Saved over its life"].latex) == pytest.approx(answer.lifetime_saving, rel=1e-3)
    assert re.search(r"min.*rho", found["N and D"].latex)


def test_the_machine_shows_hours_cost_energy_and_carbon() -> None:
    found = steps(Scenario(1e23, terms=TERMS))
    hours = 1e23 / (3600 * TERMS.hardware.peak("") * 0.4)
    assert last_number(found["Accelerator-hours"].latex) == pytest.approx(hours, rel=1e-3)
    assert last_number(found["Days"].latex) == pytest.approx(hours / 24 / 256, rel=1e-3)
    assert last_number(found["Cost, $"].latex) == pytest.approx(hours * float(TERMS.usd_per_gpu_hour), rel=1e-3)
    assert last_number(found["Energy, kWh"].latex) == pytest.approx(hours * 0.7 * 1.1, rel=1e-3)
    assert last_number(found["CO₂e, kg"].latex) == pytest.approx(hours * 0.7 * 1.1 * 0.385, rel=1e-3)


def test_a_wanted_size_and_a_wanted_loss_show_what_follows() -> None:
    assert "Tokens of the wanted size" in steps(Scenario(1e23, params=7e9))
    assert "with" in steps(Scenario(loss=2.1))["N and D"].latex
