"""What an argument may say: readers for ``argparse``, which name what they cannot read."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from scaling_core.errors import UserError
from scaling_core.planning.typed import read_price
from scaling_core.units import parse_flops, parse_quantity, parse_share

#: Draws beyond this make no interval better that a person reads, and fill the memory.
MAX_RESAMPLES = 100_000


def flops(text: str) -> float:
    """Compute as people write it: ``5.76e23``, ``1e22 FLOPs``."""
    return _said(parse_flops, text)


def positive(text: str) -> float:
    """A finite number above 0."""
    value = _said(parse_quantity, text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def share(text: str) -> float:
    """A share: ``0.4`` or ``40%``."""
    return _said(parse_share, text)


def price(text: str) -> float:
    """Dollars an hour: ``2.5``, ``$2.50/h``."""
    value = _said(lambda t: -1.0 if (read := read_price(t)) is None else read, text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is no price, say 2.5 or $2.50/h")
    return value


def count(text: str) -> int:
    """A whole number of 0 or more."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return value


def resamples(text: str) -> int:
    """A number of draws that memory can hold."""
    value = count(text)
    if value > MAX_RESAMPLES:
        raise argparse.ArgumentTypeError(f"{text} is too many draws: ask for at most {MAX_RESAMPLES:,}")
    return value


def level(text: str) -> float:
    """A share strictly between 0 and 1."""
    try:
        value = parse_share(text)
    except UserError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1, say 0.9")
    return value


def _said(parse: Callable[[str], float], text: str) -> float:
    try:
        return parse(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(error.line()) from error
