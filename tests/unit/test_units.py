"""Quantities as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core.errors import UserError
from scaling_core.units import (
    PF_DAY,
    SUFFIXES,
    format_count,
    format_flops,
    format_number,
    format_percent,
    format_ratio,
    parse_quantity,
    parse_share,
)

COUNTS = st.floats(1e-3, 1e17)
ANY = st.floats(1e-300, 1e300)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70M", 70e6), ("1.4B", 1.4e9), ("1.4b", 1.4e9), ("300e9", 300e9), ("1,000", 1000), ("1_000_000", 1e6),
        ("12 500", 12500), ("1,234.5", 1234.5), ("2G", 2e9), ("3T", 3e12), ("5P", 5e15), ("10k", 1e4), (" 7 ", 7),
        (".5B", 5e8), ("5.", 5), ("-3", -3), ("+3e2", 300), ("1e22 FLOPs", 1e22), ("1e22 flop", 1e22),
        ("20 tokens", 20), ("1.3B params", 1.3e9), ("7B parameters", 7e9), ("0", 0), ("5.76E23", 5.76e23),
        ("1 trillion", 1e12), ("1.5 trillion tokens", 1.5e12), ("70 billion params", 7e10), ("2million", 2e6),
        ("3 bn", 3e9), ("2.0 nats", 2), ("2.1 nats per token", 2.1), ("10^12", 1e12), ("1.5 x 10^12", 1.5e12),
        ("3·10²⁴ FLOPs", 3e24), ("2 × 10**-3", 2e-3), ("~7B", 7e9),
    ],
)  # fmt: skip
def test_quantities_are_read(text: str, value: float) -> None:
    assert parse_quantity(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "B", "seven", "1.2.3", "1,00", "1,0000", "12 34", "7X", "7MB", "1e", "nan", "inf", "0x10", "1e22 $"],
)
def test_what_is_no_quantity_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_quantity(text)
    assert text.strip() in caught.value.what
    assert "1.4B" in caught.value.fix


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.02e9, "7.02B"), (160e9, "160B"), (1.33e12, "1.33T"), (999.7e6, "1.00B"), (999.4e6, "999M"), (70426624, "70.4M"),
     (1234, "1.23k"), (12, "12"), (0, "0"), (0.5, "0.500"), (1e15, "1000T"), (-2e6, "-2.00M"), (math.nan, "unknown"),
     (math.inf, "unknown")],
)  # fmt: skip
def test_counts_are_written(value: float, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(5.76e23, "5.76e23"), (1e22, "1e22"), (9.999e21, "1e22"), (1.5, "1.5"), (5, "5"), (999.7, "1e3"),
     (2.4e-7, "2.4e-7"), (0, "0"), (math.inf, "unknown")],
)  # fmt: skip
def test_flops_are_written(value: float, text: str) -> None:
    assert format_flops(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.974441, 4, "1.974"), (0.05, 2, "0.050"), (20.0, 3, "20.0"), (123456, 3, "123000"), (2143.417, 6, "2143.42"),
     (1e-9, 3, "1e-9"), (9.9996, 4, "10.00"), (-0.123, 2, "-0.12"), (0, 3, "0"), (math.nan, 3, "unknown")],
)  # fmt: skip
def test_numbers_are_written(value: float, digits: int, text: str) -> None:
    assert format_number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (13.2, "13×"),
        (1.44, "1.4×"),
        (1, "1×"),
        (1.02, "1.02×"),
        (1.0035, "1.004×"),
        (1.0001, "1×"),
        (0.0214, "0.021×"),
        (2, "2×"),
        (math.nan, "unknown"),
        (444.4, "440×"),
        (1e6, "1e6×"),
        (2.5e4, "2.5e4×"),
    ],
)
def test_ratios_are_written(value: float, text: str) -> None:
    assert format_ratio(value) == text


@pytest.mark.parametrize(
    ("text", "value"), [("30 percent", 0.3), ("40%", 0.4), ("40 %", 0.4), ("0.4", 0.4), (".5 per cent", 0.005)]
)
def test_shares_are_read(text: str, value: float) -> None:
    assert parse_share(text) == pytest.approx(value, rel=1e-15)


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(UserError, match="no share"):
        parse_share("a third")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.4, "40%"), (0.00361, "0.36%"), (1e-6, "under 0.01%"), (0, "0%"), (1.234, "123%"), (0.999, "99.9%"),
     (-0.02, "-2%"), (math.nan, "unknown")],
)  # fmt: skip
def test_shares_are_written(share: float, text: str) -> None:
    assert format_percent(share) == text


@given(COUNTS)
def test_a_written_count_reads_back_to_its_digits(value: float) -> None:
    assert parse_quantity(format_count(value)) == pytest.approx(value, rel=0.5e-2)
    assert parse_quantity(format_count(value, 6)) == pytest.approx(value, rel=0.5e-5)


@given(ANY)
def test_written_flops_and_numbers_read_back_to_their_digits(value: float) -> None:
    assert parse_quantity(format_flops(value)) == pytest.approx(value, rel=0.5e-2)
    assert float(format_number(value, 5)) == pytest.approx(value, rel=0.5e-4)


@given(COUNTS, COUNTS)
def test_writing_keeps_the_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert parse_quantity(format_count(low)) <= parse_quantity(format_count(high))


@given(st.floats())
def test_every_float_can_be_written(value: float) -> None:
    for write in (format_count, format_flops, format_number):
        assert (write(value) == "unknown") is not math.isfinite(value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse_quantity(text)
    except UserError:
        return
    assert not math.isnan(value)


def test_constants() -> None:
    assert PF_DAY == 8.64e19  # 10^15 FLOP/s for a day, Brown et al. 2020, arXiv 2005.14165, figure 2.2
    assert SUFFIXES["g"] == SUFFIXES["b"] == 1e9
