"""The plain loop to compare with: a network in GPT-2's style, AdamW and a cosine, as tutorials write it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class PlainBlock(nn.Module):
    """LayerNorm, attention, LayerNorm, GELU; biases everywhere."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(rows, context, width)`` to the same."""
        rows, context, width = x.shape
        q, k, v = self.qkv(self.first(x)).view(rows, context, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heard.transpose(1, 2).reshape(rows, context, width))
        return x + self.outer(functional.gelu(self.inner(self.second(x))))


class PlainGpt(nn.Module):
    """Learned positions, weights of standard deviation .02, smaller where they add to the residual stream."""

    def __init__(self, symbols: int, width: int, layers: int, heads: int, context: int) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(symbols, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(PlainBlock(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, symbols, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                adds = name.endswith(("out.weight", "outer.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * layers) if adds else 1.0))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(rows, context)`` to logits."""
        x = self.embedding(inputs) + self.position.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class PlainLoop:
    """AdamW (β₂ .95, decay .1), clipped at 1, 20 steps of warm-up and a cosine to a tenth."""

    def __init__(self, module: nn.Module, rate: float, steps: int) -> None:
        self.module, self.rate, self.steps, self.step = module, rate, steps, 0
        self.optimiser = torch.optim.AdamW(module.parameters(), rate, betas=(0.9, 0.95), weight_decay=0.1)

    def train(self, inputs: Tensor, targets: Tensor) -> None:
        """One step."""
        done = min(1.0, self.step / self.steps)
        share = min(1.0, (self.step + 1) / 20) * (0.55 + 0.45 * math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * share
        self.optimiser.zero_grad()
        functional.cross_entropy(self.module(inputs).flatten(0, 1), targets.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
