"""The convnet: 3 × 3 convolutions in three stages, in the manner of VGG (Simonyan and Zisserman 2015); counted here.

Each stage halves the sides and doubles the channels of the one before; the width is the channels of the first, the
layers are the convolutions of each stage. The very first convolution stands for the embedding. Norms have no weights
and convolutions no biases, so that the counts are those of the kernels alone; built in ``convnet_net``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scaling_core.errors import UserError
from scaling_core.training.models.base import Counts, DataShape
from scaling_core.training.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

STAGES = 3
#: Weights of a kernel, for each channel in and each out.
KERNEL = 9


@dataclass(frozen=True)
class Convolution:
    """One convolution: channels in and out, and the pixels that it is worked out at."""

    stage: int
    inputs: int
    outputs: int
    pixels: int

    @property
    def weights(self) -> int:
        """Weights of its kernels."""
        return KERNEL * self.inputs * self.outputs


def convolutions(spec: ModelSpec, shape: DataShape) -> Iterator[Convolution]:
    """Every convolution in order, the embedding first.

    Raises
    ------
    UserError
        If the images are too small to be halved between stages.
    """
    channels, height, width = shape.example
    if min(height, width) < 2 ** (STAGES - 1):
        raise UserError(f"Images of {height} × {width} pixels are too small for {STAGES} stages.")
    for stage in range(STAGES):
        outputs = spec.width * 2**stage
        for _ in range(spec.layers):
            yield Convolution(stage, channels, outputs, (height >> stage) * (width >> stage))
            channels = outputs


@dataclass(frozen=True)
class Convnet:
    """The family "convnet"."""

    name: str = "convnet"
    kinds: tuple[str, ...] = ("labels",)

    def resolved(self, spec: ModelSpec) -> ModelSpec:
        """The specification without heads, of which a convnet has none."""
        return replace(spec, heads=0)

    def build(self, spec: ModelSpec, shape: DataShape) -> nn.Module:
        """Make the network, its weights drawn from torch's global generator."""
        from scaling_core.training.models.convnet_net import ConvNet  # torch is needed to build, not to count

        _check(shape)
        return ConvNet(list(convolutions(spec, shape)), shape.outputs)

    def count(self, spec: ModelSpec, shape: DataShape) -> Counts:
        """Parameters by class."""
        _check(shape)
        first, *others = convolutions(spec, shape)
        return Counts(first.weights, 0, sum(c.weights for c in others), _features(spec) * shape.outputs)

    def flops_per_token(self, spec: ModelSpec, shape: DataShape) -> float:
        """FLOPs of one image: 2 for each weight and pixel, three times, as gradients go to weights and to inputs.

        The first convolution counts twice only: nobody asks for the gradient of the image. What lies beyond the
        picture's edge is multiplied as 0, and counted.
        """
        _check(shape)
        first, *others = convolutions(spec, shape)
        head = _features(spec) * shape.outputs
        return 4.0 * first.weights * first.pixels + 6.0 * (sum(c.weights * c.pixels for c in others) + head)


def _features(spec: ModelSpec) -> int:
    return spec.width << (STAGES - 1)


def _check(shape: DataShape) -> None:
    if shape.symbols or len(shape.example) != 3:
        raise UserError("The family “convnet” learns from images.", fix="Choose the data “shapes” or “digits”.")


CONVNET = Convnet()
