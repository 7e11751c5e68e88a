"""The decoder: a language model of bytes, counted here and built in ``decoder_net``.

Norms have no weights, places come from rotations and the matrices have no biases, so that the counts are those of the
matrices alone. A block is attention (query, key, value and output: 4 d²) and a network of 4 d inside (8 d²).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.training.models.base import Counts, DataShape
from scaling_core.training.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

#: The inner layer of a block is so many times as wide as the residual stream.
INNER = 4
_SMALLEST_HEAD, _LARGEST_HEAD = 32, 64


def heads_of(spec: ModelSpec) -> int:
    """Attention heads: those asked for, else one for each 32 of the width, and for each 64 from a width of 256 on.

    Raises
    ------
    UserError
        If the width does not divide into heads of an even width, which the rotations need.
    """
    heads = spec.heads or _default_heads(spec.width)
    if spec.width % heads or (spec.width // heads) % 2:
        raise UserError(
            f"A width of {spec.width} does not divide into {heads} heads of an even width.",
            fix="Choose a width that is a multiple of 32, or other heads.",
        )
    return heads


def _default_heads(width: int) -> int:
    """Heads 32 wide at small widths, where several still see different things; 64 wide from a width of 256 on."""
    return max(1, width // (_SMALLEST_HEAD if width < 4 * _LARGEST_HEAD else _LARGEST_HEAD))


@dataclass(frozen=True)
class Decoder:
    """The family "decoder"."""

    name: str = "decoder"
    kinds: tuple[str, ...] = ("text",)

    def resolved(self, spec: ModelSpec) -> ModelSpec:
        """The specification with the heads that it will have."""
        return replace(spec, heads=heads_of(spec))

    def build(self, spec: ModelSpec, shape: DataShape) -> nn.Module:
        """Make the network, its weights drawn from torch's global generator."""
        from scaling_core.training.models.decoder_net import DecoderNet  # torch is needed to build, not to count

        return DecoderNet(shape.symbols, shape.outputs, spec.width, spec.layers, heads_of(spec), spec.context)

    def count(self, spec: ModelSpec, shape: DataShape) -> Counts:
        """Parameters by class."""
        heads_of(spec)
        d = spec.width
        return Counts(shape.symbols * d, 0, spec.layers * (4 + 2 * INNER) * d * d, shape.outputs * d)

    def flops_per_token(self, spec: ModelSpec, shape: DataShape) -> float:
        """Three times the forward pass: 2 for each weight, and 2 d for each earlier place twice (QKᵀ and AV).

        A token sees (context + 1) / 2 places in the mean. Looking up an embedding is no multiplication.
        """
        matrices = 2 * self.count(spec, shape).fitted
        attention = spec.layers * 4 * spec.width * (spec.context + 1) / 2
        return 3.0 * (matrices + attention)


DECODER = Decoder()
