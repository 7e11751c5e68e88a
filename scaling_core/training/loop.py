"""One run from its specification to its result: ``train``."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Any, Protocol

from scaling_core.training import checkpoint, ranks
from scaling_core.training.book import Book, finite
from scaling_core.training.data import open_source
from scaling_core.training.devices import resolve
from scaling_core.training.folder import RunFolder, Wanted
from scaling_core.training.learner import Learner, check_batch
from scaling_core.training.measure import begin_peak_memory
from scaling_core.training.models import family
from scaling_core.training.result import result_of
from scaling_core.training.spec import TrainSpec
from scaling_core.training.start import Beginning, begin, kept


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
        device, source = resolve(spec.device, ring.local), open_source(spec.data, spec.model.context)
        check_batch(spec, source, ring.size)
        #: The network as it is built, whatever a specification leaves open; checkpoints carry it.
        self.network = asdict(family(spec.model.family).resolved(spec.model))
        self.data_sha = str(source.provenance.get("sha256", ""))
        beginning = begin(spec, folder, self.network, self.data_sha)
        #: Of weights that another run made: which, and what they were worth on these data.
        self.tuned_from = beginning.tuned_from
        begin_peak_memory(device)
        self.learner = Learner(spec, source, device, kept(beginning, spec, device), ring)
        self._take_up(beginning)
        self.learner.make_ready()
        self.book = Book(self.learner, folder)
        if beginning.state and beginning.how == "resume":
            self.book.take_up(beginning.state)
        self.ended_early = self.book.is_stale
        if ring.first:  # the log of the run says what “auto” came to
            print(f"computes in {self.learner.precision.name} on {device}", flush=True)

    def _take_up(self, beginning: Beginning) -> None:
        if beginning.state is None:
            return
        if beginning.how == "fine-tune":
            self.learner.take_weights(beginning.state)
        else:
            self.learner.take_up(beginning.state)

    def go(self) -> None:
        """Train to the end, or until something else is wanted."""
        learner, book = self.learner, self.book
        saved = time.monotonic()
        self._tell()
        self._look_before()
        clock, core = time.perf_counter(), time.process_time()
        while learner.step < self.spec.steps and not self.ended_early:
            if self.ring.agreed(self.control, learner.step) != "run":
                self._save()
                return
            book.note(*learner.advance())
            saves = self.ring.first and time.monotonic() - saved >= self.spec.checkpoint_every_s
            keeps = self._kept_now()
            if book.logs_now or book.looks_now or saves or keeps:
                learner.wait()  # steps that a GPU has still to do are training, not part of what follows
            book.took(time.perf_counter() - clock, time.process_time() - core)
            self._write_down()
            for tokens in keeps:
                checkpoint.save(self.folder.kept(tokens), self._state())
            if saves:
                self._save()
                saved = time.monotonic()
            clock, core = time.perf_counter(), time.process_time()  # what was written and looked at is no training
        self._finish()

    def _write_down(self) -> None:
        """Write the line and take the look that are due; end early where that was asked and loss no longer falls."""
        if self.book.logs_now:
            speed = self.book.line()
            if self.ring.first:
                self._tell(speed)
        if self.book.looks_now:
            self.book.look()
            if self.spec.optimiser.early_stopping:
                self.ended_early = bool(self.ring.same(self.book.is_stale))

    def _tell(self, speed: float | None = None) -> None:
        told = {"loss": self.book.last_loss, "tokens_per_second": speed, "device": str(self.learner.device)}
        self.control.report(tokens=self.learner.tokens, steps=self.learner.step, **told)

    def _look_before(self) -> None:
        """Measure what weights of another run are worth on these data, before they are trained on them."""
        if self.tuned_from is None or "before" in self.tuned_from or self.learner.step or not self.ring.first:
            return
        found = self.learner.measured()
        self.book.validated(found)
        self.tuned_from = {**self.tuned_from, "before": finite(found["loss"])}

    def _kept_now(self) -> list[int]:
        """Tokens of the checkpoints to keep at this step: those that it has just reached."""
        now = self.learner.tokens
        before = now - self.spec.optimiser.batch_tokens
        return [tokens for tokens in self.spec.keep_at if self.ring.first and before < tokens <= now]

    def _save(self) -> None:
        """Save the last checkpoint, unless the loss is already no number: then the one before is worth more."""
        if self.ring.first and self.book.is_sound:
            checkpoint.save(self.folder.last, self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "spec": self.spec.to_json(),
            "model": self.network,
            "data": self.data_sha,
            "precision": self.learner.precision.name,
            "tuned_from": self.tuned_from,
            **self.learner.state(),
            **self.book.state(),
        }

    def _finish(self) -> None:
        """Measure on every window, save, write the result."""
        if not self.ring.first:
            return
        found = self.learner.measured()
        if not math.isfinite(found["loss"]):
            self.book.diverged(self.learner.step)
        self._save()
        self.book.validated(found)
        self.folder.finish(result_of(self, found))
