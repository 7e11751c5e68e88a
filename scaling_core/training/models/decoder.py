"""The decoder: a language model of bytes, counted here and built in ``decoder_net``.

Norms have no weights, places come from rotations and the matrices have no biases, so that the counts are those of the
matrices; the embedding alone has a weight for each channel more, by which it adds the symbol before. A block is
attention (query, key, value and output: 4 d²) and a network of 4 d inside (8 d²).
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
#: Least width of the network, and width of its heads from there on. Below 64, several narrow heads reach 1 to 2% less
#: loss than a single wide one; from 64 on, heads of 32 are as good as twice as many of 16, and quicker.
_HEADS = ((256, 64), (64, 32), (0, 16))


def heads_of(spec: ModelSpec, narrowest: int = 16) -> int:
    """Attention heads: those asked for, else as many of 16, 32 or 64 as the width divides into, wider at larger widths.

    Parameters
    ----------
    narrowest : int
        No head is narrower, unless the width is.

    Raises
    ------
    UserError
        If the width does not divide into heads of an even width, which the rotations need.
    """
    most = max(1, spec.width // max(narrowest, _size_of_head(spec.width)))
    heads = spec.heads or next((n for n in range(most, 0, -1) if _divides(spec.width, n)), most)
    if not _divides(spec.width, heads):
        raise UserError(
            f"A width of {spec.width} does not divide into {heads} heads of an even width.",
            fix="Choose a width that is a multiple of 32, or other heads.",
        )
    return heads


def _divides(width: int, heads: int) -> bool:
    return width % (2 * heads) == 0


def _size_of_head(width: int) -> int:
    return next(size for least, size in _HEADS if width >= least)


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
        return Counts((shape.symbols + 1) * d, 0, spec.layers * (4 + 2 * INNER) * d * d, shape.outputs * d)

    def flops_per_token(self, spec: ModelSpec, shape: DataShape) -> float:
        """Three times the forward pass: 2 for each weight, and 2 d for each earlier place twice (QKᵀ and AV).

        A token sees (context + 1) / 2 places in the mean. Looking up an embedding is no product of matrices,
        nor is adding the one before.
        """
        matrices = 2 * self.count(spec, shape).fitted
        attention = spec.layers * 4 * spec.width * (spec.context + 1) / 2
        return 3.0 * (matrices + attention)


DECODER = Decoder()
