"""The encoder: classifies text, every place seeing every other; counted here and built in ``encoder_net``.

Its blocks are those of the decoder without the mask. The mean over all places goes to the classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.training.models.base import Counts, DataShape
from scaling_core.training.models.decoder import INNER, heads_of
from scaling_core.training.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Encoder:
    """The family "encoder"."""

    name: str = "encoder"
    kinds: tuple[str, ...] = ("labels",)

    def build(self, spec: ModelSpec, shape: DataShape) -> nn.Module:
        """Make the network, its weights drawn from torch's global generator."""
        from scaling_core.training.models.encoder_net import EncoderNet  # torch is needed to build, not to count

        _check(shape)
        return EncoderNet(shape.symbols, shape.outputs, spec.width, spec.layers, heads_of(spec), shape.example[0])

    def count(self, spec: ModelSpec, shape: DataShape) -> Counts:
        """Parameters by class."""
        _check(shape)
        heads_of(spec)
        d = spec.width
        return Counts(shape.symbols * d, 0, spec.layers * (4 + 2 * INNER) * d * d, shape.outputs * d)

    def flops_per_token(self, spec: ModelSpec, shape: DataShape) -> float:
        """FLOPs of one example: three times the forward pass, over all its symbols, each seeing all (QKᵀ and AV)."""
        counts, length = self.count(spec, shape), shape.example[0]
        attention = spec.layers * 4 * spec.width * length
        return 3.0 * (length * (2 * counts.blocks + attention) + 2 * counts.head)


def _check(shape: DataShape) -> None:
    if not shape.symbols or len(shape.example) != 1:
        raise UserError("The family “encoder” classifies text.", fix="Choose the data “snippets”.")


ENCODER = Encoder()
