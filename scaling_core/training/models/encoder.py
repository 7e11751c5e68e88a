"""The encoder: classifies text, every place seeing every other; counted here and built in ``encoder_net``.

Text comes in as overlapping patches of some bytes, a place for each: a snippet costs a quarter of what a place for each
byte would, and fewer examples teach as much. The blocks are those of the decoder without the mask. The mean over all
places goes to the classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.training.models.base import Counts, DataShape
from scaling_core.training.models.decoder import INNER, heads_of
from scaling_core.training.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


#: Symbols of a patch, how far apart patches begin, and width of a symbol's embedding.
PATCH, STRIDE, SYMBOL_WIDTH = 8, 4, 16
#: Only the decoder has been seen to gain by narrower heads.
_NARROWEST = 32


def places_of(shape: DataShape) -> int:
    """Patches of one example."""
    return (shape.example[0] - PATCH) // STRIDE + 1


@dataclass(frozen=True)
class Encoder:
    """The family "encoder"."""

    name: str = "encoder"
    kinds: tuple[str, ...] = ("labels",)

    def resolved(self, spec: ModelSpec) -> ModelSpec:
        """The specification with the heads that it will have."""
        return replace(spec, heads=heads_of(spec, _NARROWEST))

    def build(self, spec: ModelSpec, shape: DataShape) -> nn.Module:
        """Make the network, its weights drawn from torch's global generator."""
        from scaling_core.training.models.encoder_net import EncoderNet  # torch is needed to build, not to count

        _check(shape)
        return EncoderNet(
            shape.symbols, shape.outputs, spec.width, spec.layers, heads_of(spec, _NARROWEST), places_of(shape)
        )

    def count(self, spec: ModelSpec, shape: DataShape) -> Counts:
        """Parameters by class."""
        _check(shape)
        heads_of(spec, _NARROWEST)
        d = spec.width
        embedding = shape.symbols * SYMBOL_WIDTH + PATCH * SYMBOL_WIDTH * d
        return Counts(embedding, 0, spec.layers * (4 + 2 * INNER) * d * d, shape.outputs * d)

    def flops_per_token(self, spec: ModelSpec, shape: DataShape) -> float:
        """FLOPs of one example: three times the forward pass over all its places, each seeing all (QKᵀ and AV)."""
        counts, places = self.count(spec, shape), places_of(shape)
        patches = 2 * PATCH * SYMBOL_WIDTH * spec.width
        attention = spec.layers * 4 * spec.width * places
        return 3.0 * (places * (patches + 2 * counts.blocks + attention) + 2 * counts.head)


def _check(shape: DataShape) -> None:
    if not shape.symbols or len(shape.example) != 1:
        raise UserError("The family “encoder” classifies text.", fix="Choose the data “snippets”.")
    if shape.example[0] < PATCH:
        raise UserError(f"The encoder needs a context of at least {PATCH}.", where="context")


ENCODER = Encoder()
