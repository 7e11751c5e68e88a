"""What is written down of a run on its way: lines of metrics, looks at the validation loss, times and energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder
from scaling_core.training.learner import Learner, row_of
from scaling_core.training.measure import memory_bytes, peak_flops, power_watts
from scaling_core.training.metrics_log import MetricsLog
from scaling_core.training.schedule import share

_LINES, _LOOKS = 200, 10
#: Looks at the validation loss on the way may cost this share of the training; the last one takes every window.
_LOOKING = 0.1


class Book:
    """The record of one run, kept by its first process; the others only help to reckon means."""

    def __init__(self, learner: Learner, folder: RunFolder) -> None:
        self.learner, self.spec, self.ring, self.device = learner, learner.spec, learner.ring, learner.device
        self.seconds, self.core_seconds, self.energy = 0.0, 0.0, 0.0
        self.best, self.worse = math.inf, 0
        self.log_every = self.spec.log_every or max(1, self.spec.steps // _LINES)
        self.validate_every = self.spec.validate_every or max(1, self.spec.steps // _LOOKS)
        #: Losses and norms of the steps since the last line, on the device.
        self.recent = torch.zeros(2, self.log_every, device=self.device)
        #: Step that this run began at: a branch begins where it left its trunk.
        self.origin = learner.step
        self.log = MetricsLog(folder) if self.ring.first else None
        self.peak = peak_flops(self.device, learner.precision.name) if self.ring.first else None
        self.last_line = (learner.step, self.seconds)
        self.last_loss: float | None = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        kept = ("recent", "origin", "seconds", "core_seconds", "energy", "best", "worse")
        return {name: getattr(self, name) for name in kept}

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state`` was kept."""
        self.seconds, self.energy = state["seconds"], state["energy"]
        self.core_seconds = state.get("core_seconds", math.nan)
        self.best, self.worse = state["best"], state["worse"]
        self.recent.copy_(state["recent"])
        self.origin = int(state["origin"])
        self.last_line = (self.learner.step, self.seconds)

    @property
    def is_stale(self) -> bool:
        """Whether so many looks as are allowed brought no improvement."""
        patience = self.spec.optimiser.early_stopping
        return 0 < patience <= self.worse

    @property
    def is_sound(self) -> bool:
        """Whether the losses since the last line are numbers."""
        step = self.learner.step
        count = (step - 1) % self.log_every + 1 if step else 0
        return bool(torch.isfinite(self.recent[0, :count]).all())

    @property
    def logs_now(self) -> bool:
        """Whether a line is due at this step."""
        return self.learner.step % self.log_every == 0 or self.learner.step == self.spec.steps

    @property
    def looks_now(self) -> bool:
        """Whether a look at the validation loss is due; the last step has one of its own."""
        return self.learner.step % self.validate_every == 0 and self.learner.step < self.spec.steps

    def note(self, loss: Tensor, norm: Tensor) -> None:
        """Keep what the step just taken gave, without waiting for the device."""
        place = (self.learner.step - 1) % self.log_every
        self.recent[0, place] = loss
        self.recent[1, place] = norm

    def took(self, seconds: float, core_seconds: float) -> None:
        """Add time that went into training."""
        self.seconds += seconds
        self.core_seconds += core_seconds

    def line(self) -> float:
        """Write a line of metrics; return tokens per second since the last one.

        Raises
        ------
        UserError
            If the loss is no number any more.
        """
        recent = self._since_last_line()
        before, seconds_before = self.last_line
        took = max(self.seconds - seconds_before, 1e-9)
        speed = (self.learner.step - before) * self.spec.optimiser.batch_tokens / took
        watts = power_watts(self.device)
        self.energy += took * watts if watts is not None else math.nan
        self.last_line, self.last_loss = (self.learner.step, self.seconds), float(recent[0].mean())
        if self.log is not None:
            self.log.write(self._row(speed, float(recent[1, -1])))
        return speed

    def _since_last_line(self) -> Tensor:
        """Losses and norms, (2, steps), the mean of all processes."""
        step = self.learner.step
        place = (step - 1) % self.log_every + 1
        count = min(place, step - self.origin)  # a branch has no losses from before it began
        recent = self.ring.mean(self.recent[:, place - count : place]).cpu().double()
        bad = ~torch.isfinite(recent[0])
        if bad.any():
            self.diverged(step - count + 1 + int(bad.nonzero()[0]))
        return recent

    def _row(self, speed: float, norm: float) -> dict[str, Any]:
        spec, learner = self.spec.optimiser, self.learner
        return {
            "step": learner.step,
            "tokens": learner.tokens,
            "flops": learner.tokens * learner.flops_per_token,
            "loss": self.last_loss,
            "lr": spec.matrix_lr * share(spec, learner.step - 1, self.spec.schedule_steps),
            "grad_norm": finite(norm),
            "tokens_per_second": speed,
            "mfu": self.mfu(speed),
            "seconds": self.seconds,
            "memory_bytes": memory_bytes(self.device),
        }

    def mfu(self, speed: float) -> float | None:
        """Useful FLOP/s at that speed over what this machine reaches at best.

        None where that is not known, or was measured too low, on a machine busy with other work.
        """
        share = speed * self.learner.flops_per_token / (self.peak * self.ring.size) if self.peak else math.inf
        return share if share <= 1.0 else None

    def look(self) -> None:
        """Measure the validation loss on the way, and whether it still falls."""
        if self.log is None:
            return
        found = self.learner.measured(self._rows())
        self.validated(found)
        better = found["loss"] < self.best
        self.best, self.worse = min(self.best, found["loss"]), 0 if better else self.worse + 1

    def validated(self, found: Mapping[str, Any]) -> None:
        """Write what ``evaluate`` found."""
        if self.log is not None:
            kept = ("bits_per_byte", "accuracy", "macro_f1")
            line = {"val_loss": finite(found["loss"]), "val_tokens": found["tokens"]}
            line |= {name: finite(found[name]) for name in kept if name in found}
            self.log.write({"step": self.learner.step, "tokens": self.learner.tokens, **line})

    def _rows(self) -> int | None:
        """Rows of a look on the way: all where a person set how often, else what the training can bear."""
        if self.spec.validate_every:
            return None
        row = row_of(self.spec, self.learner.source)
        return max(8, int(3 * _LOOKING * self.spec.tokens / _LOOKS / row))  # forward alone is a third of a step

    def diverged(self, step: int) -> None:
        """Write that the loss is no number any more, and raise it as a UserError."""
        if self.log is not None:
            self.log.write({"step": step, "tokens": step * self.spec.optimiser.batch_tokens, "event": "diverged"})
        raise UserError(
            f"The loss diverged at step {step}: it is no number any more.",
            where=self.spec.name,
            fix="Lower the learning rate, or lengthen the warm-up; the last checkpoint is from before.",
        )


def finite(value: float) -> float | None:
    """A number that JSON can hold; None for one that it cannot."""
    return value if math.isfinite(value) else None
