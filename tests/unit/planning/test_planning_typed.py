"""Fields of a plan as people type them, and what is asked back."""

from __future__ import annotations

import pytest

from scaling_core.errors import UserError
from scaling_core.planning.typed import (
    asked_back,
    doubtful_tokens,
    read_amount_of,
    read_peak,
    read_price,
    refuse_a_size_as_goal,
)


@pytest.mark.parametrize(
    ("text", "usd"),
    [("2.5", 2.5), ("$2.50/h", 2.5), ("3 USD per GPU-hour", 3.0), ("2 dollars an hour", 2.0), ("0", 0.0), ("", None)],
)
def test_prices_as_people_type_them(text: str, usd: float | None) -> None:
    assert read_price(text) == usd


@pytest.mark.parametrize(
    ("text", "rate"), [("989", 989e12), ("989 TFLOP/s", 989e12), ("1.2 PFLOPS", 1.2e15), ("5e14 FLOP/s", 5e14)]
)
def test_peaks_are_in_tflops_unless_said(text: str, rate: float) -> None:
    assert read_peak(text) == pytest.approx(rate, rel=1e-15)


@pytest.mark.parametrize("text", ["-1", "nan", "1e999", "cheap"])
def test_what_cannot_be_names_its_field(text: str) -> None:
    for read, where in ((read_price, "Price"), (read_peak, "Peak")):
        with pytest.raises(UserError) as error:
            read(text)
        assert error.value.where == where


def test_nothing_typed_in_words() -> None:
    assert read_amount_of("endless", "Unique tokens", "") is None
    assert read_amount_of("2 trillion tokens", "Unique tokens", "") == 2e12
    with pytest.raises(UserError, match="1 or more"):
        read_amount_of("0", "Size", "Write 7B.", 1.0)


def test_a_budget_out_of_proportion_is_asked_about() -> None:
    assert asked_back("5", 5.0) == [
        "“5” has no unit: read as 5 FLOPs.",
        "5 FLOPs is less than a model of a thousand parameters takes for a million tokens, so the answer means "
        "little. Did you mean 5e21?",
    ]
    assert "largest training runs" in asked_back("1e35 FLOPs", 1e35)[0]
    assert asked_back("1e24 FLOPs", 1e24) == []
    assert asked_back("$2M", 2e23) == []
    assert asked_back("1e22", 1e22) == []


def test_tokens_out_of_proportion_are_asked_about() -> None:
    assert "Did you mean 300B" in doubtful_tokens(300, "Unique tokens")[0]
    assert "all text on the web" in doubtful_tokens(1e20, "Tokens to serve")[0]
    assert doubtful_tokens(1e12, "Unique tokens") == []


def test_a_size_alone_is_no_goal() -> None:
    for text in ("70B", "7 billion", "as good as 70B", "7B parameters"):
        with pytest.raises(UserError, match="is a size"):
            refuse_a_size_as_goal(text)
    for text in ("2.1", "70B on 1.4T", "55%", "accuracy 0.55"):
        refuse_a_size_as_goal(text)
