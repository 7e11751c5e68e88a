"""Tokens per second and loss beside a plain GPT-2-style loop, on one thread.

    python -m benchmarks.training            speed at about .5M and 5M parameters, loss at equal FLOPs
    python -m benchmarks.training --speed    speed alone

Both loops take their steps by turns in one process and are timed in processor seconds, so that other work on the
machine touches both alike.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

import torch

from benchmarks._machine import machine
from benchmarks._plain_gpt import PlainGpt, PlainLoop
from scaling_core.training.data import Source, open_source
from scaling_core.training.evaluate import evaluate, loss_of, tensors
from scaling_core.training.models import family
from scaling_core.training.models.decoder import heads_of
from scaling_core.training.optim import Optimisers
from scaling_core.training.precision import FP32, Chosen, capabilities, choose
from scaling_core.training.schedule import share
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec

CPU = torch.device("cpu")
BATCH, CONTEXT = 1024, 128
SIZES = {".5M": ModelSpec(width=96, layers=4), "5M": ModelSpec(width=256, layers=6)}
#: The size and the tokens at which losses are compared; the plain loop's best rate of these is taken.
LEARNS, TOKENS, RATES = ModelSpec(width=64, layers=3), 500_000, (1e-3, 3e-3)


class Ours:
    """The recipe of ``scaling_core.training`` as the loop runs it."""

    def __init__(self, model: ModelSpec, source: Source, steps: int, precision: Chosen) -> None:
        torch.manual_seed(0)
        self.spec, self.steps, self.step, self.precision = OptimiserSpec(), steps, 0, precision
        self.module = family(model.family).build(model, source.shape)
        self.optimisers = Optimisers(self.module, self.spec, precision.dtype)

    def train(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        """One step."""
        self.optimisers.set_share(share(self.spec, self.step, self.steps))
        self.optimisers.clear()
        with self.precision.autocast(CPU):
            loss = loss_of(self.module(inputs), targets)
        loss.backward()
        self.optimisers.clip(self.optimisers.norm(), self.spec.clip)
        for member in self.optimisers.members:
            member.step()
        self.step += 1


def plain(model: ModelSpec, rate: float, steps: int) -> PlainLoop:
    """Return the plain loop of the same width, layers, heads and context."""
    torch.manual_seed(0)
    return PlainLoop(PlainGpt(256, model.width, model.layers, heads_of(model), model.context), rate, steps)


def speeds(model: ModelSpec, source: Source, rounds: int) -> dict[str, float]:
    """Processor seconds of a step (median) by loop."""
    loops: dict[str, PlainLoop | Ours] = {"plain": plain(model, 1e-3, 1000), "ours": Ours(model, source, 1000, FP32)}
    if any(capabilities(CPU).get(unit) for unit in ("avx512_bf16", "amx_bf16")):
        loops["ours, bf16"] = Ours(model, source, 1000, choose("bf16", CPU))
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 2):
        inputs, targets = tensors(source.batch(turn * BATCH, BATCH), CPU)
        for name, loop in loops.items():
            before = time.process_time()
            loop.train(inputs, targets)
            if turn >= 2:  # the first steps warm up
                taken[name].append(time.process_time() - before)
    return {name: statistics.median(values) for name, values in taken.items()}


def train(loop: PlainLoop | Ours, source: Source, steps: int) -> None:
    """Take so many steps."""
    for step in range(steps):
        loop.train(*tensors(source.batch(step * BATCH, BATCH), CPU))


def learn(loop: PlainLoop | Ours, source: Source, steps: int) -> float:
    """Validation loss after so many steps, nats per byte."""
    train(loop, source, steps)
    return float(evaluate(loop.module, source, FP32, CPU)["loss"])


def crossing(model: ModelSpec, source: Source, aim: float, steps: int) -> float:
    """Share of ``steps`` after which a run of ours, cooled down, is as good as ``aim``."""
    least = 1.0
    for part in (0.67, 0.5, 0.33):
        count = round(steps * part)
        if learn(Ours(model, source, count, FP32), source, count) > aim:
            break
        least = part
    return least


def report_speed(source: Source, rounds: int) -> None:
    """Print a line for each size."""
    for name, model in SIZES.items():
        found = speeds(model, source, rounds)
        count = family(model.family).count(model, source.shape).total
        for loop, seconds in found.items():
            ratio = found["plain"] / seconds
            print(f"{name} ({count:,} parameters) {loop:11} {BATCH / seconds:10,.0f} tokens/s   {ratio:5.2f} ×")


def report_loss(source: Source) -> None:
    """Print what each loop reaches after the same tokens, which are the same FLOPs at the same size."""
    steps = math.ceil(TOKENS / BATCH)
    best = min(learn(plain(LEARNS, rate, steps), source, steps) for rate in RATES)
    ours = learn(Ours(LEARNS, source, steps, FP32), source, steps)
    print(f"after {steps * BATCH:,} bytes: plain {best / math.log(2):.3f}, ours {ours / math.log(2):.3f} bits per byte")
    least = crossing(LEARNS, source, best, steps)
    print(f"ours is as good as plain with {least:.2f} of the FLOPs or fewer: {1 / least:.1f} × fewer")


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--speed", action="store_true", help="speed alone")
    parser.add_argument("--rounds", type=int, default=15, help="steps of each loop that are timed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine() + f", torch {torch.__version__}, 1 thread")
    source = open_source(DataSpec(), CONTEXT)
    report_speed(source, options.rounds)
    if not options.speed:
        report_loss(source)


if __name__ == "__main__":
    main()
