"""What is typed into the fields of a plan, read as a person means it, and what must be asked back about it."""

from __future__ import annotations

import math
import re

from scaling_core.errors import UserError
from scaling_core.planning.budget_text import is_bare
from scaling_core.units import format_count, format_flops, parse_quantity

#: A thousand parameters on a million tokens, counted as 6ND: nothing smaller has been worth a law.
SMALLEST_FLOPS = 6e9
#: The largest training run known in 2025, Grok 4, is put at 5e26 FLOPs by Epoch AI; a thousand times that is nobody's.
LARGEST_FLOPS = 5e29
#: Text on the indexed web is put near 4e14 tokens (Villalobos et al. 2024, arXiv 2211.04325, Figure 1); 250 times that.
LARGEST_TOKENS = 1e17
_SMALLEST_TOKENS = 1e5
#: A bare number in here is FLOPs as everybody writes them; the field says how it was read all the same.
_USUAL = (1e15, 1e28)
_HOURLY = re.compile(r"\s*(?:/|per|an?)\s*(?:[a-z]+[\s-]*)?h(?:ours?|rs?)?\s*$", re.IGNORECASE)
_DOLLAR = re.compile(r"(?:us\s?)?(?:\$|usd|dollars?)", re.IGNORECASE)
_SPEED = re.compile(
    r"^(?P<number>.*?)\s*(?P<prefix>[kmgtpe])?\s*flops?(?:\s*(?:/|per)\s*s(?:ec(?:ond)?)?)?\s*$", re.IGNORECASE
)
_SIZE_ALONE = re.compile(
    r"^\s*(?:as good as\s+)?(?P<size>[\d.]+\s*(?:[kmbgt]|million|billion|trillion))(?:\s*param(?:eter)?s?)?\s*$",
    re.IGNORECASE,
)
_PER_S = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18}
_NOTHING = {"", "none", "no", "-", "endless", "infinite", "unlimited", "inf", "∞"}


def read_amount_of(text: str, what: str, fix: str, least: float = 0.0) -> float | None:
    """Return a count that was typed, or None where nothing was, or a word for it.

    Raises
    ------
    UserError
        If it cannot be read, or is not finite or below ``least``; the error names ``what``.
    """
    if text.strip().casefold() in _NOTHING:
        return None
    return _bounded(_number(text, what, fix), text, what, fix, least)


def read_price(text: str) -> float | None:
    """Return dollars an hour: ``2.5``, ``$2.50/h``, ``3 USD per GPU-hour``; None where nothing was typed.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    fix = "Write dollars an hour: 2.50, say, or $2.50/h."
    bare = _DOLLAR.sub("", _HOURLY.sub("", text.strip()))
    return read_amount_of(bare, "Price", fix)


def read_peak(text: str) -> float | None:
    """Return FLOP/s: ``989``, read as TFLOP/s, ``989 TFLOP/s``, ``1.2 PFLOPS``; None where nothing was typed.

    Raises
    ------
    UserError
        If it cannot be read, or is not above zero.
    """
    fix = "Write the dense peak in TFLOP/s: 989, say, or 1.2 PFLOP/s."
    match = _SPEED.match(text)
    number = read_amount_of(match["number"] if match else text, "Peak", fix)
    if number is None:
        return None
    unit = 1e12 if not match else _PER_S[match["prefix"].lower()] if match["prefix"] else 1.0
    if not 1e3 <= number * unit <= 1e21:
        raise UserError(f"No accelerator computes {format_flops(number * unit)} FLOP/s.", where="Peak", fix=fix)
    return number * unit


def asked_back(typed: str, flops: float | None) -> list[str]:
    """What a budget makes one ask back: it has no unit, or is out of all proportion."""
    said = []
    if typed and is_bare(typed) and flops is not None and not _USUAL[0] <= flops <= _USUAL[1]:
        said.append(f"“{typed.strip()}” has no unit: read as {format_flops(flops)} FLOPs.")
    if flops is None:
        return said
    if flops < SMALLEST_FLOPS:
        meant = f" Did you mean {_mantissa(flops)}e21?" if typed and is_bare(typed) else ""
        said.append(
            f"{format_flops(flops)} FLOPs is less than a model of a thousand parameters takes for a million tokens, so "
            f"the answer means little.{meant}"
        )
    if flops > LARGEST_FLOPS:
        said.append(
            f"{format_flops(flops)} FLOPs is more than a thousand times what the largest training runs known in "
            "2025 took (about 5e26, by Epoch AI), so the answer means little."
        )
    return said


def refuse_a_size_as_goal(text: str) -> None:
    """Raise where a model's size alone is given as what to reach: it says nothing of how good.

    Raises
    ------
    UserError
        For “70B”, “7B parameters” and the like.
    """
    if match := _SIZE_ALONE.match(text):
        size = match["size"].strip()
        raise UserError(f"“{text.strip()}” is a size: how good such a model is depends on its tokens.", where="Goal",
                        fix=f"Write {size} on 1.4T, say, or a loss like 2.1.")  # fmt: skip


def doubtful_tokens(tokens: float, what: str) -> list[str]:
    """What to ask back about tokens that are typed."""
    if 0 < tokens < _SMALLEST_TOKENS:
        count = f"{format_count(tokens)} token{'s' if tokens != 1 else ''}"
        return [f"{what}: {count} is less than a book. Did you mean {format_count(tokens)}B?"]
    if LARGEST_TOKENS < tokens < math.inf:
        return [
            f"{what}: {format_flops(tokens)} tokens is far more than all text on the web (about 4e14 "
            "tokens, Villalobos et al. 2024)."
        ]
    return []


def _mantissa(value: float) -> str:
    return format_flops(value).partition("e")[0]


def _number(text: str, what: str, fix: str) -> float:
    try:
        return parse_quantity(text)
    except UserError as error:
        raise UserError(error.what, where=what, fix=fix) from None


def _bounded(value: float, text: str, what: str, fix: str, least: float) -> float:
    if not least <= value < math.inf:
        raise UserError(f"“{text.strip()}” cannot be: it must be {least:g} or more.", where=what, fix=fix)
    return value
