"""Values as a paper or table prints them: equal means equal to the last digit that was printed."""

from __future__ import annotations

from typing import Any

import pytest


def printed(text: str) -> Any:
    """Return what a printed number must equal: itself, give or take half of its last digit."""
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(exponent or 0) - decimals)
    return pytest.approx(float(text), abs=half * (1 + 1e-9), rel=0)


def all_printed(text: str) -> Any:
    """Return what several printed numbers, split by semicolons, must equal one by one."""
    parts = [printed(part.strip()) for part in text.split(";")]
    return _Each(parts)


class _Each:
    """Equal to a sequence if each element equals its own."""

    __array_ufunc__ = None  # an array compares itself as a whole, too

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        values = list(other)  # type: ignore[call-overload]
        return len(values) == len(self.parts) and all(v == p for v, p in zip(values, self.parts, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"each of {self.parts}"
