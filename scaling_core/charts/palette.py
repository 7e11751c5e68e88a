"""The colours of every chart, for light and dark ground. Categories are Okabe and Ito's, safe for colour-blind eyes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours by the part they play.

    Attributes
    ----------
    ink, muted : str
        The frontier and text; what stands back.
    accent : str
        The budget marker and read-outs.
    ground : str
        Where a law extrapolates.
    warning : str
        A doubt that a person must see.
    categories : tuple of str
        Laws and scenarios.
    sequence : tuple of str
        Model size, from small to large.
    """

    background: str
    ink: str
    muted: str
    accent: str
    ground: str
    warning: str
    categories: tuple[str, ...]
    sequence: tuple[str, ...]


LIGHT = Palette(
    background="#FFFFFF",
    ink="#1B2430",
    muted="#5B6470",
    accent="#0072B2",
    ground="#8A94A0",
    warning="#B34700",
    categories=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B6470"),
    sequence=(
        "#A3DBB8", "#7ECFBA", "#59BFC0", "#3BA9C4", "#2B8FBE", "#2474B2", "#215AA2", "#1F418C", "#1C2B72", "#171A55",
    ),
)  # fmt: skip
DARK = Palette(
    background="#11161D",
    ink="#E7EBF0",
    muted="#A9B4C0",
    accent="#56B4E9",
    ground="#A9B4C0",
    warning="#F0A04B",
    categories=("#56B4E9", "#E69F00", "#2BBF94", "#DE94BE", "#F07A2E", "#F0E442", "#A9B4C0"),
    sequence=(
        "#F6F8CF", "#D5EDBE", "#AFE0B8", "#86D1BB", "#5FBEC5", "#46A8D0", "#4390D6", "#4C78D3", "#5A62C9", "#674EBA",
    ),
)  # fmt: skip


def spread(colours: tuple[str, ...], count: int) -> list[str]:
    """Pick ``count`` colours evenly from a sequence, ends included."""
    if count <= 1:
        return [colours[len(colours) * 2 // 3]]
    last = len(colours) - 1
    return [colours[round(i * last / (count - 1))] for i in range(count)]
