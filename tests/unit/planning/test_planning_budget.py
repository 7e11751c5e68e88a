"""Budgets: each unit into each other, both ways, and the words people type."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from printed_values import printed

from scaling_core.errors import UserError
from scaling_core.planning.budget import Budget, Terms, amounts, implied_utilisation
from scaling_core.planning.budget_text import UNITS
from scaling_core.planning.energy import published_runs
from scaling_core.planning.hardware import Hardware, get_hardware, known_hardware
from scaling_core.planning.published_mfu import published_mfu

H100 = get_hardware("H100 SXM 80GB")
PLAIN = Hardware("plain", {"bf16": 1e14})


def test_a_thousand_h100_days() -> None:
    """24,000 hours at $2.50, at 40% of 989.4 TFLOP/s, 700 W and PUE 1.1."""
    terms = Terms(H100, mfu=0.4, n_gpus=100)
    budget = Budget.parse("1,000 H100-days")
    assert budget.to("USD", terms).value == pytest.approx(60_000)
    assert budget.flops(terms) == pytest.approx(24_000 * 3600 * 0.4 * 9.894e14)
    assert budget.to("days", terms).value == pytest.approx(10)
    assert budget.to("kWh", terms).value == pytest.approx(24_000 * 0.77)
    assert budget.to("kg CO2e", terms).value == pytest.approx(24_000 * 0.77 * 0.385)


def test_time_of_the_scaling_book() -> None:
    """6.3e24 FLOPs on 8,960 TPU v5p at 40%: 3.83e6 s, 44.32 days (scaling-book, applied training)."""
    found = amounts(6.3e24, Terms(get_hardware("TPU v5p"), mfu=0.4, n_gpus=8960))
    assert found.days * 86_400 == printed("3.83e6")
    assert found.days == printed("44.32")
    assert math.isnan(float(found.usd))
    assert math.isnan(float(found.energy_kwh))
    assert found.notes == (
        "No price is known for TPU v5p: no cost can be given.",
        "No power is known for TPU v5p: no energy can be given.",
    )


def test_headline_and_all_in_utilisation() -> None:
    terms = Terms(H100, mfu=0.41, restart_share=0.1, idle_share=0.05)
    assert terms.all_in_utilisation == pytest.approx(0.41 * 0.9 * 0.95)
    assert amounts(1e24, terms).gpu_hours == pytest.approx(1e24 / (9.894e14 * 3600 * 0.41 * 0.9 * 0.95))


def test_published_hours_imply_less_than_the_headline() -> None:
    """Llama 3.1 405B reports 41% on 16,384 H100; its 30.84M hours for 6ND mean 34.5%: a sixth of the time is lost."""
    run = next(r for r in published_runs() if r.model == "Llama 3.1 405B")
    headline = next(m for m in published_mfu() if m.run == "Llama 3.1 405B seq 8k DP128").utilisation
    assert run.params
    assert run.tokens
    all_in = implied_utilisation(6 * run.params * run.tokens, run.gpu_hours, get_hardware(run.gpu))
    assert all_in == printed("0.345")
    assert 1 - float(all_in) / headline == printed("0.16")


@pytest.mark.parametrize(
    ("model", "implied"),
    [
        ("LLaMA 7B", "0.434"),
        ("LLaMA 65B", "0.477"),
        ("BLOOM-176B", "0.318"),
        ("Llama 3 70B", "0.276"),
        ("Llama 3.1 8B", "0.138"),
    ],
)
def test_implied_utilisation_of_published_runs(model: str, implied: str) -> None:
    run = next(r for r in published_runs() if r.model == model)
    assert run.params
    assert run.tokens
    assert implied_utilisation(6 * run.params * run.tokens, run.gpu_hours, get_hardware(run.gpu)) == printed(implied)


@settings(deadline=None)
@given(
    value=st.floats(1e-3, 1e12),
    unit=st.sampled_from(UNITS),
    through=st.sampled_from(UNITS),
    mfu=st.floats(0.01, 1),
    price=st.floats(0.01, 100),
    n=st.integers(1, 100_000),
    lost=st.floats(0, 0.9),
)
def test_every_conversion_leads_back(
    value: float, unit: str, through: str, mfu: float, price: float, n: int, lost: float
) -> None:
    terms = Terms(H100, mfu=mfu, price_usd_per_hour=price, n_gpus=n, restart_share=lost)
    budget = Budget(value, unit)
    assert budget.to(through, terms).to(unit, terms).value == pytest.approx(value, rel=1e-12)
    assert budget.to(through, terms).flops(terms) == pytest.approx(budget.flops(terms), rel=1e-12)


@settings(deadline=None)
@given(value=st.floats(1e-6, 1e30), unit=st.sampled_from(UNITS), device=st.sampled_from(["", "H100", "A100 SXM 80GB"]))
def test_the_text_of_a_budget_reads_back(value: float, unit: str, device: str) -> None:
    budget = Budget(value, unit, device if unit == "GPU-hours" else "")
    assert Budget.parse(budget.text()) == budget


@settings(deadline=None)
@given(st.floats(1e15, 1e26), st.floats(0.05, 0.9))
def test_amounts_and_budgets_agree(flops: float, mfu: float) -> None:
    terms = Terms(H100, mfu=mfu, n_gpus=64)
    found = amounts(flops, terms)
    for value, unit in (
        (found.gpu_hours, "GPU-hours"),
        (found.days, "days"),
        (found.usd, "USD"),
        (found.co2e_kg, "kg CO2e"),
    ):
        assert Budget(float(value), unit).flops(terms) == pytest.approx(flops, rel=1e-12)


def test_draws_pass_through() -> None:
    mfu = np.array([0.3, 0.4, 0.5])
    price = np.array([2.0, 2.5, 3.0])
    terms = Terms(H100, mfu=mfu, price_usd_per_hour=price)
    one_by_one = [Terms(H100, mfu=m, price_usd_per_hour=p) for m, p in zip(mfu, price, strict=True)]
    assert amounts(1e22, terms).usd == pytest.approx([amounts(1e22, t).usd for t in one_by_one])
    assert Budget(1e6, "USD").flops(terms) == pytest.approx([Budget(1e6, "USD").flops(t) for t in one_by_one])
    with pytest.raises(UserError, match="one amount"):
        Budget(1e6, "USD").to("FLOPs", terms)


@pytest.mark.parametrize(
    ("text", "value", "unit", "device"),
    [
        ("1e24", 1e24, "FLOPs", ""),
        ("5.76e23 FLOPs", 5.76e23, "FLOPs", ""),
        ("3 ZFLOPs", 3e21, "FLOPs", ""),
        ("3640 PF-days", 3640 * 86_400e15, "FLOPs", ""),
        ("40 petaflop/s-days", 40 * 86_400e15, "FLOPs", ""),
        ("$2M", 2e6, "USD", ""),
        ("2 million dollars", 2e6, "USD", ""),
        ("USD 1,500", 1500, "USD", ""),
        ("US$1.5 billion", 1.5e9, "USD", ""),
        ("250k$", 250e3, "USD", ""),
        ("3 weeks", 21, "days", ""),
        ("36 hours", 1.5, "days", ""),
        ("90 min", 0.0625, "days", ""),
        ("1 year", 365.25, "days", ""),
        ("10d", 10, "days", ""),
        ("5000 GPU-hours", 5000, "GPU-hours", ""),
        ("5k gpu hours", 5000, "GPU-hours", ""),
        ("1.5M A100-hours", 1.5e6, "GPU-hours", "A100"),
        ("1,000 H100-days", 24_000, "GPU-hours", "H100"),
        ("64 GPUs for 3 weeks", 64 * 21 * 24, "GPU-hours", ""),
        ("10 days on 64 H100s", 15_360, "GPU-hours", "H100"),
        ("64 A100 SXM 80GB x 3 days", 4608, "GPU-hours", "A100 SXM 80GB"),
        ("200 MWh", 200e3, "kWh", ""),
        ("1.5GWh", 1.5e6, "kWh", ""),
        ("800 Wh", 0.8, "kWh", ""),
        ("50 t CO2e", 50e3, "kg CO2e", ""),
        ("173.2 tCO2eq", 173.2e3, "kg CO2e", ""),
        ("300 kg CO2", 300, "kg CO2e", ""),
        ("50 tons of CO2", 50e3, "kg CO2e", ""),
        ("1.5M$", 1.5e6, "USD", ""),
        ("$1.5 bn", 1.5e9, "USD", ""),
        ("1 exaflop", 1e18, "FLOPs", ""),
        ("3 × 10^24", 3e24, "FLOPs", ""),
        ("6e22 operations", 6e22, "FLOPs", ""),
        ("100 PFLOP-days", 100 * 86_400e15, "FLOPs", ""),
        ("two weeks", 14, "days", ""),
        ("2 GPU-months", 2 * 365.25 / 12 * 24, "GPU-hours", ""),
        ("1M GPUh", 1e6, "GPU-hours", ""),
        ("3 weeks on 64 H100", 64 * 21 * 24, "GPU-hours", "H100"),
        ("2 weeks with 8 GPUs", 8 * 14 * 24, "GPU-hours", ""),
        ("8xH100 for 1 week", 8 * 7 * 24, "GPU-hours", "H100"),
    ],
)
def test_budgets_as_people_type_them(text: str, value: float, unit: str, device: str) -> None:
    budget = Budget.parse(f"  {text} ")
    assert budget.value == pytest.approx(value, rel=1e-12)
    assert (budget.unit, budget.device) == (unit, device)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no budget"),
        ("banana", "no budget"),
        ("100 GPUs", "no budget"),
        ("1e24 FLOP/s", "a speed"),
        ("2B", "does not say of what"),
        ("€2M", "US dollars"),
        ("2M euros", "US dollars"),
        ("-5 days", "no amount above zero"),
        ("$0", "no amount above zero"),
        ("1e400", "no amount above zero"),
        ("1.2.3 days", "not a number"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        Budget.parse(text)
    assert "$2M" in error.value.fix or "3 weeks" in error.value.fix


def test_an_hour_for_nothing_costs_nothing_and_limits_nothing() -> None:
    free = Terms(H100, price_usd_per_hour=0)
    assert amounts(1e22, free).usd == 0
    with pytest.raises(UserError, match="does not limit the compute"):
        Budget(1e6, "USD").flops(free)


def test_what_is_unknown_is_refused_only_where_it_is_needed() -> None:
    terms = Terms(PLAIN)
    assert Budget(1.0, "GPU-hours").flops(terms) == pytest.approx(0.4 * 3600e14)
    with pytest.raises(UserError, match="price of plain is not known"):
        Budget(1e6, "USD").flops(terms)
    with pytest.raises(UserError, match="power of plain is not known"):
        Budget(1e6, "kWh").flops(terms)
    assert Budget(1e6, "USD").flops(Terms(PLAIN, price_usd_per_hour=2.0)) == pytest.approx(5e5 * 0.4 * 3600e14)


def test_hours_of_one_accelerator_are_not_those_of_another() -> None:
    with pytest.raises(UserError, match="hours of H100, the hardware is A100 SXM 80GB"):
        Budget.parse("100 H100-hours").flops(Terms(get_hardware("A100 SXM 80GB")))
    with pytest.raises(UserError, match="hours of A10,"):
        Budget.parse("100 A10-hours").flops(Terms(get_hardware("A100 SXM 80GB")))
    hours = Budget.parse("100 a100 sxm-hours")
    assert hours.flops(Terms(get_hardware("A100 SXM 80GB"))) == pytest.approx(100 * 3600 * 0.4 * 3.12e14)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"mfu": 0}, "MFU"),
        ({"mfu": 1.2}, "MFU"),
        ({"mfu": [0.4, math.nan]}, "MFU"),
        ({"n_gpus": 0}, "number of accelerators"),
        ({"restart_share": 1}, "restarts"),
        ({"idle_share": -0.1}, "idle"),
        ({"price_usd_per_hour": -1}, "price"),
        ({"precision": "fp4"}, "No fp4 rate"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Terms(H100, **terms)  # type: ignore[arg-type]


def test_a_budget_is_an_amount_of_something() -> None:
    with pytest.raises(UserError, match="above zero"):
        Budget(0.0)
    with pytest.raises(UserError, match="cannot be in “apples”"):
        Budget(1.0, "apples")
    with pytest.raises(UserError, match="cannot be in “apples”"):
        Budget(1.0).to("apples", Terms(H100))


NUMBERS = {"2": 2, "1.5": 1.5, "1e3": 1e3, "2.5E+3": 2500, "2k": 2e3, "3 M": 3e6, "1,000": 1e3, "2 million": 2e6,
           "5e2": 500, "4K": 4e3, "1 000": 1e3}  # fmt: skip
WRITTEN = {
    "hours": (1 / 24, "days", ""), "h": (1 / 24, "days", ""), "minutes": (1 / 1440, "days", ""),
    "days": (1, "days", ""), "weeks": (7, "days", ""), "years": (365.25, "days", ""), "GPU-hours": (1, "GPU-hours", ""),
    "GPU days": (24, "GPU-hours", ""), "H100-hours": (1, "GPU-hours", "H100"),
    "TPU v5e-hours": (1, "GPU-hours", "TPU v5e"),
    "H100s for 10 days": (240, "GPU-hours", "H100"), "H100s for 1e3 hours": (1e3, "GPU-hours", "H100"),
    "GPUs for 2k hours": (2e3, "GPU-hours", ""), "FLOPs": (1, "FLOPs", ""), "PFLOPs": (1e15, "FLOPs", ""),
    "PF-days": (86_400e15, "FLOPs", ""), "USD": (1, "USD", ""), "dollars": (1, "USD", ""), "kWh": (1, "kWh", ""),
    "MWh": (1e3, "kWh", ""), "kg CO2e": (1, "kg CO2e", ""), "t CO2e": (1e3, "kg CO2e", ""),
}  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("written", WRITTEN)
def test_every_number_goes_with_every_unit(number: str, written: str) -> None:
    factor, unit, device = WRITTEN[written]
    amount = Budget.parse(f"{number} {written}")
    assert (amount.unit, amount.device) == (unit, device)
    assert amount.value == pytest.approx(NUMBERS[number] * factor, rel=1e-12)


@pytest.mark.parametrize("hardware", known_hardware(), ids=lambda h: h.name)
def test_every_known_accelerator_can_be_named_in_hours(hardware: Hardware) -> None:
    word = " ".join(re.findall(r"\w+", hardware.name.split("(")[0])[:2])
    assert Budget.parse(f"1e3 {word}-hours") == Budget(1e3, "GPU-hours", word)


@pytest.mark.parametrize(
    "text", ["1e22 for 3 days", "1e22 x 3 days", "64 for 10 days", "3 weeks 2 days", "5 hours per day", "2 x3 days"]
)
def test_the_end_of_a_number_a_time_or_a_joining_word_is_no_accelerator(text: str) -> None:
    with pytest.raises(UserError, match="no budget"):
        Budget.parse(text)
