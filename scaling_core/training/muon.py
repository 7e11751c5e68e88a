"""Muon: momentum whose matrices are made orthogonal before they move the weights (Jordan et al. 2024).

Matrices of one shape are stacked, so that a step is a handful of batched products. The polynomials are the best ones
for the interval that is left at each iteration (Amsel et al. 2025), and the first is scaled by the norm of XᵀX, which
is nearer to the largest singular value than the norm of X: fewer iterations reach the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

#: a, b, c of x ↦ a x + b x³ + c x⁵ that err least on [.01, 1] and on what each leaves. Three end within 27%, as near to
#: orthogonal as the five of Jordan et al.; a fourth would cost a quarter more.
POLYNOMIALS = (
    (8.0934, -23.6204, 17.4462),
    (3.6366, -2.7219, 0.5365),
    (2.6613, -1.9772, 0.4526),
)
_MOMENTUM, _TINY = 0.95, 1e-30
#: From this many times as long as wide, the iteration runs on the small square matrix XᵀX instead of on X.
_TALL = 2


def orthogonal(stack: Tensor) -> Tensor:
    """Nearest orthogonal matrices of ``(n, rows, columns)``: UVᵀ of UΣVᵀ, singular values above .01 end within 27%."""
    wide = stack.shape[1] < stack.shape[2]
    x = stack.transpose(1, 2) if wide else stack
    gram = torch.bmm(x.transpose(1, 2), x)
    scale = torch.linalg.vector_norm(gram, dim=(1, 2), keepdim=True).add_(_TINY)
    gram.div_(scale)
    found = _by_gram(gram, x) if x.shape[1] >= _TALL * x.shape[2] else _directly(gram, x, scale)
    if x.shape[1] >= _TALL * x.shape[2]:
        found.mul_(scale.rsqrt())
    return found.transpose(1, 2) if wide else found


def _directly(gram: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """X ← X (a + b G + c G²), G = XᵀX."""
    x = x * scale.rsqrt()
    for number, (a, b, c) in enumerate(POLYNOMIALS):
        if number:
            gram = torch.bmm(x.transpose(1, 2), x)
        x = torch.baddbmm(x, x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), beta=a)
    return x


def _by_gram(gram: Tensor, x: Tensor) -> Tensor:
    """X (P₁ P₂ …), each P of the Gram matrix that the ones before it leave: G ← G P²."""
    product, last = None, len(POLYNOMIALS) - 1
    for number, (a, b, c) in enumerate(POLYNOMIALS):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor if product is None else torch.bmm(product, factor)
        if number < last:
            gram = torch.bmm(torch.bmm(gram, factor), factor)
    return torch.bmm(x, product)  # type: ignore[arg-type]  # there is at least one polynomial


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum for parameters of two or more dimensions; kernels count as ``(out, the rest)``.

    A matrix moves by ``lr · √max(1, rows / columns)`` in its spectral norm, which is why one rate serves every width.
    ``product`` is the format in which moves are made orthogonal; bf16 is enough where there are units for it.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0, product: torch.dtype = torch.float32
    ) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": _MOMENTUM, "weight_decay": weight_decay})
        self._product = product
        self._stacks: dict[tuple[int, ...], Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(tuple(parameter.shape), []).append(parameter)
            for shape, members in shapes.items():
                self._move(shape, members, group)

    def _move(self, shape: tuple[int, ...], members: list[Tensor], group: dict[str, Any]) -> None:
        gradient = torch.stack([p.grad for p in members]).flatten(2)  # type: ignore[misc]
        memory = self._stacks.get(shape)
        if memory is None or memory.shape != gradient.shape:
            memory = self._stacks[shape] = torch.zeros_like(gradient)
        memory.lerp_(gradient, 1 - group["momentum"])
        moves = orthogonal(gradient.lerp_(memory, group["momentum"]).to(self._product)).to(memory.dtype)
        stretch = max(1.0, moves.shape[1] / moves.shape[2]) ** 0.5
        if group["weight_decay"]:
            torch._foreach_mul_(members, 1 - group["lr"] * group["weight_decay"])
        updates = [move.view(shape) for move in moves.contiguous()]
        torch._foreach_add_(members, updates, alpha=-group["lr"] * stretch)

    def state_dict(self) -> dict[str, Any]:
        """Momentum by shape, stacked."""
        return {"stacks": {"x".join(map(str, shape)): stack for shape, stack in self._stacks.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what ``state_dict`` gave."""
        device = self.param_groups[0]["params"][0].device
        named = state_dict["stacks"].items()
        self._stacks = {tuple(map(int, name.split("x"))): stack.to(device) for name, stack in named}
