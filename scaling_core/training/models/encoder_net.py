"""The encoder as a torch module."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from scaling_core.training.models.decoder_net import Block, Matrix, rms_norm, turns
from scaling_core.training.models.encoder import PATCH, STRIDE, SYMBOL_WIDTH

_HEAD_STD = 0.002


class SeeingBlock(Block):
    """A block of the decoder in which every place sees every other."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each place hears of all, each ``(rows, heads, places, size)``."""
        return functional.scaled_dot_product_attention(q, k, v)


class Patches(nn.Module):
    """Overlapping patches of symbols, each one vector."""

    def __init__(self, symbols: int, width: int) -> None:
        super().__init__()
        inside = PATCH * SYMBOL_WIDTH
        self.table = nn.Parameter(torch.randn(symbols, SYMBOL_WIDTH))
        self.joined = nn.Parameter(torch.randn(width, inside) * inside**-0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(rows, context)`` to ``(rows, places, width)``."""
        each = functional.embedding(inputs, self.table).unfold(1, PATCH, STRIDE)
        return functional.linear(each.transpose(2, 3).flatten(2), self.joined)


class EncoderNet(nn.Module):
    """Symbols in, logits of classes out."""

    def __init__(self, symbols: int, classes: int, width: int, layers: int, heads: int, places: int) -> None:
        super().__init__()
        self.embedding = Patches(symbols, width)
        self.blocks = nn.ModuleList(SeeingBlock(width, heads) for _ in range(layers))
        self.head = Matrix(classes, width, _HEAD_STD)
        angles = turns(places, width // heads)
        self.register_buffer("cosines", angles.real.float(), persistent=False)
        self.register_buffer("sines", angles.imag.float(), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(rows, context)`` of symbols to ``(rows, classes)``."""
        x = rms_norm(self.embedding(inputs))
        for block in self.blocks:
            x = block(x, self.cosines, self.sines)
        return functional.linear(rms_norm(rms_norm(x).mean(dim=1)), self.head.weight)
