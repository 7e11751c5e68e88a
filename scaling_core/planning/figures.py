"""Numbers of a plan as a person reads them: money, time, energy, hours, passes, how far beyond."""

from __future__ import annotations

import math

from scaling_core.units import format_count, format_flops, format_number, format_ratio

#: Below this many times, how far something lies beyond is said in percent: “1.0×” says nothing.
_NEAR = 1.1
#: Up to here a count of hours or passes is written out; larger ones take a suffix.
_WRITTEN_OUT = 1e4


def money(usd: float) -> str:
    """Write dollars with a suffix: ``$60k``, ``$1.2M``."""
    if not math.isfinite(usd):
        return "unknown cost"
    return f"${format_count(usd)}" if usd >= 1000 else f"${usd:.2f}" if usd < 10 else f"${usd:.0f}"


def rate(usd: float) -> str:
    """Write a price of an hour with its cents: ``$2.50``; a finer one with what it has: ``$0.0655``."""
    return f"${usd:.2f}" if abs(usd - round(usd, 2)) < 1e-9 else f"${usd:.4g}"


def duration(days: float) -> str:
    """Write a time in the unit that reads best: ``40 minutes``, ``13 hours``, ``12 days``, ``2.1 years``."""
    if not math.isfinite(days):
        return "unknown time"
    for size, word in ((365.25, "year"), (1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"), (1 / 86400, "second")):
        count = days / size
        if count >= (2.0 if word == "year" else 1.0) or word == "second":
            text = _count(count, 2 if count < 100 else 3)
            return f"{text} {word}{'' if text == '1' else 's'}"
    raise AssertionError  # the last unit takes everything


def size(value: float) -> str:
    """Write N or D with a suffix as far as there are any: ``70B``, ``1.4T``, ``2.55e15``."""
    return format_flops(value) if 1e15 <= value < math.inf else format_count(value)


def hours(value: float) -> str:
    """Write accelerator-hours: ``0.52``, ``1,000``, ``24.3k``."""
    return _count(value, 3)


def passes(value: float) -> str:
    """Write passes over the data: ``1.4``, ``40``, ``1,200``, ``2.98B``."""
    return _count(value, 2 if value < 100 else 3)


def energy(kwh: float) -> str:
    """Write energy: ``820 kWh``, ``3.2 MWh``, ``1.1 GWh``."""
    if not math.isfinite(kwh):
        return "unknown energy"
    for size, unit in ((1e6, "GWh"), (1e3, "MWh")):
        if kwh >= size:
            return f"{_count(kwh / size, 3)} {unit}"
    return f"{format_number(kwh)} kWh"


def beyond_by(times: float) -> str:
    """Write how far something lies past an end, either way: ``2%``, ``1.4×``, ``13×``."""
    far = max(times, 1 / times)
    return f"{100 * (far - 1):.2g}%" if far < _NEAR else format_ratio(far)


def _count(value: float, digits: int) -> str:
    """A count without a suffix as far as it reads well."""
    if not 999.5 <= value < math.inf:
        return format_number(value, digits)
    return f"{float(f'{value:.{digits}g}'):,.0f}" if value < _WRITTEN_OUT else format_count(value, digits)
