"""A ladder as a person asks for it in a form: how long, to learn what, and how; the plan follows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.training.base_run import called_after, resolved
from scaling_core.training.from_runs import ladder_from_runs
from scaling_core.training.ladder import Ladder, plan_ladder
from scaling_core.training.ladder_file import parse_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.presets import PRESETS, SHAPES, for_flops, for_seconds, get_preset
from scaling_core.training.rungs import facts_of
from scaling_core.training.spec import DataSpec, OptimiserSpec
from scaling_core.training.speed import Speed
from scaling_core.units import parse_flops, parse_quantity

#: Ways of asking beside the presets.
CUSTOM, RUNS, FILE, TOKENS = "custom", "runs", "file", "tokens"
WAYS = (*PRESETS, CUSTOM, RUNS, FILE, TOKENS)
_TIME = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|hours?|minutes?|seconds?)\s*$", re.IGNORECASE)
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_FITTED = 3
_EXAMPLES = 2048
_AMOUNT_FIX = "Write 20 min, 1 h or 1e14."


@dataclass(frozen=True)
class Task:
    """Something to learn, with what learns it.

    Attributes
    ----------
    title, about : str
    family : str
    context : int
    batch : int
        Tokens of a step; examples, where the data have labels.
    """

    title: str
    about: str
    family: str
    context: int
    batch: int

    @property
    def is_text(self) -> bool:
        """Whether its unit is a token of text."""
        return self.family == "decoder"


#: Name of the source -> task.
TASKS: Mapping[str, Task] = MappingProxyType({
    "stdlib": Task("Python's standard library", "Next byte of the .py files on this machine.", "decoder", 128, 1024),
    "text": Task("A text of your own", "Next byte of your file or folder, in any language.", "decoder", 128, 1024),
    "markov": Task("A source of known entropy", "Next symbol of a Markov chain: the E of the law is known beforehand.",
                   "decoder", 128, 1024),
    "snippets": Task("Text classifier", "Which package of the standard library a snippet is from.", "encoder", 256, 64),
    "shapes": Task("Images: drawn shapes", "Which of ten shapes a drawn image shows; there is no end of images.",
                   "convnet", 128, 64),
    "digits": Task("Images: handwritten digits", "Which digit an image shows; 1,438 images, so it soon saturates.",
                   "convnet", 128, 64),
})  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What a form says. Everything is text or a number, so that it can stand in a link.

    Attributes
    ----------
    way : str
        One of ``WAYS``: a preset, "custom" (``amount``, ``sizes``, ``budgets``), "runs", "file" (``file``), or where it
        starts from a run, "tokens" (``tokens``).
    task : str
        A name in ``TASKS``; a file says itself what it learns.
    path : str
        Of the text, for the task "text".
    amount : str
        A time ("20 min") or FLOPs ("1e14").
    sizes, budgets : int
    runs : tuple of (N, D)
    file : str
        TOML of a ladder.
    start : str
        Folder of the run with whose weights all of it begins; empty begins with new ones. A file says itself.
    tokens : tuple of float
        One run each.
    device, name, seed, hold_back
        As in ``LadderSpec``; an empty name is made up.
    """

    way: str = "2min"
    task: str = "stdlib"
    path: str = ""
    amount: str = "20 min"
    sizes: int = 4
    budgets: int = 4
    runs: tuple[tuple[float, float], ...] = ()
    file: str = ""
    start: str = ""
    tokens: tuple[float, ...] = ()
    device: str = "auto"
    name: str = ""
    seed: int = 0
    hold_back: bool = True

    @property
    def base(self) -> LadderSpec:
        """What every way of asking shares: its sizes and budgets are to be replaced."""
        task = TASKS[self.task]
        validation = get_preset(self.way).validation_tokens if self.way in PRESETS else 131_072
        data = DataSpec(self.task, self.path if self.task == "text" else "",
                        validation_tokens=validation if task.is_text else _EXAMPLES)  # fmt: skip
        return LadderSpec(
            self.name.strip() or f"{self.task} {self.way}", () if self.start else SHAPES[:1], (1e6,),
            hold_back=self.hold_back,
            start=self.start, family=task.family, context=task.context, seed=self.seed, device=self.device, data=data,
            optimiser=OptimiserSpec(batch_tokens=task.batch),
        )  # fmt: skip


