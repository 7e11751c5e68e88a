"""How good a network is on the examples that were held out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scaling_core.training.data.base import Batch, Source
from scaling_core.training.precision import Chosen
from scaling_core.training.scores import scores

#: Symbols that are looked at together: large enough to keep a device busy, small enough for the logits to fit.
_TOGETHER = 16_384


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy, nats: ``logits`` ``(..., outputs)``, ``targets`` ``(...)``."""
    return functional.cross_entropy(logits.flatten(0, -2).float(), targets.flatten())


def tensors(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a batch on the device; a GPU copies while it computes."""
    inputs, targets = (torch.from_numpy(np.ascontiguousarray(part)) for part in batch)
    if device.type != "cuda":
        return inputs.to(device), targets.to(device)
    return inputs.pin_memory().to(device, non_blocking=True), targets.pin_memory().to(device, non_blocking=True)


def thinned(batch: Batch, rows: int) -> Batch:
    """At most so many rows, evenly over the batch: always the same ones."""
    have = len(batch.targets)
    if rows >= have:
        return batch
    chosen = np.linspace(0, have - 1, max(1, rows)).astype(np.int64)
    return Batch(batch.inputs[chosen], batch.targets[chosen])


@torch.no_grad()
def evaluate(
    module: nn.Module, source: Source, precision: Chosen, device: torch.device, rows: int | None = None
) -> dict[str, Any]:
    """Measure a network on the validation examples, or on ``rows`` of them.

    Returns
    -------
    dict
        ``loss`` (nats per token), ``tokens`` that it was measured on; ``bits_per_byte`` for text; accuracy, precision,
        recall and F1 where the data have labels.
    """
    held_out = source.validation() if rows is None else thinned(source.validation(), rows)
    losses, predicted = [], []
    labelled = source.shape.kind == "labels"
    step = max(1, _TOGETHER // max(1, held_out.targets[0].size * (16 if labelled else 1)))
    was_training = module.training
    module.eval()
    for begin in range(0, len(held_out.targets), step):
        inputs, targets = tensors(
            Batch(held_out.inputs[begin : begin + step], held_out.targets[begin : begin + step]), device
        )
        with precision.autocast(device):
            logits = module(inputs)
        losses.append(loss_of(logits, targets).double() * targets.numel())
        if labelled:
            predicted.append(logits.argmax(-1))
    module.train(was_training)
    found = {"loss": float(torch.stack(losses).sum()) / held_out.targets.size, "tokens": int(held_out.targets.size)}
    if source.bytes_per_token:
        found["bits_per_byte"] = found["loss"] / math.log(2) / source.bytes_per_token
    if labelled:
        names = source.provenance.get("classes")
        found |= scores(torch.cat(predicted).cpu().numpy(), held_out.targets, source.shape.outputs).record(names)
    return found
