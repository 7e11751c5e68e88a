"""Quantities as people write them: ``70M``, ``1.4B``, ``3.2e21`` in both directions. Knows nothing of runs or laws."""

from __future__ import annotations

import math
import re

from scaling_core.errors import UserError

#: Suffixes for counts. Case matters nowhere: nobody writes milli-tokens.
SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "p": 1e15}
#: Words for the same.
WORDS = {"thousand": "k", "million": "M", "mn": "M", "mio": "M", "billion": "B", "bn": "B", "trillion": "T", "tn": "T"}
PF_DAY = 1e15 * 86_400  # FLOPs in a petaFLOP/s-day

_NUMBER = re.compile(
    r"^\s*(?P<number>[+-]?(?:\d{1,3}(?:[,_ ]\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"\s*(?P<suffix>[kKmMbBgGtTpP]?)(?:\s*(?P<unit>FLOPs?|flops?|tokens?|params?|parameters?|nats?(?:\s*(?:/|per)\s*token)?))?\s*$"
)
_SPELLED = re.compile(rf"\s*(?<![A-Za-z])({'|'.join(WORDS)})(?![A-Za-z])", re.IGNORECASE)
_POWER = re.compile(r"(?:(?<=[\d.])\s*[x×*·]\s*(?P<times>))?(?<![\d.])10\s*(?:\^|\*\*)\s*(?P<exponent>[+-]?\d+)")
_RAISED = re.compile(r"(?<=10)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LOWERED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_PERCENT = re.compile(r"^(?P<number>.*?)\s*(?:%|per ?cent)\s*$", re.IGNORECASE)
_PF_DAYS = re.compile(r"^(?P<number>.*?)\s*(?:pf|petaflop(?:/?s)?)[ /-]*days?\s*$", re.IGNORECASE)


def tidy_number(text: str) -> str:
    """Words and powers of ten in the short form: ``2 million`` as ``2M``, ``3 × 10^24`` and ``3·10²⁴`` as ``3e24``."""
    text = _RAISED.sub(lambda m: "^" + m[0].translate(_LOWERED), text.strip().removeprefix("~").removeprefix("≈"))
    text = _POWER.sub(lambda m: ("" if m["times"] is not None else "1") + f"e{int(m['exponent'])}", text)
    return _SPELLED.sub(lambda m: WORDS[m[1].lower()], text)


def parse_quantity(text: str) -> float:
    """Read a number: ``70M``, ``1.4B``, ``300e9``, ``1,000``, ``1e22 FLOPs``, ``2 trillion tokens``, ``3 × 10^24``.

    Raises
    ------
    UserError
        If the text is not such a number.
    """
    return _parse(text)[0]


def parse_share(text: str) -> float:
    """Read a share: ``0.3``, ``30%``, ``30 percent``.

    Raises
    ------
    UserError
        If the text is no number.
    """
    percent = _PERCENT.match(text)
    try:
        return _parse(percent["number"])[0] / 100 if percent else _parse(text)[0]
    except UserError:
        raise UserError(f"“{text.strip()}” is no share.", fix="Write it like 0.4, 40% or 40 percent.") from None


def parse_flops(text: str) -> float:
    """Read an amount of compute: ``5.76e23``, ``1e22 FLOPs``, ``3640 PF-days``.

    Raises
    ------
    UserError
        If the text is no number, or one of something else.
    """
    fix = "Write a budget like 1e22, 5.76e23 FLOPs or 3640 PF-days."
    try:
        if days := _PF_DAYS.match(text):
            return _parse(days["number"])[0] * PF_DAY
        value, unit = _parse(text)
    except UserError as error:
        raise UserError(error.what, fix=fix) from None
    if unit and not unit.lower().startswith("flop"):
        raise UserError(f"“{text.strip()}” is not an amount of compute.", fix=fix)
    return value


def _parse(text: str) -> tuple[float, str]:
    """The number and the unit written behind it."""
    match = _NUMBER.match(tidy_number(text))
    if not match:
        raise UserError(f"“{text.strip()}” is not a number.", fix="Write it like 70M, 1.4B, 300e9 or 1,000.")
    number = float(re.sub(r"[,_ ]", "", match["number"]))
    return number * SUFFIXES.get(match["suffix"].lower(), 1.0), match["unit"] or ""


def format_count(value: float, digits: int = 3) -> str:
    """Write a count of parameters or tokens with a suffix: ``7.02B``, ``160B``, ``1.33T``."""
    if not math.isfinite(value):
        return "unknown"
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        # 999.7M must become 1.00B, not 1000M
        if abs(float(f"{value:.{digits}g}")) >= size:
            return f"{_significant(value / size, digits)}{suffix}"
    return f"{value:.0f}" if value == round(value) else _significant(value, digits)


def format_flops(value: float, digits: int = 3) -> str:
    """Write a number of FLOPs as ``5.76e23``; a few of them as they are."""
    if not math.isfinite(value):
        return "unknown"
    if value == 0 or 1 <= abs(value) < 999.5:
        return _shortest(value, digits)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def format_number(value: float, digits: int = 3) -> str:
    """Write a plain number to so many significant digits, without trailing exponent for ordinary sizes."""
    if not math.isfinite(value):
        return "unknown"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return format_flops(value, digits)
    return _significant(value, digits)


def format_latex(value: float, digits: int = 5) -> str:
    """Write a number for a formula: ``1.8172``, ``2.9\\times 10^{26}``. Rounded further, a law is another law."""
    mantissa, _, exponent = format_number(value, digits).partition("e")
    return rf"{mantissa}\times 10^{{{exponent}}}" if exponent else mantissa


def format_ratio(value: float) -> str:
    """Write how many times one thing is another: ``13×``, ``1.4×``; near one with a digit more: ``1.02×``."""
    if not math.isfinite(value):
        return "unknown"
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{format_flops(value, 2)}×"
    near = abs(value - 1)
    return f"{_shortest(value, 2 if near > 0.1 else 3 if near >= 0.005 else 4) if near >= 5e-4 else '1'}×"


def format_percent(share: float, digits: int = 2) -> str:
    """Write a share in percent: ``40%``, ``0.36%``; what rounds to nothing says so: ``under 0.01%``."""
    if not math.isfinite(share):
        return "unknown"
    percent = 100 * share
    if 0 < abs(percent) < 0.01:
        return "under 0.01%" if percent > 0 else "above −0.01%"
    return f"{_shortest(percent, max(digits, len(f'{abs(percent):.0f}')))}%"


def _shortest(value: float, digits: int) -> str:
    """So many significant digits; fewer where the number is exactly that: 7, not 7.00."""
    text = _significant(value, digits)
    exact = "." in text and math.isclose(float(text), value, rel_tol=1e-12)
    return text.rstrip("0").rstrip(".") if exact else text


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits}g}")))))
    return f"{value:.{decimals}f}" if decimals else f"{float(f'{value:.{digits}g}'):.0f}"
