"""Lifetime, data limit and both: published cases, the limits they must come to, and a brute-force grid."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import CHINCHILLA, chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.fitting import Selection, fit, get_objective
from scaling_core.laws import Array, get_law
from scaling_core.planning import Demand, Scenario, basis_of_fit, basis_of_published, get_published, plan
from scaling_core.planning.allocation import Allocation, best_for_compute, cheapest_for_loss, lifetime_cost
from scaling_core.planning.answers import relative_price
from scaling_core.planning.budget import Terms
from scaling_core.planning.hardware import get_hardware
from scaling_core.planning.repeats import Decay, effective, log_term_above_end, no_return, seen_for
from scaling_core.planning.surface import Surface
from scaling_core.runs import Upload, load

CHINCHILLA_LAW = get_law("chinchilla")
SARDANA = basis_of_published(get_published("devries_sardana"))
MUENNIGHOFF = basis_of_published(get_published("muennighoff_c4"))


def at(value: float) -> Array:
    return np.array([[value]])


def only(allocation: Allocation) -> tuple[float, ...]:
    return tuple(float(a[0, 0]) for a in allocation)


@pytest.mark.parametrize(
    ("loss", "demand", "params", "tokens", "more_data", "saving"),
    # Sardana et al. 2023, arXiv 2401.00448, section 2 and figure 1
    [
        (2.04528, 2e12, 6.9686e9, 1.2478e12, 2.165, 17.45),
        (1.95825, 1e13, 1.3613e10, 4.4262e12, 2.845, 27.98),
        (1.95825, 5e12, 1.6412e10, 3.265e12, 2.098, 16.28),
        (1.89179, 1e13, 4.1551e10, 7.9225e12, 1.862, 11.95),
        (1.89179, 2e12, 5.7922e10, 5.2028e12, 1.223, 1.31),
    ],
)
def test_published_lifetime_cases(
    loss: float, demand: float, params: float, tokens: float, more_data: float, saving: float
) -> None:
    answer = plan(SARDANA, Scenario(loss=loss, demand=Demand(demand)))
    cheapest = plan(SARDANA, Scenario(loss=loss))
    assert answer.params == pytest.approx(params, rel=2e-4)  # the loss is printed with six digits
    assert answer.tokens == pytest.approx(tokens, rel=2e-4)
    assert answer.tokens / cheapest.tokens == pytest.approx(more_data, rel=3e-4)
    assert answer.lifetime_saving is not None
    assert 100 * answer.lifetime_saving == pytest.approx(saving, abs=0.011)
    assert answer.lifetime_flops == pytest.approx(6 * answer.params * answer.tokens + 2 * answer.params * demand)


def test_the_published_cost_ratio() -> None:
    """The authors' repository (beyond-chinchilla, README): loss 1.947 and 2T tokens of inference."""
    answer = plan(SARDANA, Scenario(loss=1.947, demand=Demand(2e12)))
    cheapest = plan(SARDANA, Scenario(loss=1.947))
    assert answer.lifetime_saving is not None
    ratios = (answer.params / cheapest.params, answer.tokens / cheapest.tokens, 1 - answer.lifetime_saving)
    assert (answer.params, answer.tokens) == pytest.approx((2.418e10, 2.657e12), rel=3e-4)
    assert ratios == pytest.approx((0.7096, 1.4677, 0.9522), abs=6e-5)


@pytest.mark.parametrize(
    ("params", "tokens", "loss"), [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)]
)
def test_published_losses_of_repeated_data(params: float, tokens: float, loss: float) -> None:
    """Muennighoff et al. 2023 (datablations, README): 25B unique tokens."""
    surface = Surface(CHINCHILLA_LAW, MUENNIGHOFF.theta[None], 25e9)
    assert surface.loss(at(params), at(tokens))[0, 0] == pytest.approx(loss, rel=1e-9)
    own = np.append(MUENNIGHOFF.theta, [15.387756, 5.309743])[None]
    again = Surface(get_law("data-constrained"), own, 25e9)
    assert again.loss(at(params), at(tokens))[0, 0] == pytest.approx(loss, rel=1e-9)


def test_the_published_allocation_of_repeated_data() -> None:
    """The same README looks along a grid at C = 1e22, 25B unique tokens; ours is the optimum between its points."""
    answer = plan(MUENNIGHOFF, Scenario(1e22, unique_tokens=25e9))
    assert answer.tokens == pytest.approx(237336955477.55075, rel=2e-3)
    assert answer.params == pytest.approx(7022364735.879969, rel=2e-3)
    assert answer.epochs == pytest.approx(9.49347821910203, rel=2e-3)
    surface = Surface(CHINCHILLA_LAW, MUENNIGHOFF.theta[None], 25e9)
    assert answer.loss <= surface.loss(at(7022364735.879969), at(237336955477.55075))[0, 0]


