"""The decoder as a torch module."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from scaling_core.training.models import kernels
from scaling_core.training.models.decoder import INNER

#: Slowest rotation: 1 radian in so many tokens.
_ROTARY_BASE = 10_000.0
_EMBEDDING_STD, _HEAD_STD = 1.0, 0.002


def turns(context: int, size: int) -> Tensor:
    """Rotations of each place for heads of ``size``: unit complex numbers, ``(context, size / 2)`` (Su et al. 2021)."""
    rates = _ROTARY_BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.arange(context, dtype=torch.float64)[:, None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate neighbouring pairs of ``(..., context, size)``; ``cosines`` and ``sines`` are ``(context, size / 2)``."""
    first, second = x.view(*x.shape[:-1], -1, 2).unbind(-1)
    pairs = (first * cosines - second * sines, first * sines + second * cosines)
    return torch.stack(pairs, -1).flatten(-2)


def rms_norm(x: Tensor) -> Tensor:
    """x / rms(x)."""
    return functional.rms_norm(x, (x.shape[-1],), eps=kernels.EPSILON)


class Block(nn.Module):
    """Attention, then a feed-forward part; each adds to the residual stream and starts by adding nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = _uniform(3 * width, width)
        self.out = nn.Parameter(torch.zeros(width, width))
        self.inner = _uniform(INNER * width, width)
        self.outer = nn.Parameter(torch.zeros(width, INNER * width))

    def by_hand(self, x: Tensor, places: Tensor, product: torch.dtype) -> Tensor:
        """Run with the hand-made gradients, ``x`` ``(rows · context, width)``, products in a format of their own."""
        x = kernels.Attention.apply(x, self.qkv, self.out, places, self.heads, product)  # type: ignore[no-untyped-call]
        return kernels.FeedForward.apply(x, self.inner, self.outer, product)  # type: ignore[no-untyped-call, no-any-return]

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Run with torch's own operations, ``x`` ``(rows, context, width)``."""
        rows, context, width = x.shape
        qkv = functional.linear(rms_norm(x), self.qkv)
        q, k, v = qkv.view(rows, context, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = (rotate(rms_norm(part), cosines, sines).to(v.dtype) for part in (q, k))
        heard = self.attend(q, k, v)
        x = x + functional.linear(heard.transpose(1, 2).reshape(rows, context, width), self.out)
        inner = functional.relu(functional.linear(rms_norm(x), self.inner)).square()
        return x + functional.linear(inner, self.outer)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each place hears of itself and those before it, all ``(rows, heads, context, size)``."""
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=kernels.SHARPEST / q.shape[-1])


class Matrix(nn.Module):
    """One matrix under a name of its own."""

    def __init__(self, rows: int, columns: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, columns) * std)


class Embedding(nn.Module):
    """The vector of a symbol, and by a weight of each channel that of the symbol before it.

    Attention can learn to look one place back, but whether a narrow network does is luck: without this, two runs that
    differ in their seed alone lie a percent apart. Token shift of Peng et al. 2023 (arXiv:2305.13048), once and before
    the blocks.
    """

    def __init__(self, symbols: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(symbols, width) * _EMBEDDING_STD)
        self.before = nn.Parameter(torch.zeros(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(rows, context)`` to ``(rows, context, width)``; the first place of a row has none before it."""
        x = functional.embedding(inputs, self.weight)
        return torch.cat((x[:, :1], torch.addcmul(x[:, 1:], x[:, :-1], self.before)), 1)


class DecoderNet(nn.Module):
    """Bytes in, logits of the next byte out.

    On a processor in full precision the blocks run with hand-made gradients; anywhere else torch's fused attention
    and compiler do better.
    """

    def __init__(self, symbols: int, outputs: int, width: int, layers: int, heads: int, context: int) -> None:
        super().__init__()
        self.embedding = Embedding(symbols, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.head = Matrix(outputs, width, _HEAD_STD)
        places = turns(context, width // heads)
        self.register_buffer("cosines", places.real.float(), persistent=False)
        self.register_buffer("sines", places.imag.float(), persistent=False)
        self._places: dict[torch.dtype, Tensor] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        """``(rows, context)`` of symbols to logits ``(rows, context, outputs)``; a shorter context is taken too."""
        x = self.embedding(inputs)
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            product = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
            with torch.autocast("cpu", enabled=False):
                return self._by_hand(x, product)
        x, length = rms_norm(x), inputs.shape[1]
        for block in self.blocks:
            x = block(x, self.cosines[:length], self.sines[:length])  # type: ignore[index]
        return functional.linear(rms_norm(x), self.head.weight)

    def _by_hand(self, x: Tensor, product: torch.dtype) -> Tensor:
        rows, context, width = x.shape
        places = self._turns(x.dtype)[:context]
        x = kernels.RmsNorm.apply(x.view(rows * context, width))  # type: ignore[no-untyped-call]
        for block in self.blocks:
            x = block.by_hand(x, places, product)  # type: ignore[operator]
        x = kernels.RmsNorm.apply(x)  # type: ignore[no-untyped-call]
        return functional.linear(x, self.head.weight).view(rows, context, -1)

    def _turns(self, dtype: torch.dtype) -> Tensor:
        """Rotations as complex numbers, kept out of the buffers, which a move to another device would cast."""
        if dtype not in self._places:
            self._places[dtype] = torch.complex(self.cosines.to(dtype), self.sines.to(dtype))  # type: ignore[arg-type]
        return self._places[dtype]


def _uniform(rows: int, columns: int) -> nn.Parameter:
    """Uniform with a standard deviation of 1 / √columns."""
    bound = math.sqrt(3.0 / columns)
    return nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound))
