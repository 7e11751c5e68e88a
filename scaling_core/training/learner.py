"""A network with its data and optimisers on a device: it takes steps, is measured, and its state kept and taken up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from scaling_core.errors import UserError
from scaling_core.training import checkpoint
from scaling_core.training.data import Source
from scaling_core.training.devices import compiled
from scaling_core.training.evaluate import evaluate, loss_of, tensors
from scaling_core.training.models import family
from scaling_core.training.optim import Optimisers
from scaling_core.training.precision import Chosen
from scaling_core.training.ranks import Ring
from scaling_core.training.schedule import share
from scaling_core.training.spec import TrainSpec


def check_batch(spec: TrainSpec, source: Source, processes: int) -> None:
    """Refuse data that the family cannot learn from, and a batch that does not divide into whole rows.

    Raises
    ------
    UserError
        With the multiple that a batch must be.
    """
    kind = family(spec.model.family)
    if source.shape.kind not in kind.kinds:
        what = f"The family “{kind.name}” cannot learn from the source “{spec.data.source}”."
        raise UserError(what, where=spec.name)
    parts = row_of(spec, source) * spec.optimiser.accumulate * processes
    if spec.optimiser.batch_tokens % parts:
        raise UserError(
            f"A batch of {spec.optimiser.batch_tokens} does not divide into parts of whole rows.",
            where=spec.name,
            fix=f"Choose “batch_tokens” as a multiple of {parts}: context × accumulate × processes.",
        )


def row_of(spec: TrainSpec, source: Source) -> int:
    """Tokens of one row: a window of the context for text, one example for labels."""
    return spec.model.context if source.shape.kind == "text" else 1


class Learner:
    """A network that learns, in this process; ``step`` counts its steps, a trunk's included."""

    def __init__(self, spec: TrainSpec, source: Source, device: torch.device, precision: Chosen, ring: Ring) -> None:
        self.spec, self.source, self.device, self.precision, self.ring = spec, source, device, precision, ring
        self.kind = family(spec.model.family)
        self.flops_per_token = self.kind.flops_per_token(spec.model, source.shape)
        torch.manual_seed(spec.seed)
        self.module = self.kind.build(spec.model, source.shape).to(device)
        self.optimisers = Optimisers(self.module, spec.optimiser, _product(precision))
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision.scaled)
        #: The same network as it is run: compiled, and in step with other processes, once ``make_ready`` was called.
        self.model: nn.Module = self.module
        self.step = 0

    @property
    def tokens(self) -> int:
        """Seen so far, a trunk's included."""
        return self.step * self.spec.optimiser.batch_tokens

    def make_ready(self) -> None:
        """Compile the network where that pays, and join the other processes of the run."""
        self.model = self.ring.wrap(compiled(self.module, self.spec.compile, self.device), self.device)

    def advance(self) -> tuple[Tensor, Tensor]:
        """Take a step; return the loss and the norm of the gradient, both on the device."""
        spec = self.spec.optimiser
        self.optimisers.set_share(share(spec, self.step, self.spec.schedule_steps))
        self.optimisers.clear()
        loss = self._gradients()
        for member in self.optimisers.members if self.precision.scaled else ():
            self.scaler.unscale_(member)
        norm = self.optimisers.norm()
        if spec.clip:
            self.optimisers.clip(norm, spec.clip)
        self._move()
        self.step += 1
        return loss, norm

    def _gradients(self) -> Tensor:
        """Run all parts of this process's share of the batch; return their mean loss, on the device."""
        spec, ring = self.spec.optimiser, self.ring
        size = spec.batch_tokens // (spec.accumulate * ring.size)
        total: Tensor | None = None
        for part in range(spec.accumulate):
            position = self.tokens + (part * ring.size + ring.rank) * size
            inputs, targets = tensors(self.source.batch(position, size), self.device)
            with ring.quiet(self.model, part + 1 < spec.accumulate), self.precision.autocast(self.device):
                loss = loss_of(self.model(inputs), targets) / spec.accumulate
                (self.scaler.scale(loss) if self.precision.scaled else loss).backward()  # type: ignore[no-untyped-call]
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None  # there is at least one part
        return total

    def _move(self) -> None:
        for member in self.optimisers.members:
            if self.precision.scaled:
                self.scaler.step(member)
            else:
                member.step()
        if self.precision.scaled:
            self.scaler.update()

    def measured(self, rows: int | None = None) -> dict[str, Any]:
        """What ``evaluate`` says of the network now, on every validation row or on so many."""
        return evaluate(self.module, self.source, self.precision, self.device, rows)

    def wait(self) -> None:
        """Let a GPU come to the end of the steps that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "step": self.step,
            "module": self.module.state_dict(),
            "optimisers": self.optimisers.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": checkpoint.random_state(),
        }

    def take_weights(self, state: Mapping[str, Any]) -> None:
        """Take the weights of a checkpoint, and nothing else.

        Raises
        ------
        UserError
            If they are of another shape.
        """
        try:
            self.module.load_state_dict(state["module"])
        except RuntimeError as error:  # torch lists every weight that does not fit
            said = str(error).strip().splitlines()[-1].strip()
            raise UserError(
                f"The weights do not fit this network: {said}",
                where=self.spec.name,
                fix="Start from a run that learned data of the same kind.",
            ) from None

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was kept; raises as ``take_weights``."""
        self.take_weights(state)
        self.optimisers.load_state_dict(state["optimisers"])
        checkpoint.set_random_state(state["random"])
        self.step = int(state["step"])
        if state["scaler"] and self.precision.scaled:
            self.scaler.load_state_dict(state["scaler"])


def _product(precision: Chosen) -> torch.dtype:
    """In which format moves are made orthogonal: fp16 would overflow there."""
    return torch.bfloat16 if precision.name == "bf16" else torch.float32