@pytest.mark.parametrize(
    ("epochs", "worth", "last"),
    [(1, 1.0, 1.0), (2, 1.9682, 0.9371), (4, 3.7257, 0.8229), (8, 6.6241, 0.6345), (16, 10.5825, 0.3773),
     (40, 15.1675, 0.0793)],
)  # fmt: skip
def test_what_repeated_tokens_are_worth(epochs: float, worth: float, last: float) -> None:
    assert effective(epochs, 1.0, 15.387756) == pytest.approx(worth, abs=6e-5)
    assert worth_of_the_next(epochs) == pytest.approx(last, rel=1e-3)


def worth_of_the_next(epochs: float, step: float = 1e-6) -> float:
    """Value of one more token after so many passes, beside a new one."""
    return float(effective(epochs + step, 1.0, 15.387756) - effective(epochs, 1.0, 15.387756)) / step


def test_no_return_is_where_a_token_is_worth_a_tenth() -> None:
    assert worth_of_the_next(no_return()) == pytest.approx(0.1, rel=1e-5)


def test_far_beyond_the_data_the_best_size_still_goes_on_smoothly() -> None:
    """There the loss changes by less than its last digit; its two terms are then as steep as each other.

    With ln of a term above its end = const − surplus/R, the minimum along ln N has N/(U_N R_N) − D/(U R_D) constant.
    """
    flops = np.geomspace(1e23, 1e30, 57)
    basis = basis_of_published(get_published("besiroglu"))
    best = best_for_compute(basis.surface(Scenario(1e22, unique_tokens=1e10), basis.theta[None]), flops)
    slopes = np.diff(np.log(best.params[0])) / np.diff(np.log(flops))
    assert np.all(np.abs(slopes - 0.5) < 0.05)
    assert np.abs(slopes[-1] - 0.5) < 2e-3
    _, A, B, alpha, beta = basis.theta
    enough = (alpha * A / (beta * B)) ** (1 / alpha) * 1e10 ** (beta / alpha)
    share = best.params[0] / enough / 5.309743 / (best.tokens[0] / 1e10 / 15.387756)
    assert share[-1] == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("seen", [0.3, 1.0, 1.5, 20.0, 200.0, 2000.0])
def test_a_term_above_its_end_is_exact_where_subtraction_is(seen: float) -> None:
    end, exponent = 1 + 15.387756, 0.37
    found = float(log_term_above_end(np.array(seen), 1.0, 15.387756, np.array(exponent)))
    surplus = max(seen - 1, 0) / 15.387756
    if surplus < 15:  # beyond, the difference is lost in rounding
        worth = float(effective(seen, 1.0, 15.387756))
        assert found == pytest.approx(math.log(worth**-exponent - end**-exponent), rel=1e-6)
    else:  # the first term of the series in e^(−surplus)
        gap = math.log(15.387756 / end) - surplus
        assert found == pytest.approx(-exponent * math.log(end) + math.log(exponent) + gap, rel=1e-3)


def test_a_law_that_was_fitted_to_repeats_says_itself_what_they_are_worth(reference: Path) -> None:
    runs = load([Upload.from_path(reference / "runs" / "data_constrained_c4_182.csv")])
    result = fit(get_law("data-constrained"), runs, get_objective("huber-log"), Selection(), 60)
    basis, scenario = basis_of_fit(result), Scenario(1e22, unique_tokens=1e10)
    answer, decays = plan(basis, scenario), basis.decays(scenario)
    own = result.theta[list(result.law.parameter_names).index("R_D")]
    assert decays is not None
    assert decays.from_law
    surplus = answer.tokens / 1e10 - 1
    assert answer.effective_tokens == pytest.approx(1e10 * (1 + own * (1 - math.exp(-surplus / own))))
    assert own == pytest.approx(27.9, abs=0.1)  # the published constant is 15.4
    low, high = answer.intervals["effective_tokens"]
    assert low < answer.effective_tokens < high
    assert not any("not from these runs" in note for note in answer.notes)


def test_a_law_that_takes_tokens_as_new_borrows_the_published_constant_and_says_so() -> None:
    answer = plan(MUENNIGHOFF, Scenario(1e22, unique_tokens=1e10))
    assert "effective_tokens" not in answer.intervals
    assert any("R_D* = 15.4), not from these runs" in note for note in answer.notes)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e6, 1e15), st.floats(1e6, 1e15), st.floats(0.5, 100))
