"""What a model will serve over its life, and what a FLOP of serving costs beside one of training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.units import format_count, parse_quantity


@dataclass(frozen=True)
class Demand:
    """Inference over a model's life.

    Attributes
    ----------
    tokens : float
        Tokens read and written in all.
    written_share : float
        Share of them that are written one by one (decoded); the rest are read at once (prefilled).
    prefill_mfu, decode_mfu : float, optional
        Utilisation while reading and while writing, of the time that is paid for; None counts FLOPs alike, whatever
        they cost.
    speed_up : float
        How many times faster the number format of inference computes than that of training.
    """

    tokens: float = 0.0
    written_share: float = 0.5
    prefill_mfu: float | None = None
    decode_mfu: float | None = None
    speed_up: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.tokens < math.inf):
            raise UserError(f"A demand of {format_count(self.tokens)} tokens cannot be.", fix="Give 0 or more, 2T say.")
        if not 0 <= self.written_share <= 1:
            raise UserError("The share of written tokens lies between 0 and 1.", fix="0.5 counts half of them.")
        for mfu in (self.prefill_mfu, self.decode_mfu):
            if mfu is not None and not 0 < mfu <= 1:
                raise UserError(f"A utilisation of {mfu:g} cannot be.", fix="Give one above 0 and up to 1, 0.4 say.")
        if not 0 < self.speed_up < math.inf:
            raise UserError(f"A speed-up of {self.speed_up:g} cannot be.", fix="Give 2 for FP8 beside BF16, say.")

    @staticmethod
    def read_utilisation(text: str) -> float | None:
        """Read a utilisation in percent, ``15`` or ``15%``; None for nothing: then it is that of training.

        Raises
        ------
        UserError
            If it is no percentage above 0 and up to 100.
        """
        typed = text.strip().removesuffix("%").strip()
        if not typed:
            return None
        value = parse_quantity(typed)
        if value == 0:
            raise UserError(
                "At a decode utilisation of 0% no token would ever be written.",
                fix="Give a percentage above 0, 5 say, or leave it empty: then writing is as fast as training.",
            )
        if not 0 < value <= 100:
            raise UserError(
                f"A decode utilisation of {value:g}% cannot be.", fix="Give one above 0 and up to 100, 5 say."
            )
        return value / 100

    def relative_price(self, training_mfu: float) -> float:
        """What an inference FLOP costs in training FLOPs: 1 where utilisations are not told apart.

        ``training_mfu`` is that of all the time that is paid for, lost time counted.
        """
        prefill = self.prefill_mfu or training_mfu
        decode = self.decode_mfu or training_mfu
        slow = (1 - self.written_share) / prefill + self.written_share / decode
        return training_mfu * slow / self.speed_up
