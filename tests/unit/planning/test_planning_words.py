"""The sentence of a plan, for a loss and for another metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.laws import get_law
from scaling_core.planning import (
    Basis,
    Demand,
    Scenario,
    Terms,
    basis_of_fit,
    basis_of_published,
    get_hardware,
    get_published,
    plan,
)
from scaling_core.planning.figures import (
    beyond_by,
    carbon,
    duration,
    energy,
    hours,
    money,
    passes,
    peak,
    rate,
    saving,
    size,
)
from scaling_core.planning.valley import valley
from scaling_core.planning.words import is_brief, sentence, untold
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_count, format_flops, format_number

ACCURACY = Metric("acc", "accuracy", True, 1.0)
WER = Metric("wer", "word errors", False, 0.1)
BESIROGLU = basis_of_published(get_published("besiroglu"))
THETA = np.array([0.1, 400.0, 2000.0, 0.34, 0.36])


def law_of(metric: Metric) -> Basis:
    draws = np.stack([THETA * np.array([k, 1, 1, 1, 1]) for k in np.linspace(0.9, 1.1, 21)])
    return Basis("made", get_law("chinchilla"), THETA, draws, {}, {}, (), "made", metric=metric)


def test_a_basis_carries_the_metric_of_its_fit() -> None:
    runs = chinchilla_runs()
    basis = basis_of_fit(fitted(runs))
    assert (basis.metric, BESIROGLU.metric) == (LOSS, LOSS)
    by_errors = fitted(
        replace(runs, frame=runs.frame.assign(wer=runs.frame["loss"] + 0.1)).measured_by("wer:lower:0.1")
    )
    assert basis_of_fit(by_errors).metric == Metric("wer", "wer", False, 0.1)


def test_a_metric_is_shown_as_itself_with_the_low_end_first() -> None:
    basis = law_of(ACCURACY)
    answer = plan(basis, Scenario(1e24))
    low, high = (1 - end for end in reversed(answer.intervals["loss"]))
    assert sentence(Scenario(1e24), answer, metric=basis.metric).endswith(
        f", accuracy {1 - answer.loss:.4f} ({low:.4f}–{high:.4f})."
    )
    wer = sentence(Scenario(1e24), answer, metric=WER)
    assert f"word errors {0.1 + answer.loss:.4f}" in wer
    assert "loss" not in wer


def test_a_goal_of_a_metric_is_shown_as_the_metric() -> None:
    asked = Scenario(loss=0.2)
    assert sentence(asked, plan(law_of(ACCURACY), asked), metric=ACCURACY).startswith("Reaching accuracy 0.8000 takes")


def test_what_one_accelerator_does_in_no_time_is_said_by_its_time() -> None:
    terms = Terms(get_hardware("H100 SXM 80GB"), mfu=0.4, n_gpus=256)
    brief, longer = Scenario(2.31e14, terms=terms), Scenario(1e18, terms=terms)
    # C / (989.4e12 FLOP/s at peak × 0.4) = 0.584 s, whatever the number of accelerators; 1e18 takes 0.702 hours
    assert "(0.58 seconds of one H100 SXM 80GB, $0.00041 at" in sentence(brief, plan(BESIROGLU, brief))
    assert "(0.702 hours of H100 SXM 80GB, $1." in sentence(longer, plan(BESIROGLU, longer))
    assert [is_brief(plan(BESIROGLU, s)) for s in (brief, longer, Scenario(2.31e14))] == [True, False, False]


def test_a_loss_reads_as_before() -> None:
    answer = plan(BESIROGLU, Scenario(1e22))
    assert sentence(Scenario(1e22), answer).endswith(f", loss {answer.loss:.3f}.")
    asked = Scenario(loss=2.2)
    assert sentence(asked, plan(BESIROGLU, asked)).startswith("A loss of 2.200 takes")


def drawn_law(*, spread: float = 0.0, floors: tuple[float, ...] = (1.8,)) -> Basis:
    """A law whose draws differ in the ratio of A and B by a factor either way, and in E."""
    tilts = np.linspace(-spread, spread, 21)
    draws = [[e, 400.0 * np.exp(t), 2000.0 * np.exp(-t), 0.34, 0.36] for t in tilts for e in floors]
    theta = np.array([1.8, 400.0, 2000.0, 0.34, 0.36])
    return Basis("made", get_law("chinchilla"), theta, np.array(draws), {}, {}, (), "made")


def test_the_sentence_gives_the_intervals_of_what_to_train() -> None:
    basis = drawn_law(spread=0.2)
    answer = plan(basis, Scenario(1e22))
    (a, b), (c, d) = (tuple(map(format_count, answer.intervals[n])) for n in ("params", "tokens"))
    said = sentence(Scenario(1e22), answer)
    assert (
        f"{format_count(answer.params)} parameters ({a}–{b}) on {format_count(answer.tokens)} tokens ({c}–{d})" in said
    )
    assert "can't tell" not in said


def test_what_the_draws_leave_open_is_said() -> None:
    """N* goes as (αA/βB)^(1/(α+β)): draws with A/B from e^-2 to e^2 apart give exp(0.9·4/0.7) = 171 times."""
    answer = plan(drawn_law(spread=1.0), Scenario(1e22))
    low, high = answer.intervals["params"]
    assert high / low == pytest.approx(np.exp(0.9 * 4 / 0.7), rel=1e-6)
    assert untold(answer) == pytest.approx({"params": high / low, "tokens": high / low})
    assert "We can't tell well how many parameters and tokens: the intervals are 170× and 170×" in sentence(
        Scenario(1e22), answer
    )


def test_an_answer_at_the_end_of_a_wide_interval_is_not_told_well_either() -> None:
    answer = plan(drawn_law(spread=0.25), Scenario(1e22))
    assert not untold(answer)
    low, high = answer.intervals["params"]
    assert 3 < high / low < 10
    assert set(untold(replace(answer, params=low * 1.05))) == {"params"}


def test_a_goal_has_intervals_of_compute_and_cost_and_says_which_draws_never_reach_it() -> None:
    basis = drawn_law(spread=0.1, floors=(1.7, 1.8, 1.9, 1.8))
    asked = Scenario(loss=1.88, terms=Terms(get_hardware("H100 SXM"), n_gpus=64))
    answer = plan(basis, asked)
    assert answer.unreached == 0.25  # the draws with E = 1.9
    low, high = answer.intervals["flops"]
    assert low < answer.flops < high
    said = sentence(asked, answer)
    assert f"takes {format_flops(answer.flops)} FLOPs ({format_flops(low)}–{format_flops(high)}; " in said
    assert f"({money(answer.intervals['cost_usd'][0])}–{money(answer.intervals['cost_usd'][1])}) at $2.50/h" in said
    assert "In 25% of the draws of the law no budget reaches it; the intervals are of the others." in said
    a, b = answer.intervals["loss"]  # what the planned N and D reach by the draws
    assert a == pytest.approx(1.88 - 0.1, abs=0.02)
    assert b == pytest.approx(1.88 + 0.1, abs=0.02)


def test_the_valley_and_the_plan_say_the_same_of_the_same_model() -> None:
    basis = drawn_law(spread=0.5, floors=(1.7, 1.9))
    answer = plan(basis, Scenario(1e22))
    rows = valley(basis, Scenario(1e22))
    best = rows.loc[(rows["factor"] - 1).abs().idxmin()]
    assert answer.intervals["loss"] == pytest.approx((best["loss_low"], best["loss_high"]), rel=1e-9)


def test_more_than_the_budget_is_said_in_the_sentence_with_its_reason() -> None:
    asked = Scenario(1e23, demand=Demand(1e13), terms=Terms(get_hardware("H100 SXM"), n_gpus=64))
    answer = plan(BESIROGLU, asked)
    times = answer.flops / 1e23
    said = sentence(asked, answer)
    assert said.startswith(f"Trained with {format_flops(answer.flops)} FLOPs (")
    assert f"{format_number(100 * (times - 1), 2)}% more than your budget of 1e23 FLOPs ($175k)" in said
    assert "because a smaller model that serves 10.0T tokens pays it back" in said
    assert f"({format_number(100 * answer.lifetime_saving, 2)}% saved over its life)" in said
    assert sentence(Scenario(1e23), plan(BESIROGLU, Scenario(1e23))).startswith("With 1e23 FLOPs:")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (hours(1000.0), "1,000"), (hours(0.5234), "0.523"), (hours(24_300.0), "24.3k"), (hours(999.7), "1,000"),
        (passes(2980332462.0), "2.98B"), (passes(1.4), "1.4"), (passes(40.2), "40"), (passes(1234.0), "1,230"),
        (rate(2.5), "$2.50"), (rate(0.0655), "$0.0655"), (rate(3), "$3.00"),
        (beyond_by(1.02), "2%"), (beyond_by(0.98), "2%"), (beyond_by(13.2), "13×"), (beyond_by(1 / 13.2), "13×"),
        (duration(365.25 * 1234), "1,230 years"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_write_them(written: str, text: str) -> None:
    assert written == text


def test_next_to_nothing_and_what_no_suffix_names_are_written_for_a_person() -> None:
    assert (money(0.0), money(3e-19), money(0.5), money(1.75e17)) == ("$0", "under $0.00001", "$0.50", "$1.75e17")
    assert (hours(7e-19), hours(0.52), hours(1000.0), hours(7.02e16)) == ("under 0.00001", "0.520", "1,000", "7.02e16")
    assert (duration(1e-20), duration(1e20)) == ("under 1 µs", "2.74e17 years")
    assert [duration(s / 86_400) for s in (2.3e-3, 4.56e-5, 0.0999, 0.58)] == [
        "2.3 ms",
        "46 µs",
        "100 ms",
        "0.58 seconds",
    ]
    assert (energy(1e-20), energy(5.4e16)) == ("under 0.00001 Wh", "54.0M TWh")
    assert (carbon(1e-9), carbon(47.9), carbon(239_000.0)) == ("under 0.00001 g", "47.9 kg", "239 t")
    # 0.58 seconds of an H100 at $2.50 an hour, with 0.7 kW, PUE 1.1 and 0.385 kg/kWh
    assert (money(4.06e-4), hours(1.622e-4), energy(1.249e-4), carbon(4.81e-5)) == (
        "$0.00041", "0.00016", "0.125 Wh", "0.048 g",
    )  # fmt: skip
    assert [money(v) for v in (0.0176, 0.0999, 0.02)] == ["$0.018", "$0.10", "$0.020"]
    assert (size(0.045), size(2.55e15), size(7e9)) == ("under 1", "2.55e15", "7.00B")
    assert (rate(0.0), peak(989.4e12)) == ("$0", "989.4 TFLOP/s")
    assert (saving(0.0055), saving(-3.63)) == ("0.55%", "none, 4.6× the cost")


def test_what_is_asked_for_has_no_interval() -> None:
    answer = plan(drawn_law(spread=0.2), Scenario(1e22, params=7e9))
    assert set(answer.intervals) == {"loss"}
    assert "7.00B parameters on " in sentence(Scenario(1e22, params=7e9), answer)


def test_time_that_is_lost_is_said_beside_the_utilisation() -> None:
    terms = Terms(get_hardware("H100 SXM 80GB"), mfu=0.4, n_gpus=256, restart_share=0.25)
    asked = Scenario(1e22, terms=terms)
    # 1e22 / (989.4e12 × 0.4 × 0.75 × 3600) = 9,358 hours
    assert "(9,360 hours of H100 SXM 80GB, $23.4k at $2.50/h, 40% MFU, 25% of the time lost)" in sentence(
        asked, plan(BESIROGLU, asked)
    )


def test_draws_that_reach_a_goal_are_no_interval_of_an_answer_outside_them() -> None:
    """Four in ten draws have a floor above the goal; the others reach it for far less than the law itself."""
    basis = drawn_law(floors=(1.2, 1.2, 1.2, 1.9, 1.9))
    asked = Scenario(loss=1.85)
    answer = plan(basis, asked)
    assert answer.unreached == pytest.approx(0.4)
    assert not {"flops", "params", "tokens"} & set(answer.intervals)
    assert "40% of the draws of the law say that this cannot be reached; so no interval is given." in answer.notes
    assert "the intervals are of the others" not in sentence(asked, answer)