def test_seen_for_undoes_effective(seen: float, unique: float, decay: float) -> None:
    worth = effective(seen, unique, decay)
    if seen / unique < 15 * decay:  # beyond, what one more pass adds is lost in rounding
        assert seen_for(worth, unique, decay) == pytest.approx(seen, rel=1e-6)
    assert worth <= min(seen, unique * (1 + decay)) * (1 + 1e-12)
    assert np.isinf(seen_for(unique * (1 + decay) * 1.01, unique, decay))


def test_without_demand_the_joint_optimum_is_that_of_limited_data() -> None:
    for flops, unique in ((1e22, 25e9), (1e23, 1e11), (1e21, 1e9)):
        alone = plan(MUENNIGHOFF, Scenario(flops, unique_tokens=unique))
        joint = plan(MUENNIGHOFF, Scenario(loss=alone.loss, unique_tokens=unique, demand=Demand(1.0)))
        assert (joint.params, joint.tokens) == pytest.approx((alone.params, alone.tokens), rel=1e-3)
        assert joint.flops == pytest.approx(flops, rel=1e-6)


def test_with_endless_data_the_joint_optimum_is_that_of_the_lifetime() -> None:
    endless = plan(SARDANA, Scenario(loss=2.0, demand=Demand(5e12)))
    plenty = plan(SARDANA, Scenario(loss=2.0, demand=Demand(5e12), unique_tokens=1e18))
    assert (plenty.params, plenty.tokens) == pytest.approx((endless.params, endless.tokens), rel=1e-6)


def test_with_neither_it_is_the_closed_form() -> None:
    closed = plan(SARDANA, Scenario(1e23))
    again = plan(SARDANA, Scenario(loss=closed.loss, unique_tokens=1e18))
    assert (again.params, again.tokens, again.flops) == pytest.approx((closed.params, closed.tokens, 1e23), rel=1e-5)


@pytest.mark.parametrize(("loss", "unique", "demand"), [(2.4, 5e10, 1e12), (2.2, 2e11, 2e13), (2.3, math.inf, 3e12)])
def test_no_point_of_a_fine_grid_is_cheaper(loss: float, unique: float, demand: float) -> None:
    surface = Surface(CHINCHILLA_LAW, MUENNIGHOFF.theta[None], unique)
    params, tokens, _, cost = only(cheapest_for_loss(surface, at(loss), demand))
    assert surface.loss(at(params), at(tokens))[0, 0] == pytest.approx(loss, rel=1e-9)
    grid = np.geomspace(params / 100, params * 100, 4001)
    cheapest = np.inf
    for n in grid:
        lengths = np.geomspace(tokens / 50, tokens * 50, 1500)
        reached = surface.loss(np.full((1, 1500), n), lengths[None])[0] <= loss
        if reached.any():
            cheapest = min(cheapest, float(lifetime_cost(n, lengths[reached][0], demand)))
    assert cost <= cheapest * (1 + 1e-9)
    assert cheapest <= cost * 1.01


def test_a_law_without_closed_form_is_searched_to_the_same_end() -> None:
    """With a joint exponent of 1 the gamma form is Chinchilla's law, which is solved instead of searched."""
    joined, theta = get_law("gamma"), CHINCHILLA[None]
    with_one = np.append(CHINCHILLA, 1.0)[None]
    solved = only(cheapest_for_loss(Surface(CHINCHILLA_LAW, theta), at(2.1), 1e13))
    assert only(cheapest_for_loss(Surface(joined, with_one), at(2.1), 1e13)) == pytest.approx(solved, rel=1e-5)
    for unique in (math.inf, 1e13):
        a = only(best_for_compute(Surface(CHINCHILLA_LAW, theta, unique), np.array([1e22])))
        b = only(best_for_compute(Surface(joined, with_one, unique), np.array([1e22])))
        assert b == pytest.approx(a, rel=1e-5)


@pytest.mark.parametrize("loss", [1.69, 1.0, 1e-9])
def test_a_loss_below_what_the_law_can_reach_is_refused_with_the_floor(loss: float) -> None:
    with pytest.raises(UserError) as caught:
        plan(SARDANA, Scenario(loss=loss))
    assert "1.69" in caught.value.what
    assert "no model comes below" in caught.value.what


def test_limited_data_raises_the_floor() -> None:
    with pytest.raises(UserError, match="with the data there is"):
        plan(MUENNIGHOFF, Scenario(loss=2.0, unique_tokens=1e9))
    assert plan(MUENNIGHOFF, Scenario(loss=2.0)).loss == 2.0


