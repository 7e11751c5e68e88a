"""What a run is to be: one frozen specification, the same in a TOML file, a job and a run folder."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeVar

from scaling_core.errors import UserError

Schedule = Literal["wsd", "cosine", "constant"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class ModelSpec:
    """Which network, how large.

    Attributes
    ----------
    family : str
        A name in ``scaling_core.training.models.MODELS``: "decoder", "encoder" or "convnet".
    width, layers : int
        Width of the residual stream, or channels of the first stage; and blocks.
    heads : int
        Attention heads; 0 lets the family choose, 16 to 64 of the width for each.
    context : int
        Tokens that the network sees at once.
    """

    family: str = "decoder"
    width: int = 64
    layers: int = 3
    heads: int = 0
    context: int = 128


@dataclass(frozen=True)
class DataSpec:
    """What is learned from.

    Attributes
    ----------
    source : str
        A name in ``scaling_core.training.data.SOURCES``: "stdlib", "text", "markov", "snippets", "digits", "shapes".
    path : str
        A text file or a folder, for the source "text".
    seed : int
        Order of the data, and what a made source makes.
    validation_tokens : int
        Size of the fixed validation windows; examples, where the data are not text.
    order : int
        Of the source "markov": how many symbols the next one depends on.
    """

    source: str = "stdlib"
    path: str = ""
    seed: int = 0
    validation_tokens: int = 131_072
    order: int = 1


@dataclass(frozen=True)
class OptimiserSpec:
    """How the weights move.

    Attributes
    ----------
    matrix_lr : float
        Learning rate of Muon, for the matrices of the blocks.
    other_lr : float
        Learning rate of AdamW, for everything else.
    weight_decay : float
    batch_tokens : int
        Tokens of a step, over all devices and parts; examples, where the data are not text.
    accumulate : int
        Parts that a step's batch is worked through in.
    warmup_steps : int
    schedule : {"wsd", "cosine", "constant"}
    cooldown : float
        Share of the tokens over which "wsd" falls linearly to 0.
    clip : float
        Largest norm of the gradient; 0 leaves it.
    early_stopping : int
        Looks at the validation loss without an improvement before the run ends; 0 never ends it early, as a scaling
        law wants: a run that ended early has other tokens than its plan.
    """

    matrix_lr: float = 0.01
    other_lr: float = 0.02
    weight_decay: float = 0.0
    batch_tokens: int = 1024
    accumulate: int = 1
    warmup_steps: int = 20
    schedule: Schedule = "wsd"
    cooldown: float = 0.25
    clip: float = 1.0
    early_stopping: int = 0


@dataclass(frozen=True)
class StartSpec:
    """A checkpoint that a run goes on from.

    Attributes
    ----------
    folder : str
        Run folder; empty starts from nothing. Relative ones lie beside this run's folder.
    tokens : int
        The kept checkpoint at so many tokens; 0 is the last.
    kind : {"branch", "fine-tune"}
        "branch" goes on in every way (weights, optimiser, position in the data): the cool-down of a trunk.
        "fine-tune" takes the weights alone, for other data; its run is marked as such.
    """

    folder: str = ""
    tokens: int = 0
    kind: Literal["branch", "fine-tune"] = "branch"


@dataclass(frozen=True)
class TrainSpec:
    """One run.

    Attributes
    ----------
    name : str
    tokens : int
        Tokens that it ends at, those of the trunk that it branched from included; examples, where data are not text.
        Rounded up to whole steps.
    model, data, optimiser, start
    seed : int
        Of the initial weights.
    device : str
        "auto" (the slot's, else the best there is), "cpu", "cuda", "cuda:1", "mps" ...
    precision : {"auto", "fp32", "bf16", "fp16"}
        "auto" takes bf16 where the hardware has units for it.
    compile : bool or None
        ``torch.compile``; None where it pays.
    processes : int
        Processes of one run under torchrun (DDP), one a device; 1 is a plain process.
    role : {"run", "trunk"}
        A trunk is not a run of the ladder: it never cools down, others branch off it.
    keep_at : tuple of int
        Tokens at which a checkpoint is kept for others to start from.
    log_every : int
        Steps between two lines of metrics; 0 gives about 200 lines.
    validate_every : int
        Steps between two looks at the validation windows; 0 looks at the end, and at about ten places before.
    checkpoint_every_s : float
    """

    name: str
    tokens: int
    model: ModelSpec = field(default_factory=ModelSpec)
    data: DataSpec = field(default_factory=DataSpec)
    optimiser: OptimiserSpec = field(default_factory=OptimiserSpec)
    start: StartSpec = field(default_factory=StartSpec)
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool | None = None
    processes: int = 1
    role: Literal["run", "trunk"] = "run"
    keep_at: tuple[int, ...] = ()
    log_every: int = 0
    validate_every: int = 0
    checkpoint_every_s: float = 15.0

    def __post_init__(self) -> None:
        positive = {
            "tokens": self.tokens, "width": self.model.width, "layers": self.model.layers,
            "context": self.model.context, "batch_tokens": self.optimiser.batch_tokens,
            "accumulate": self.optimiser.accumulate, "processes": self.processes,
        }  # fmt: skip
        for name, value in positive.items():
            if value < 1:
                raise UserError(f"“{name}” must be at least 1, not {value}.", where=self.name)
        if not 0 <= self.optimiser.cooldown <= 1:
            raise UserError("“cooldown” is a share between 0 and 1.", where=self.name)

    @property
    def steps(self) -> int:
        """Steps from nothing to the end, a trunk's included."""
        return math.ceil(self.tokens / self.optimiser.batch_tokens)

    @property
    def schedule_steps(self) -> int | None:
        """Steps that the schedule knows of: a trunk has no end."""
        return None if self.role == "trunk" else self.steps

    def to_json(self) -> str:
        """The specification as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> TrainSpec:
        """Read ``to_json`` back.

        Raises
        ------
        UserError
            If it is no specification: the message names the field.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise UserError(f"This is not JSON ({error}).") from None
        return read(cls, data)


Record = TypeVar("Record")


def read(kind: type[Record], data: object, where: str = "") -> Record:
    """Make a (nested) dataclass of JSON or TOML values, and say which field is wrong.

    Raises
    ------
    UserError
        For a field that does not exist, is missing or has a value of another type.
    """
    if not isinstance(data, Mapping):
        raise UserError("A table of fields is expected.", where=where or kind.__name__)
    types_of = typing.get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # every kind here is a dataclass
    if unknown := sorted(set(data) - known):
        raise UserError(f"There is no field “{unknown[0]}”.", where=where, fix=f"Known: {', '.join(sorted(known))}.")
    values = {name: _value(types_of[name], value, f"{where}.{name}".strip(".")) for name, value in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise UserError(f"Fields are missing ({error}).", where=where or kind.__name__) from None


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return read(typing.cast(type, kind), value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], item, where) for item in value)
    if origin is Literal and value in arguments:
        return value
    if origin in (typing.Union, types.UnionType):
        return value if value is None and type(None) in arguments else _value(arguments[0], value, where)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if kind is int and isinstance(value, int | float) and not isinstance(value, bool) and value == math.floor(value):
        return int(value)
    if kind in (str, bool) and isinstance(value, kind):
        return value
    expected = " or ".join(map(repr, arguments)) if origin is Literal else getattr(kind, "__name__", str(kind))
    raise UserError(f"{value!r} is no value for it; {expected} is expected.", where=where)
