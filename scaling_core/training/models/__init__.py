"""Families of networks. A new one is a module that states a ``Family``, and one entry here."""

from __future__ import annotations

from scaling_core.errors import UserError
from scaling_core.training.models.base import Counts, DataShape, Family
from scaling_core.training.models.convnet import CONVNET
from scaling_core.training.models.decoder import DECODER
from scaling_core.training.models.encoder import ENCODER

MODELS: dict[str, Family] = {family.name: family for family in (DECODER, ENCODER, CONVNET)}

__all__ = ["MODELS", "Counts", "DataShape", "Family", "family"]


def family(name: str) -> Family:
    """Return the family of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    if name not in MODELS:
        raise UserError(f"There is no model family “{name}”.", fix=f"Known: {', '.join(sorted(MODELS))}.")
    return MODELS[name]