@pytest.mark.parametrize("flops", [1.0, 1e35])
@pytest.mark.parametrize("unique", [1.0, math.inf])
@pytest.mark.parametrize("demand", [0.0, 1e12])
def test_extremes_answer_or_refuse_in_words(flops: float, unique: float, demand: float) -> None:
    terms = Terms(get_hardware("H100 SXM"), n_gpus=1, price_usd_per_hour=0.0)
    try:
        answer = plan(SARDANA, Scenario(flops, unique_tokens=unique, demand=Demand(demand), terms=terms))
    except UserError:
        return
    json.dumps(answer.to_json(), allow_nan=False)
    assert answer.cost_usd == 0.0 or answer.to_json()["cost_usd"] is None


def test_a_wanted_size_is_kept_and_spends_the_budget() -> None:
    best = plan(SARDANA, Scenario(1e23))
    for factor in (0.5, 2.0):
        answer = plan(SARDANA, Scenario(1e23, params=best.params * factor))
        assert answer.params == best.params * factor
        assert 6 * answer.params * answer.tokens == pytest.approx(1e23)
        assert answer.loss > best.loss
    by_loss = plan(SARDANA, Scenario(loss=best.loss * 1.02, params=best.params))
    assert by_loss.loss == pytest.approx(best.loss * 1.02)
    assert by_loss.tokens < best.tokens


def test_draws_carry_into_cost_and_time() -> None:
    basis = basis_of_fit(fitted(chinchilla_runs(0.02), objective="mse-log", resamples=100))
    answer = plan(basis, Scenario(loss=2.2, demand=Demand(1e13), terms=Terms(get_hardware("H100 SXM"))))
    for name in ("params", "tokens", "flops", "cost_usd", "days", "gpu_hours", "energy_kwh", "lifetime_saving"):
        low, high = answer.intervals[name]
        assert low < getattr(answer, name) < high, name
    fixed = plan(basis, Scenario(1e22, terms=Terms(get_hardware("H100 SXM"))))
    assert not {"flops", "cost_usd", "days"} & set(fixed.intervals)  # a budget is what it is


def test_utilisation_moves_the_lifetime_optimum() -> None:
    """Decoding at a low utilisation makes inference dearer, so a smaller model pays."""
    alike = plan(SARDANA, Scenario(loss=2.0, demand=Demand(2e12), terms=Terms(get_hardware("H100 SXM"), mfu=0.4)))
    slow = Demand(2e12, written_share=0.5, prefill_mfu=0.4, decode_mfu=0.05)
    dear = plan(SARDANA, Scenario(loss=2.0, demand=slow, terms=Terms(get_hardware("H100 SXM"), mfu=0.4)))
    assert dear.params < alike.params
    assert slow.relative_price(0.4) == pytest.approx(0.5 + 0.5 * 8)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(1e18, 1e26),
    st.floats(1e9, 1e14) | st.just(math.inf),
    st.floats(0, 1e14),
    st.sampled_from([None, 7e9]),
)
def test_a_scenario_comes_back_from_json_and_gives_the_same_plan(
    flops: float, unique: float, demand: float, params: float | None
) -> None:
    terms = Terms(get_hardware("B200 SXM"), n_gpus=256, mfu=0.37)
    scenario = Scenario(flops, 0.8, unique_tokens=unique, demand=Demand(demand), params=params, terms=terms)
    again = Scenario.from_json(json.loads(json.dumps(scenario.to_json(), allow_nan=False)))
    assert again == scenario
    assert repr(plan(SARDANA, again)) == repr(plan(SARDANA, scenario))


@pytest.mark.parametrize("damage", [{"flopz": 1}, {"flops": "much"}, {"demand": {"tokens": -1}}, {"loss": 2.0}])
def test_a_damaged_scenario_is_refused_in_words(damage: dict) -> None:
    with pytest.raises(UserError):
        Scenario.from_json({"flops": 1e22, **damage})


def test_draws_that_cannot_reach_a_loss_are_told() -> None:
    """The floors of 20 draws are 1.71, 1.72, …, 1.90; a loss of 1.855 lies below five of them."""
    draws = np.repeat(SARDANA.theta[None], 20, axis=0)
    draws[:, 0] = 1.7 + 0.01 * np.arange(1, 21)
    basis = replace(SARDANA, draws=draws)
    told = plan(basis, Scenario(loss=1.855)).notes
    assert "25% of the draws of the law say that this cannot be reached; the intervals are of the others." in told
    most = plan(basis, Scenario(loss=1.755))
    assert "75% of the draws of the law say that this cannot be reached; so no interval is given." in most.notes
    assert "tokens" not in most.intervals
    assert not any("draws" in note for note in plan(basis, Scenario(loss=1.95)).notes)
    assert not any("draws" in note for note in plan(basis, Scenario(1e22)).notes)


