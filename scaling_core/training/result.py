"""What ``result.json`` says of a run that ended well."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

from scaling_core.training.folder import CHECKPOINT_VERSION
from scaling_core.training.measure import peak_memory_bytes

if TYPE_CHECKING:
    from scaling_core.training.loop import Run


def result_of(run: Run, found: dict[str, Any]) -> dict[str, Any]:
    """Counts, compute, losses, speed and provenance; ``found`` is what ``evaluate`` measured."""
    spec, learner = run.spec, run.learner
    source, counts = learner.source, learner.kind.count(spec.model, learner.source.shape)
    validated = {name: value for name, value in found.items() if name not in ("tokens", "loss")}
    return {
        "run": spec.name,
        "role": spec.role,
        "family": spec.model.family,
        "width": spec.model.width,
        "layers": spec.model.layers,
        "heads": run.network["heads"] or None,
        "context": spec.model.context,
        "n_params": counts.fitted,
        "counts": asdict(counts) | {"total": counts.total},
        "tokens": learner.tokens,
        "unique_tokens": min(learner.tokens, source.unique_tokens),
        "steps": learner.step,
        "flops": learner.tokens * learner.flops_per_token,
        # An example with a label is no token: its weights are used at many places.
        "flops_6nd": 6.0 * counts.fitted * learner.tokens if source.shape.kind == "text" else None,
        "loss": found["loss"],
        **validated,
        "validation_tokens": found["tokens"],
        "train_loss": run.book.last_loss,
        "entropy": source.entropy,
        **_speed(run),
        "seed": spec.seed,
        "schedule": spec.optimiser.schedule,
        "optimiser": asdict(spec.optimiser),
        "start": _start(run),
        "tuned_from": run.tuned_from,
        "shape": asdict(source.shape),
        "checkpoint_version": CHECKPOINT_VERSION,
        "ended_early": run.ended_early,
        "data": dict(source.provenance),
        "torch": torch.__version__,
        "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _speed(run: Run) -> dict[str, Any]:
    """What this run itself trained: a branch leaves out its trunk.

    Seconds are those of the clock. ``core_share`` says how many cores it had meanwhile (1 is one core all the time);
    on a busy machine it is lower, and speed and MFU with it.
    """
    learner, book = run.learner, run.book
    own = learner.tokens - book.origin * run.spec.optimiser.batch_tokens
    on_processor = learner.device.type == "cpu"
    speed = own / book.seconds if book.seconds > 0 else None
    power = {"energy_j": book.energy} if book.energy == book.energy and book.energy > 0 else {}
    return {
        "own_tokens": own,
        "seconds": book.seconds,
        "core_share": book.core_seconds / book.seconds if on_processor and book.seconds > 0 else None,
        "tokens_per_second": speed,
        "mfu": book.mfu(speed) if speed else None,
        "peak_flops_measured": book.peak,
        "peak_memory_bytes": peak_memory_bytes(learner.device),
        "device": str(learner.device),
        "device_name": torch.cuda.get_device_name(learner.device) if learner.device.type == "cuda" else "cpu",
        "precision": learner.precision.name,
        "processes": run.ring.size,
        **power,
    }


def _start(run: Run) -> dict[str, Any] | None:
    if not run.spec.start.folder:
        return None
    return asdict(run.spec.start) | {"step": run.book.origin}
