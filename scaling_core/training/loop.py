"""One run from its specification to its result: ``train``."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from scaling_core.errors import UserError
from scaling_core.training import checkpoint, ranks
from scaling_core.training.data import Source, open_source
from scaling_core.training.devices import compiled, resolve
from scaling_core.training.evaluate import evaluate, loss_of, tensors
from scaling_core.training.folder import RunFolder, Wanted
from scaling_core.training.measure import begin_peak_memory, memory_bytes, peak_flops, power_watts
from scaling_core.training.metrics_log import MetricsLog
from scaling_core.training.models import family
from scaling_core.training.optim import Optimisers
from scaling_core.training.result import result_of
from scaling_core.training.schedule import share
from scaling_core.training.spec import TrainSpec
from scaling_core.training.start import Beginning, begin, kept

_LINES, _LOOKS = 200, 10
#: Looks at the validation loss on the way may cost this share of the training; the last one takes every window.
_LOOKING = 0.1


class Watcher(Protocol):
    """Who follows a run."""

    def check(self) -> Wanted:
        """What is wanted of the run now; asked after every step."""

    def report(self, **progress: Any) -> None:
        """Take note of how far it is."""


def train(spec: TrainSpec, folder: RunFolder, control: Watcher) -> None:
    """Train a run, from its last checkpoint where there is one, and write its result.

    Returns early, with a checkpoint saved, once ``control.check()`` is not "run".

    Raises
    ------
    UserError
        If the specification cannot be trained here, or the loss diverged.
    OSError
        If the disk is full; the last checkpoint is intact.
    """
    if spec.processes > 1 and not ranks.inside():
        ranks.launch(spec, folder, control)
        return
    with ranks.group() as ring:
        Run(spec, folder, control, ring).go()


class Run:
    """A run under way in this process."""

    def __init__(self, spec: TrainSpec, folder: RunFolder, control: Watcher, ring: ranks.Ring) -> None:
        self.spec, self.folder, self.control, self.ring = spec, folder, control, ring
        self.device = resolve(spec.device, ring.local)
        self.source: Source = open_source(spec.data, spec.model.context)
        self.kind = family(spec.model.family)
        self._check()
        #: The network as it is built, whatever a specification leaves open; checkpoints carry it.
        self.network = asdict(self.kind.resolved(spec.model))
        beginning = begin(spec, folder, self.network, self._data_sha)
        self.precision = kept(beginning, spec, self.device)
        self.flops_per_token = self.kind.flops_per_token(spec.model, self.source.shape)
        begin_peak_memory(self.device)
        torch.manual_seed(spec.seed)
        self.module = self.kind.build(spec.model, self.source.shape).to(self.device)
        self.optimisers = Optimisers(self.module, spec.optimiser, self._product())
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.scaled)
        self.step, self.seconds, self.core_seconds, self.energy = 0, 0.0, 0.0, 0.0
        self.best, self.worse, self.ended_early = math.inf, 0, False
        self.log_every = spec.log_every or max(1, spec.steps // _LINES)
        self.validate_every = spec.validate_every or max(1, spec.steps // _LOOKS)
        #: Losses and norms of the steps since the last line, on the device.
        self.recent = torch.zeros(2, self.log_every, device=self.device)
        #: Step that this run began at: a branch begins where it left its trunk.
        self.origin = 0
        #: Of weights that another run made: which, and what they were worth on these data.
        self.tuned_from = beginning.tuned_from
        self._take_up(beginning)
        self.model: nn.Module = ring.wrap(compiled(self.module, spec.compile, self.device), self.device)
        self.log = MetricsLog(folder) if ring.first else None
        self.peak = peak_flops(self.device, self.precision.name) if ring.first else None
        self.last_line = (self.step, self.seconds)
        self.last_loss: float | None = None

    def _product(self) -> torch.dtype:
        """In which format moves are made orthogonal: fp16 would overflow there."""
        return torch.bfloat16 if self.precision.name == "bf16" else torch.float32

    def _check(self) -> None:
        if self.source.shape.kind not in self.kind.kinds:
            what = f"The family “{self.kind.name}” cannot learn from the source “{self.spec.data.source}”."
            raise UserError(what, where=self.spec.name)
        row = self.spec.model.context if self.source.shape.kind == "text" else 1
        parts = row * self.spec.optimiser.accumulate * self.ring.size
        if self.spec.optimiser.batch_tokens % parts:
            raise UserError(
                f"A batch of {self.spec.optimiser.batch_tokens} does not divide into parts of whole rows.",
                where=self.spec.name,
                fix=f"Choose “batch_tokens” as a multiple of {parts}: context × accumulate × processes.",
            )

    def _take_up(self, beginning: Beginning) -> None:
        state, how = beginning.state, beginning.how
        if state is None:
            return
        try:
            self.module.load_state_dict(state["module"])
        except RuntimeError as error:  # torch lists every weight that does not fit
            said = str(error).strip().splitlines()[-1].strip()
            raise UserError(f"The weights do not fit this network: {said}", where=self.spec.name,
                            fix="Start from a run that learned data of the same kind.") from None  # fmt: skip
        if how == "fine-tune":
            return
        self.optimisers.load_state_dict(state["optimisers"])
        checkpoint.set_random_state(state["random"])
        self.step = int(state["step"])
        if how == "resume":
            self.seconds, self.energy = state["seconds"], state["energy"]
            self.core_seconds = state.get("core_seconds", math.nan)
            self.best, self.worse = state["best"], state["worse"]
            self.recent.copy_(state["recent"])
            self.ended_early = self._is_stale
        if state["scaler"] and self.precision.scaled:
            self.scaler.load_state_dict(state["scaler"])
        self.origin = int(state["origin"]) if how == "resume" else self.step

    @property
    def _data_sha(self) -> str:
        return str(self.source.provenance.get("sha256", ""))

    @property
    def on_processor(self) -> bool:
        """Whether it computes on the processor."""
        return self.device.type == "cpu"

    @property
    def tokens(self) -> int:
        """Seen so far, a trunk's included."""
        return self.step * self.spec.optimiser.batch_tokens

    def go(self) -> None:
        """Train to the end, or until something else is wanted."""
        steps, saved = self.spec.steps, time.monotonic()
        self._tell()
        self._look_before()
        clock, core = time.perf_counter(), time.process_time()
        while self.step < steps and not self.ended_early:
            if self.ring.agreed(self.control, self.step) != "run":
                self._save()
                return
            self._step()
            self.step += 1
            logs = self.step % self.log_every == 0 or self.step == steps
            looks = self.step % self.validate_every == 0 and self.step < steps
            saves = self.ring.first and time.monotonic() - saved >= self.spec.checkpoint_every_s
            kept = self._kept_now()
            if logs or looks or saves or kept:
                self._wait()  # steps that a GPU has still to do are training, not part of what follows
            self.seconds += time.perf_counter() - clock
            self.core_seconds += time.process_time() - core
            if logs:
                self._line()
            if looks:
                self._look()
            for tokens in kept:
                checkpoint.save(self.folder.kept(tokens), self._state())
            if saves:
                self._save()
                saved = time.monotonic()
            clock, core = time.perf_counter(), time.process_time()  # what was written and looked at is no training
        self._finish()

    def _step(self) -> None:
        spec = self.spec.optimiser
        self.optimisers.set_share(share(spec, self.step, self._ends))
        self.optimisers.clear()
        loss = self._gradients()
        for member in self.optimisers.members if self.precision.scaled else ():
            self.scaler.unscale_(member)
        norm = self.optimisers.norm()
        if spec.clip:
            self.optimisers.clip(norm, spec.clip)
        for member in self.optimisers.members:
            if self.precision.scaled:
                self.scaler.step(member)
            else:
                member.step()
        if self.precision.scaled:
            self.scaler.update()
        self.recent[0, self.step % self.log_every] = loss
        self.recent[1, self.step % self.log_every] = norm

    @property
    def _ends(self) -> int | None:
        """Steps that the schedule knows of: a trunk has no end."""
        return None if self.spec.role == "trunk" else self.spec.steps

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

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _line(self) -> None:
        """Write a line of metrics, and find out whether the loss is still a number."""
        place = (self.step - 1) % self.log_every + 1
        count = min(place, self.step - self.origin)  # a branch has no losses from before it began
        recent = self.ring.mean(self.recent[:, place - count : place]).cpu().double()
        bad = ~torch.isfinite(recent[0])
        if bad.any():
            self._diverged(self.step - count + 1 + int(bad.nonzero()[0]))
        before, seconds_before = self.last_line
        took = max(self.seconds - seconds_before, 1e-9)
        speed = (self.step - before) * self.spec.optimiser.batch_tokens / took
        watts = power_watts(self.device)
        self.energy += took * watts if watts is not None else math.nan
        self.last_line, self.last_loss = (self.step, self.seconds), float(recent[0].mean())
        if self.log is None:
            return
        self.log.write(
            {
                "step": self.step,
                "tokens": self.tokens,
                "flops": self.tokens * self.flops_per_token,
                "loss": self.last_loss,
                "lr": self.spec.optimiser.matrix_lr * share(self.spec.optimiser, self.step - 1, self._ends),
                "grad_norm": _finite(float(recent[1, -1])),
                "tokens_per_second": speed,
                "mfu": self.mfu(speed),
                "seconds": self.seconds,
                "memory_bytes": memory_bytes(self.device),
            }
        )
        self._tell(speed)

    def mfu(self, speed: float) -> float | None:
        """Useful FLOP/s at that speed over what this machine reaches at best.

        None where that is not known, or was measured too low, on a machine busy with other work.
        """
        share = speed * self.flops_per_token / (self.peak * self.ring.size) if self.peak else math.inf
        return share if share <= 1.0 else None

    def _tell(self, speed: float | None = None) -> None:
        told = {"loss": self.last_loss, "tokens_per_second": speed, "device": str(self.device)}
        self.control.report(tokens=self.tokens, steps=self.step, **told)

    def _diverged(self, step: int) -> None:
        if self.log is not None:
            self.log.write({"step": step, "tokens": step * self.spec.optimiser.batch_tokens, "event": "diverged"})
        raise UserError(
            f"The loss diverged at step {step}: it is no number any more.",
            where=self.spec.name,
            fix="Lower the learning rate, or lengthen the warm-up; the last checkpoint is from before.",
        )

    def _look_before(self) -> None:
        """Measure what weights of another run are worth on these data, before they are trained on them."""
        if self.tuned_from is None or "before" in self.tuned_from or self.step or self.log is None:
            return
        found = evaluate(self.module, self.source, self.precision, self.device)
        self.log.write({"step": 0, "tokens": 0, **_as_line(found)})
        self.tuned_from = {**self.tuned_from, "before": _finite(found["loss"])}

    def _look(self) -> None:
        """Measure the validation loss on the way; end early where that was asked and it no longer falls."""
        if self.log is not None:
            found = evaluate(self.module, self.source, self.precision, self.device, self._rows())
            self.log.write({"step": self.step, "tokens": self.tokens, **_as_line(found)})
            better = found["loss"] < self.best
            self.best, self.worse = min(self.best, found["loss"]), 0 if better else self.worse + 1
        if self.spec.optimiser.early_stopping:
            self.ended_early = bool(self.ring.same(self._is_stale))

    @property
    def _is_stale(self) -> bool:
        """Whether so many looks as are allowed brought no improvement."""
        patience = self.spec.optimiser.early_stopping
        return 0 < patience <= self.worse

    def _rows(self) -> int | None:
        """Rows of a look on the way: all where a person set how often, else what the training can bear."""
        if self.spec.validate_every:
            return None
        row = self.spec.model.context if self.source.shape.kind == "text" else 1
        return max(8, int(3 * _LOOKING * self.spec.tokens / _LOOKS / row))  # forward alone is a third of a step

    def _kept_now(self) -> list[int]:
        """Tokens of the checkpoints to keep at this step: those that it has just reached."""
        before = self.tokens - self.spec.optimiser.batch_tokens
        return [tokens for tokens in self.spec.keep_at if self.ring.first and before < tokens <= self.tokens]

    def _save(self) -> None:
        """Save the last checkpoint, unless the loss is already no number: then the one before is worth more."""
        count = (self.step - 1) % self.log_every + 1 if self.step else 0
        if self.ring.first and bool(torch.isfinite(self.recent[0, :count]).all()):
            checkpoint.save(self.folder.last, self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "spec": self.spec.to_json(),
            "model": self.network,
            "data": self._data_sha,
            "precision": self.precision.name,
            "tuned_from": self.tuned_from,
            "step": self.step,
            "module": self.module.state_dict(),
            "optimisers": self.optimisers.state_dict(),
            "random": checkpoint.random_state(),
            "recent": self.recent,
            "scaler": self.scaler.state_dict(),
            "origin": self.origin,
            "seconds": self.seconds,
            "core_seconds": self.core_seconds,
            "energy": self.energy,
            "best": self.best,
            "worse": self.worse,
        }

    def _finish(self) -> None:
        """Measure on every window, save, write the result."""
        if self.log is None:
            return
        found = evaluate(self.module, self.source, self.precision, self.device)
        if not math.isfinite(found["loss"]):
            self._diverged(self.step)
        self._save()
        self.log.write({"step": self.step, "tokens": self.tokens, **_as_line(found)})
        self.folder.finish(result_of(self, found))


def _as_line(found: dict[str, Any]) -> dict[str, Any]:
    kept = ("bits_per_byte", "accuracy", "macro_f1")
    line = {"val_loss": _finite(found["loss"]), "val_tokens": found["tokens"]}
    return line | {name: _finite(found[name]) for name in kept if name in found}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
