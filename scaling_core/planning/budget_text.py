"""Budgets as people type them: ``1e24``, ``$2M``, ``3 weeks``, ``64 H100s for 10 days``, ``200 MWh``, ``50 t CO2e``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.units import PF_DAY, parse_quantity, tidy_number

#: Units of a budget; every other is read into one of these.
UNITS = ("FLOPs", "GPU-hours", "days", "USD", "kWh", "kg CO2e")
EXAMPLES = "1e22 FLOPs, $2M, 3 weeks, 5000 GPU-hours, 200 MWh or 50 t CO2e"
_FIX = f"Write it like {EXAMPLES}."

_DAYS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
_SHORT_TIMES = {"min": "minute", "h": "hour", "hr": "hour", "d": "day", "wk": "week", "yr": "year"}
_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24}
_KG = {"g": 1e-3, "kg": 1.0, "t": 1e3, "kt": 1e6}
_METRIC = {"kilo": "k", "mega": "m", "giga": "g", "tera": "t", "peta": "p", "exa": "e", "zetta": "z", "yotta": "y"}
_SMALL = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
#: Words for an accelerator that name no particular one.
_ANY_DEVICE = {"gpu", "gpus", "chip", "chips", "device", "devices", "accelerator", "accelerators", "card", "cards"}

_TIME = r"(?P<time>min(?:ute)?s?|h|hrs?|hours?|d|days?|wks?|weeks?|months?|yrs?|years?)"
#: What is no part of an accelerator's name: the end of a number, a time, and words that join amounts.
_NO_DEVICE = re.compile(rf"e\d+|[kmbgtp]|[kmg]w|x\d*|for|on|of|at|per|and|with|{_TIME}", re.IGNORECASE)
_NUMBER = r"(?P<number>[+-]?[\d.][\d.,_ ]*?(?:[eE][+-]?\d+)?\s*(?:[kKmMbBgGtT](?![A-Za-z]))?)"
_SPAN = rf"{_NUMBER.replace('number', 'span')}\s*{_TIME}"
_DEVICE = r"(?P<device>[A-Za-z][\w ]*?)"
_TIMES = r"\s*(?:for|on|with|x|×|\*|,)\s*"
_EACH = r"(?:x|×)?"
_DOLLAR = r"(?:us\s?)?(?:\$|usd|dollars?)"
#: Forms of a budget, by kind; the first that fits is taken.
_FORMS = (
    ("pf_days", rf"{_NUMBER}\s*(?:pf|p(?:eta)?flops?(?:/s)?)[\s/-]*days?"),
    ("cluster", rf"{_NUMBER}\s*{_EACH}\s*{_DEVICE}{_TIMES}{_SPAN}"),
    ("cluster", rf"{_SPAN}{_TIMES}{_NUMBER}\s*{_EACH}\s*{_DEVICE}"),
    ("device_time", rf"{_NUMBER}\s*{_DEVICE}[\s·-]+{_TIME}"),
    ("time", rf"{_NUMBER}\s*{_TIME}"),
    ("flops", rf"{_NUMBER}\s*(?P<prefix>[kmgtpezy]?)(?:flops?|floating[ -]point operations|operations?)"),
    ("energy", rf"{_NUMBER}\s*(?P<prefix>[kmgt]?)wh"),
    ("carbon", rf"{_NUMBER}\s*(?P<prefix>kg|kt|g|t|tons?|tonnes?)\s*(?:of\s+)?co[2₂](?:[- ]?eq?)?"),
    ("money", rf"{_DOLLAR}\s*{_NUMBER}"),
    ("money", rf"{_NUMBER}\s*{_DOLLAR}"),
    ("flops", r"(?P<number>[+-]?[\d.,_]+(?:[eE][+-]?\d+)?)"),
)
_PATTERNS = tuple((kind, re.compile(form, re.IGNORECASE)) for kind, form in _FORMS)


#: A number without a unit, which is read as FLOPs.
_BARE = _PATTERNS[-1][1]


def is_bare(text: str) -> bool:
    """Whether a budget was typed without a unit."""
    return bool(_BARE.fullmatch(_tidy(text)))


@dataclass(frozen=True)
class Amount:
    """A number, one of ``UNITS``, and the accelerator that was named with it."""

    value: float
    unit: str
    device: str = ""

    def text(self) -> str:
        """Return text that reads back to the same amount."""
        unit = f"{self.device}-hours" if self.device and self.unit == "GPU-hours" else self.unit
        return f"{self.value!r} {unit}"


def read_amount(text: str) -> Amount:
    """Read a typed budget.

    Raises
    ------
    UserError
        If it cannot be read, or the amount is not above zero.
    """
    amount = _read(_tidy(text), text.strip())
    if not 0 < amount.value < float("inf"):
        raise UserError(f"“{text.strip()}” is no amount above zero.", fix=_FIX)
    return amount


def _tidy(text: str) -> str:
    """Words as short forms: “2 million dollars” becomes “2M dollars”, “1 exaflop” “1 eflop”, “two weeks” “2 weeks”."""
    text = tidy_number(text)
    text = re.sub(rf"({'|'.join(_METRIC)})(?=flop|wh|watt)", lambda m: _METRIC[m[1].lower()], text, flags=re.IGNORECASE)
    text = re.sub(r"watt[ -]?hours?", "Wh", text, flags=re.IGNORECASE)
    text = re.sub(r"\bgpu-?h(?:rs?)?\b", "GPU-hours", text, flags=re.IGNORECASE)
    text = re.sub(rf"^(?:({'|'.join(_SMALL)})|an?)\b(?!100)", _counted, text, flags=re.IGNORECASE)
    return " ".join(text.split())


def _counted(match: re.Match[str]) -> str:
    return str(_SMALL.index(match[1].lower()) + 1) if match[1] else "1"


def _read(text: str, typed: str) -> Amount:
    for kind, pattern in _PATTERNS:
        if (match := pattern.fullmatch(text)) and _names_a_device(match.groupdict().get("device")):
            return _amount(kind, match.groupdict(), typed)
    if re.search(r"flops?\s*(?:/|per)\s*s", text, re.IGNORECASE):
        raise UserError(f"“{typed}” is a speed, not an amount.", fix="Say how long: 10 PFLOP-days, or 3 weeks.")
    if re.search(r"[€£¥₹]|\b(?:eur|euros?|gbp|pounds?)\b", text, re.IGNORECASE):
        raise UserError("Prices here are in US dollars.", where=f"“{typed}”", fix="Convert the amount: $2M, say.")
    if re.fullmatch(_NUMBER, text):
        raise UserError(f"“{typed}” does not say of what.", fix=_FIX)
    raise UserError(f"“{typed}” is no budget that can be read.", fix=_FIX)


def _names_a_device(name: str | None) -> bool:
    """Whether what was read as an accelerator may be one, or none was read: “e3” of “1e3 hours” is not."""
    return name is None or not any(_NO_DEVICE.fullmatch(word) for word in name.split())


def _amount(kind: str, found: dict[str, str], typed: str) -> Amount:
    number = _number(found["number"], typed)
    prefix = found.get("prefix", "").lower()
    if kind == "cluster":
        days = _number(found["span"], typed) * _days(found["time"])
        return Amount(number * days * 24, "GPU-hours", _device(found["device"], plural=True))
    if kind == "device_time":
        return Amount(number * _in_hours(found["time"]), "GPU-hours", _device(found["device"]))
    if kind == "time":
        return Amount(number * _days(found["time"]), "days")
    if kind == "carbon":
        return Amount(number * _KG["t" if prefix.startswith("t") else prefix], "kg CO2e")
    if kind == "energy":
        return Amount(number * (_PREFIXES[prefix] / 1000), "kWh")
    if kind == "money":
        return Amount(number, "USD")
    return Amount(number * (PF_DAY if kind == "pf_days" else _PREFIXES[prefix]), "FLOPs")


def _number(text: str, typed: str) -> float:
    try:
        return parse_quantity(text)
    except UserError:
        raise UserError(f"“{text.strip()}” is not a number.", where=f"“{typed}”", fix=_FIX) from None


def _days(word: str) -> float:
    word = word.lower().removesuffix("s") if len(word) > 1 else word.lower()
    return _DAYS[_SHORT_TIMES.get(word, word)]


def _in_hours(word: str) -> float:
    """Hours of a time, exactly 1 for an hour: hours must read back to the last digit."""
    return 1.0 if word.lower().startswith("h") else _days(word) * 24


def _device(word: str, *, plural: bool = False) -> str:
    """The accelerator that was named; nothing if it was only called GPU or the like."""
    name = word.strip()
    if name.casefold() in _ANY_DEVICE:
        return ""
    return name[:-1] if plural and name[-1:] == "s" else name
