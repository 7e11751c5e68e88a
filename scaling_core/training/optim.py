"""Two optimisers as one: Muon for the matrices of the blocks, AdamW for everything else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from scaling_core.training.muon import Muon
from scaling_core.training.spec import OptimiserSpec

_BETAS, _EPSILON = (0.9, 0.95), 1e-10


def split(module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters for Muon (matrices and kernels of the blocks), and those for AdamW."""
    named = list(module.named_parameters())
    matrices: list[Tensor] = [p for name, p in named if name.startswith("blocks.") and p.ndim >= 2]
    chosen = set(map(id, matrices))
    return matrices, [p for _, p in named if id(p) not in chosen]


class Optimisers:
    """Both optimisers of a network, with the learning rates that a specification gives.

    Nothing in a step asks the device for a number, so that a GPU is never waited for.
    """

    def __init__(self, module: nn.Module, spec: OptimiserSpec, product: torch.dtype = torch.float32) -> None:
        self.matrices, self.others = split(module)
        self.parameters = [*self.matrices, *self.others]
        self._rates: list[float] = []
        self.members: list[torch.optim.Optimizer] = []
        if self.matrices:
            self._add(Muon(self.matrices, spec.matrix_lr, spec.weight_decay, product))
        if self.others:
            self._add(_adamw(self.others, spec))

    def _add(self, optimiser: torch.optim.Optimizer) -> None:
        self.members.append(optimiser)
        self._rates.append(float(optimiser.param_groups[0]["lr"]))

    def set_share(self, share: float) -> None:
        """Use this share of the learning rates from now on."""
        for optimiser, rate in zip(self.members, self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def norm(self) -> Tensor:
        """Norm of the gradient over all parameters; on the device."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        return norm

    def clip(self, norm: Tensor, largest: float) -> None:
        """Scale the gradients down where ``norm`` is above ``largest``."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, (largest / (norm + 1e-6)).clamp(max=1.0))

    def state_dict(self) -> dict[str, Any]:
        """State of both."""
        return {type(member).__name__: member.state_dict() for member in self.members}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what ``state_dict`` gave."""
        for member in self.members:
            member.load_state_dict(state[type(member).__name__])


def _adamw(parameters: list[Tensor], spec: OptimiserSpec) -> torch.optim.AdamW:
    """One kernel for all parameters where the device has it."""
    fused = parameters[0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(
        parameters, spec.other_lr, betas=_BETAS, eps=_EPSILON, weight_decay=spec.weight_decay, fused=fused
    )
