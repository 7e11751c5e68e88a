"""The convnet as a torch module: convolution, norm, ReLU; a maximum over 2 × 2 pixels between stages; then the mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # its name everywhere

from scaling_core.training.models.convnet import KERNEL, Convolution

_HEAD_INIT = 0.01


class Convolved(nn.Module):
    """A 3 × 3 convolution, a norm over the image and ReLU; its kernels are one matrix, as the optimiser takes them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        # He et al. 2015: variance is kept through ReLU.
        self.weight = nn.Parameter(torch.randn(outputs, inputs * KERNEL) * (2 / (inputs * KERNEL)) ** 0.5)

    def forward(self, images: Tensor) -> Tensor:
        """``(rows, inputs, height, width)`` to ``(rows, outputs, height, width)``."""
        kernels = self.weight.view(-1, self.inputs, 3, 3)
        return F.relu(F.group_norm(F.conv2d(images, kernels, padding=1), 1))


class ConvNet(nn.Module):
    """Images to logits of classes."""

    def __init__(self, convolutions: Sequence[Convolution], classes: int) -> None:
        super().__init__()
        self.stages = [c.stage for c in convolutions]
        modules = [Convolved(c.inputs, c.outputs) for c in convolutions]
        self.embedding = modules[0]
        self.blocks = nn.ModuleList(modules[1:])
        self.head = nn.Linear(convolutions[-1].outputs, classes, bias=False)
        nn.init.normal_(self.head.weight, std=_HEAD_INIT)

    def forward(self, images: Tensor) -> Tensor:
        """``(rows, channels, height, width)`` to ``(rows, classes)``."""
        x, stage = self.embedding(images), 0
        for block, its_stage in zip(self.blocks, self.stages[1:], strict=True):
            if its_stage > stage:
                x, stage = F.max_pool2d(x, 2), its_stage
            x = block(x)
        logits: Tensor = self.head(F.rms_norm(x.mean(dim=(2, 3)), (x.shape[1],)))
        return logits