def plan_asked(asked: Asked, speed: Speed, slots: int) -> Ladder:
    """Plan what was asked for.

    Raises
    ------
    UserError
        If something in it cannot be: the message says what, and what to do.
    """
    if asked.way == FILE:
        return plan_ladder(parse_ladder(asked.file), speed, slots)
    base = _with_run(asked)
    facts = facts_of(base)
    if asked.way == TOKENS:
        return plan_ladder(replace(base, budgets=asked.tokens), speed, slots, facts)
    if asked.way == RUNS:
        frame = pd.DataFrame(list(asked.runs), columns=["params", "tokens"])
        return plan_ladder(replace(ladder_from_runs(frame, base, facts), hold_back=False), speed, slots, facts)
    if asked.way == CUSTOM:
        kind, amount = read_amount(asked.amount)
        fill = for_seconds if kind == "seconds" else for_flops
        return fill(amount, base, speed, slots, asked.sizes, asked.budgets, min(_FITTED, asked.budgets), facts)
    preset = get_preset(asked.way)
    return for_seconds(preset.seconds, base, speed, slots, preset.sizes, preset.budgets, preset.fitted, facts)


def _with_run(asked: Asked) -> LadderSpec:
    """What every way of asking shares; of a ladder that starts from a run with that run's size and optimiser.

    Its learning rates too: a tenth, or .3, of them brought a decoder of 213k parameters less far on other text, from
    2.43 nats to 1.98 and 1.76 in 65k tokens, against 1.57 at the whole.
    """
    base, run = resolved(asked.base)
    if run is None:
        return base
    name = asked.name.strip() or called_after(asked.task, run)
    return replace(base, name=name, optimiser=run.spec.optimiser)


def read_amount(text: str) -> tuple[str, float]:
    """Read "20 min" as ("seconds", 1200) and "1e14" as ("flops", 1e14).

    Raises
    ------
    UserError
        If it is neither, or not above 0.
    """
    if match := _TIME.match(text):
        kind, amount = "seconds", float(match[1]) * _UNIT_S[match[2][0].lower()]
    else:
        try:
            kind, amount = "flops", parse_flops(text)
        except (UserError, ValueError):
            raise UserError(f"“{text}” is no time and no FLOPs.", where="budget", fix=_AMOUNT_FIX) from None
    if not amount > 0:
        raise UserError(f"“{text}” is nothing to spend.", where="budget", fix=_AMOUNT_FIX)
    return kind, amount


def read_tokens(text: str) -> tuple[float, ...]:
    """Read "250k, 500k, 1M": the tokens of one run each.

    Raises
    ------
    UserError
        If one is no number of tokens.
    """
    fix = "Write 250k, 500k, 1M: a run for each."
    try:
        found = tuple(parse_quantity(part) for part in text.split(",") if part.strip())
    except UserError as error:
        raise UserError(error.what, where="tokens", fix=fix) from None
    if not found or not all(0 < tokens < math.inf for tokens in found):
        raise UserError(f"“{text[:60]}” holds no number of tokens above 0.", where="tokens", fix=fix)
    return found


def read_runs(text: str) -> tuple[tuple[float, float], ...]:
    """Read runs as a link has them: "95000:1000000,213000:2000000", N and D of each.

    Raises
    ------
    UserError
        If it is something else.
    """
    try:
        pairs = [tuple(float(part) for part in run.split(":")) for run in text.split(",") if run]
        if any(len(pair) != 2 or not min(pair) > 0 for pair in pairs):
            raise ValueError(text)
    except ValueError:
        raise UserError(f"“{text[:60]}” is no list of runs.", fix="Write N:D for each, with commas between.") from None
    return tuple((n, d) for n, d in pairs)


def write_runs(runs: pd.DataFrame) -> str:
    """Write the ``params`` and ``tokens`` of runs for ``read_runs``, six digits each."""
    return ",".join(f"{n:.6g}:{d:.6g}" for n, d in zip(runs["params"], runs["tokens"], strict=True))