def test_time_that_training_loses_makes_inference_no_dearer() -> None:
    """A rented hour gives mfu·(1 − lost) of the peak in training and decode_mfu in serving, whatever training loses."""
    demand = Demand(2e12, written_share=1.0, decode_mfu=0.1)
    calm, failing = (Terms(get_hardware("H100 SXM"), mfu=0.4, restart_share=lost) for lost in (0.0, 0.5))
    prices = [relative_price(Scenario(loss=2.0, demand=demand, terms=terms)) for terms in (calm, failing)]
    assert prices == pytest.approx([4.0, 2.0])
    alike = Scenario(loss=2.0, demand=Demand(2e12), terms=failing)
    assert relative_price(alike) == pytest.approx(1.0)
    lasting = [plan(SARDANA, Scenario(loss=2.0, demand=demand, terms=terms)).params for terms in (calm, failing)]
    assert lasting[0] < lasting[1]  # the dearer training is, the less of it pays


def test_what_is_saved_is_a_share_of_the_priced_cost() -> None:
    demand = Demand(2e12, written_share=1.0, decode_mfu=0.1)
    terms = Terms(get_hardware("H100 SXM"), mfu=0.4)
    answer = plan(SARDANA, Scenario(loss=2.0, demand=demand, terms=terms))
    cheapest = plan(SARDANA, Scenario(loss=2.0))
    here, there = (6 * p.params * p.tokens + 4 * 2 * p.params * 2e12 for p in (answer, cheapest))
    assert answer.lifetime_saving == pytest.approx(1 - here / there, rel=1e-6)


MACHINE = Scenario(1e22, terms=Terms(get_hardware("H100 SXM"))).to_json()["terms"]


@pytest.mark.parametrize(
    "data",
    [
        None, 5, "1e22", [1e22], {"flops": 10**400}, {"flops": math.nan}, {"flops": True}, {"flops": [1e22]},
        *({"flops": 1e22, **part} for part in (
            {"level": 10**400}, {"params": "7B"}, {"unique_tokens": math.inf}, {"demand": 3}, {"demand": [1]},
            {"demand": {"tokens": 10**400}}, {"demand": {"tokens": 1e12, "decode_mfu": "fast"}}, {"decay": "slow"},
            {"decay": {"tokens": 0}}, {"decay": {"tokens": -1.0}}, {"decay": {"params": math.inf}},
            {"terms": {}}, {"terms": 7}, {"terms": {"hardware": 7}}, {"terms": {"hardware": None}},
            *({"terms": {**MACHINE, **own}} for own in (
                {"mfu": [0.3, 0.4]}, {"mfu": "0.4"}, {"n_gpus": 10**400}, {"price_usd_per_hour": {"low": 1}},
                {"power": 3}, {"power": {"pue": [1.1]}}, {"power": {"pu": 1.1}}, {"precision": 5}, {"precision": [1]},
                {"hardware": {**MACHINE["hardware"], "peak_flops_per_s": {"bf16": 10**400}}},
                {"hardware": {**MACHINE["hardware"], "tdp_w": 10**400}},
            )),
        )),
    ],
)  # fmt: skip
def test_what_is_no_scenario_is_refused_in_words(data: object) -> None:
    with pytest.raises(UserError):
        Scenario.from_json(data)


def test_a_machine_without_power_has_the_usual_one_and_whole_numbers_are_numbers() -> None:
    short = {k: v for k, v in MACHINE.items() if k != "power"}
    terms = Scenario.from_json({"flops": 10**22, "terms": {**short, "n_gpus": 8}}).terms
    assert terms == Terms(get_hardware("H100 SXM"), n_gpus=8)
    assert isinstance(terms.n_gpus, float)


@pytest.mark.parametrize("decay", [{"tokens": 0.0}, {"tokens": -1.0}, {"params": math.nan}, {"params": 0.0}])
def test_a_decay_lies_above_zero(decay: dict[str, float]) -> None:
    with pytest.raises(UserError, match="The decay of"):
        Decay(**decay)


def test_demand_beyond_what_the_data_can_give_keeps_the_model_of_the_budget() -> None:
    """1.9B tokens, hundreds of passes: the loss is the floor to its last digit, and nothing cheaper is seen."""
    scenario = Scenario(1.385742940597295e23, unique_tokens=1897516349.0)
    alone, served = plan(MUENNIGHOFF, scenario), plan(MUENNIGHOFF, replace(scenario, demand=Demand(1.0)))
    assert served.loss == alone.loss
    assert math.isfinite(served.params)
