"""Shapes of decoders as published, and the bytes of their weights; the counting itself is in ``architecture``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from scaling_core.architecture import POSITIONS, Decoder, ParameterCount, block_parameters, count_parameters
from scaling_core.errors import UserError
from scaling_core.planning.tables import read_table

__all__ = [
    "BYTES_PER_WEIGHT",
    "POSITIONS",
    "Decoder",
    "ParameterCount",
    "PublishedShape",
    "block_parameters",
    "count_parameters",
    "published_shapes",
    "weights_bytes",
]

#: Bytes of one weight by number format.
BYTES_PER_WEIGHT = {
    "fp32": 4.0,
    "tf32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp4": 0.5,
    "int4": 0.5,
}


def weights_bytes(n_params: float, precision: str = "bf16") -> float:
    """Bytes of the weights alone in one number format.

    Raises
    ------
    UserError
        If there is no such format.
    """
    if precision not in BYTES_PER_WEIGHT:
        raise UserError(f"“{precision}” is no number format.", fix=f"Choose one of: {', '.join(BYTES_PER_WEIGHT)}.")
    return n_params * BYTES_PER_WEIGHT[precision]


@dataclass(frozen=True)
class PublishedShape:
    """The shape of a published model."""

    name: str
    params: float
    layers: int
    d_model: int
    d_ff: int
    heads: int
    source: str

    @property
    def aspect(self) -> float:
        """Width over depth."""
        return self.d_model / self.layers


@cache
def published_shapes() -> tuple[PublishedShape, ...]:
    """Shapes of published models, from 44M to 540B parameters."""
    return tuple(
        PublishedShape(
            row["name"],
            float(row["params"]),
            int(row["layers"]),
            int(row["d_model"]),
            int(row["d_ff"]),
            int(row["heads"]),
            row["source"],
        )
        for row in read_table("shapes")
    )
