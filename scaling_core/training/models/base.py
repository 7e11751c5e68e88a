"""What every family of networks states. Nothing here needs torch: planners count, they build nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from scaling_core.training.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class DataShape:
    """What goes into a network and what comes out.

    Attributes
    ----------
    kind : {"text", "labels"}
        "text" predicts the next symbol at every place; "labels" one class for each example.
    symbols : int
        Different symbols that go in; 0 for images.
    outputs : int
        Different symbols, or classes, that come out.
    example : tuple of int
        Shape of one example: ``(context,)`` for symbols, ``(channels, height, width)`` for images.
    """

    kind: Literal["text", "labels"]
    symbols: int
    outputs: int
    example: tuple[int, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Parameters by class. A fit differs by which of them it calls N, so all are kept apart.

    Attributes
    ----------
    embedding, position, blocks, head : int
        Of the table of symbols (for images: of the first layer), of learned places, of the blocks with their norms,
        and of the output layer with the norm before it.
    """

    embedding: int
    position: int
    blocks: int
    head: int

    @property
    def total(self) -> int:
        """Every parameter."""
        return self.embedding + self.position + self.blocks + self.head

    @property
    def fitted(self) -> int:
        """N of the fits: blocks and head, whose multiplications every token pays for."""
        return self.blocks + self.head


class Family(Protocol):
    """One family of networks, by the name that a specification gives.

    The network that ``build`` returns maps inputs to logits ``(..., outputs)``: for text ``(rows, context)`` to
    ``(rows, context, outputs)``, for labels ``(rows, *example)`` to ``(rows, outputs)``. Its parameters are named by
    their class: ``embedding.*``, ``position.*``, ``blocks.*``, ``head.*``. Those of the blocks with two dimensions or
    more are trained by Muon (``optim.split``), everything else by AdamW.
    """

    @property
    def name(self) -> str:
        """Name in ``MODELS``."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of data (``DataShape.kind``) that it can learn from."""

    def resolved(self, spec: ModelSpec) -> ModelSpec:
        """The specification with what the family chooses filled in: two that resolve alike are one network."""

    def build(self, spec: ModelSpec, shape: DataShape) -> nn.Module:
        """Make the network, its weights drawn from torch's global generator."""

    def count(self, spec: ModelSpec, shape: DataShape) -> Counts:
        """Parameters of the network that ``build`` makes, without making it."""

    def flops_per_token(self, spec: ModelSpec, shape: DataShape) -> float:
        """FLOPs of one token (one example, where the data have labels), forward and backward, attention included."""
