"""A concrete shape for a number of parameters: as wide for its depth as published models of that size."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from scaling_core.errors import UserError
from scaling_core.planning.shapes import Decoder, ParameterCount, block_parameters, count_parameters, published_shapes
from scaling_core.units import format_count, format_number

#: Which parameters the wanted number counts.
COUNTS = ("total", "with_head", "non_embedding")
#: A shape this close counts as a hit; among hits the usual proportions decide.
GOOD_MISS = 0.02
#: No shape is more than so many times wider or narrower for its depth than is usual.
ODDEST_ASPECT = 3.0
#: Steps of the width by the width: multiples that matrix units, and several accelerators, divide evenly.
_STEPS = ((8192, 1024), (2048, 256), (1024, 128), (256, 64), (128, 16), (0, 8))
#: Steps of the depth by the depth: even splits over the stages of a pipeline.
_DEPTH_STEPS = ((64, 4), (32, 2), (0, 1))
_NARROWEST, _WIDEST, _DEEPEST = 16, 65_536, 400


@dataclass(frozen=True)
class NearShape:
    """A shape, its exact count, how far that misses the wanted number (as a share of it) and its width over depth."""

    decoder: Decoder
    count: ParameterCount
    miss: float
    aspect: float
    usual_aspect: float


def usual_aspect(n_params: float) -> float:
    """Width over depth of published models of that size: a power law through the table of shapes."""
    slope, intercept = _trend()
    return math.exp(intercept + slope * math.log(n_params))


def usual_head_size(d_model: int) -> int:
    """64 up to a width of 1,024 and 128 above, as most published models have it; less where the width is small."""
    size = 128 if d_model > 1024 else 64
    while d_model % size or d_model < 2 * size:
        size //= 2
    return max(size, 1)


def shape_near(
    n_params: float,
    vocabulary: int = 50_257,
    context: int = 2048,
    *,
    count: str = "total",
    bias: bool = False,
    glu: bool = False,
    tied: bool = False,
    positions: str = "none",
) -> NearShape:
    """Find a decoder of about so many parameters.

    Widths are multiples of 128 from 1,024 on (of 256 from 2,048, of 1,024 from 8,192), of 64 and less below, and the
    depth, even from 32 on and a multiple of 4 from 64 on, is what brings the count closest. Among shapes within 2%
    the one with the most usual width over depth wins, else the closest count; none is more than three times as wide
    or narrow for its depth as usual.

    Raises
    ------
    UserError
        If the vocabulary alone holds more parameters, or the number is beyond any decoder.
    """
    if count not in COUNTS:
        raise UserError(f"Parameters cannot be counted as “{count}”.", fix=f"Choose one of: {', '.join(COUNTS)}.")
    if not (math.isfinite(n_params) and n_params >= 1):
        raise UserError(f"{format_number(n_params)} parameters make no model.", fix="Give a number like 124M or 7B.")
    template = Decoder(1, 16, 1, vocabulary, context, bias=bias, glu=glu, tied=tied, positions=positions)
    found = [
        s
        for width in _widths(n_params)
        for s in _at_width(template, width, n_params, count)
        if _oddness(s) <= ODDEST_ASPECT
    ]
    if not found:
        raise UserError(
            _why_none(vocabulary, n_params, count),
            fix="Give another size or a smaller vocabulary, or leave the embedding out of the count.",
        )
    hits = [s for s in found if abs(s.miss) <= GOOD_MISS]
    return min(hits, key=_oddness) if hits else min(found, key=lambda s: abs(s.miss))


def _oddness(shape: NearShape) -> float:
    """How many times wider or narrower for its depth than usual."""
    return math.exp(abs(math.log(shape.aspect / shape.usual_aspect)))


def _at_width(template: Decoder, width: int, n_params: float, count: str) -> list[NearShape]:
    """The two depths at one width whose counts lie around the wanted number."""
    d_ff = _gated_width(width) if template.glu else None
    one = dataclasses.replace(template, d_model=width, d_ff=d_ff, heads=width // usual_head_size(width))
    per_block = block_parameters(one)
    rest = getattr(count_parameters(one), count) - per_block
    depth = (n_params - rest) / per_block
    if not 0.5 <= depth <= _DEEPEST:
        return []
    step = next(step for start, step in _DEPTH_STEPS if depth >= start)
    depths = {max(1, step * math.floor(depth / step)), step * math.ceil(depth / step)}
    return [_near(dataclasses.replace(one, layers=n), n_params, count) for n in sorted(depths)]


def _near(decoder: Decoder, n_params: float, count: str) -> NearShape:
    counted = count_parameters(decoder)
    miss = getattr(counted, count) / n_params - 1
    return NearShape(decoder, counted, miss, decoder.d_model / decoder.layers, usual_aspect(n_params))


def _gated_width(width: int) -> int:
    """8/3 of the width up to the next multiple of 64 (16 in small models): three matrices weigh as much as two of 4."""
    step = 64 if width >= 256 else 16
    return math.ceil(8 * width / 3 / step) * step


def _widths(n_params: float) -> list[int]:
    """Widths worth trying: at 12·layers·width² parameters or so, and no wider for its depth than may be."""
    widths, width = [], _NARROWEST
    widest = min(_WIDEST, max(4 * _NARROWEST, (n_params * usual_aspect(n_params)) ** (1 / 3)))
    while width <= widest:
        widths.append(width)
        width += next(step for start, step in _STEPS if width >= start)
    return widths


@cache
def _trend() -> tuple[float, float]:
    """Slope and intercept of ln(width/depth) against ln(parameters), by least squares."""
    shapes = published_shapes()
    sizes, aspects = np.log([s.params for s in shapes]), np.log([s.aspect for s in shapes])
    slope, intercept = np.polyfit(sizes, aspects, 1)
    return float(slope), float(intercept)


def _why_none(vocabulary: int, n_params: float, count: str) -> str:
    wanted = format_count(n_params)
    if n_params > 1e9:
        return f"No decoder up to a width of {_WIDEST:,} has {wanted} parameters."
    if count == "non_embedding":
        return f"{wanted} parameters are too few for a decoder."
    return f"A vocabulary of {vocabulary:,} tokens leaves too few of {wanted} parameters for the layers."
