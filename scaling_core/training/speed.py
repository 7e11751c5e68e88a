"""How quickly this machine trains: seconds per token by size, measured or, until then, supposed.

A step costs something for every token whatever the size (norms, attention's bookkeeping, Python) and something for
every FLOP: seconds per token = a + b · FLOPs per token. Sizes that were timed correct this line near them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.spec import read

#: A forward pass is a third of the FLOPs of forward and backward, but needs no optimiser.
_FORWARD_SHARE = 0.3
#: A process that gets less than this share of its core is held up by others.
_BUSY = 0.8


@dataclass(frozen=True)
class Timed:
    """One size that was timed: FLOPs per token, forward and backward, and the seconds that a token took."""

    flops_per_token: float
    seconds_per_token: float


@dataclass(frozen=True)
class Speed:
    """How quickly one slot of a machine trains while all its slots are busy.

    Attributes
    ----------
    seconds_per_token, seconds_per_flop : float
        The line a + b · FLOPs.
    start_s : float
        From a job's start to its first step, and from its last to its end.
    timed : tuple of Timed
        Sizes that were timed, by FLOPs.
    note : str
        Where this comes from, for a person.
    measured : bool
    core_share : float
        Share of its core that a run had while it was timed; other work took the rest.
    """

    seconds_per_token: float
    seconds_per_flop: float
    start_s: float
    timed: tuple[Timed, ...] = ()
    note: str = ""
    measured: bool = False
    core_share: float = 1.0

    @property
    def was_disturbed(self) -> bool:
        """Whether other work held the runs up while they were timed, so that it is worth timing again."""
        return self.core_share < _BUSY

    def per_token(self, flops_per_token: float) -> float:
        """Seconds of one training token at a size."""
        line = self.seconds_per_token + self.seconds_per_flop * flops_per_token
        if not self.timed:
            return line
        at = np.log([t.flops_per_token for t in self.timed])
        off = [np.log(t.seconds_per_token / self._line(t.flops_per_token)) for t in self.timed]
        return float(line * np.exp(np.interp(np.log(flops_per_token), at, off)))

    def seconds(self, tokens: float, flops_per_token: float, validated: float = 0.0) -> float:
        """Seconds of a job that trains on ``tokens`` and looks at ``validated`` tokens without training."""
        return self.start_s + (tokens + _FORWARD_SHARE * validated) * self.per_token(flops_per_token)

    def _line(self, flops_per_token: float) -> float:
        return self.seconds_per_token + self.seconds_per_flop * flops_per_token

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Speed:
        """Read ``to_json`` back; raises UserError if it is something else."""
        try:
            return read(cls, json.loads(text))
        except ValueError as error:
            raise UserError(f"This is no measured speed ({error}).", fix="Measure it again.") from None


def speed_of(timed: list[Timed], start_s: float, note: str) -> Speed:
    """The line through timed sizes, least squares of relative errors with neither part below 0.

    Raises
    ------
    UserError
        If nothing was timed.
    """
    if not timed:
        raise UserError("No size was timed.", fix="Measure again.")
    from scaling_core.laws.projection import nonnegative_least_squares  # brings pandas, which no worker needs

    timed = sorted(timed, key=lambda t: t.flops_per_token)
    seconds = np.array([t.seconds_per_token for t in timed])
    flops = np.array([t.flops_per_token for t in timed])
    (a, b), *_ = nonnegative_least_squares(np.stack([1 / seconds, flops / seconds], axis=1)[None], np.ones(len(timed)))
    return Speed(float(a), float(b), start_s, tuple(timed), note, measured=True)


#: One core of an ordinary x86 server with AVX2, both cores busy: 16/2 to 96/5 decoders in steps of 1,024 tokens.
SUPPOSED = Speed(
    9e-6, 22e-12, 1.5, note="This machine has not been measured: times are those of an ordinary server core."
)
