"""Bits per byte beside the figures of an earlier sweep, and how hard the held-out files are.

    python -m benchmarks.table                     two small cells, about a minute
    python -m benchmarks.table 32/2:2M 96/5:1M     those asked for
    python -m benchmarks.table all --plain         every cell, and a plain GPT-2-style loop

What a model reaches depends on the files it is measured on, and those of the earlier sweep are not known. So every
model is measured on three sets of files that it never saw: ours, a second one of the same kind and a larger one. How
far they lie apart is how much of a difference from the printed figure may be the files alone.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import math
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks._machine import machine
from benchmarks._plain_gpt import PlainLoop
from benchmarks.training import BATCH, CONTEXT, CPU, Ours, plain, train
from scaling_core.training.data.corpus import rank_of
from scaling_core.training.data.stdlib import library_files
from scaling_core.training.data.windows import Windows
from scaling_core.training.evaluate import evaluate
from scaling_core.training.precision import FP32
from scaling_core.training.spec import ModelSpec
from scaling_core.units import parse_quantity

#: Bits per byte on held-out files by width/layers, for each number of tokens: an earlier sweep on two processor cores
#: with a decoder of the same sizes, on the standard library's source as well. N is blocks and head.
BUDGETS = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
PRINTED = {
    "16/2": (3.391, 3.077, 2.811, 2.684, 2.604),
    "32/2": (3.084, 2.645, 2.372, 2.209, 2.106),
    "48/3": (2.928, 2.423, 2.116, 1.930, 1.815),
    "64/4": (2.899, 2.324, 2.004, 1.815, 1.687),
    "96/5": (2.691, 2.162, 1.866, 1.696, 1.571),
}
#: What a plain GPT-2-style loop with a cosine came to in the same sweep: width/layers, tokens, bits per byte.
PRINTED_PLAIN = ("64/3", 750_000, 3.08)
PLAIN_RATES = (1e-3, 3e-3)
DEFAULT = ("16/2:500k", "32/2:500k")

#: One file in so many is held out, by the hash of its name, and these of them are ours, the second and the larger set.
ONE_IN = 20
SETS = {"ours": (0,), "second": (10,), "larger": (0, 5, 10, 15)}
VALIDATION_ROWS = 131_072 // CONTEXT
#: Compressors are given the text in pieces of this many bytes, so that the size of a set tells nothing.
PIECE = 32_768


@dataclass(frozen=True)
class Split:
    """Bytes to train on, and sets of files that nothing here is trained on."""

    training: np.ndarray
    held_out: dict[str, np.ndarray]

    def windows(self, name: str) -> Windows:
        """The training text, validated on one of the sets."""
        return Windows(self.training, self.held_out[name], CONTEXT, 0, VALIDATION_ROWS, {})


def split_files() -> Split:
    """Split the standard library's files; whatever is in any set is left out of training."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(library_files(root), key=lambda path: path.relative_to(root).as_posix())
    places = {path: rank_of(path.relative_to(root).as_posix()) % ONE_IN for path in files}
    unseen = {place for chosen in SETS.values() for place in chosen}
    training = _joined([path for path in files if places[path] not in unseen])
    return Split(training, {n: _joined([p for p in files if places[p] in chosen]) for n, chosen in SETS.items()})


def _joined(files: list[Path]) -> np.ndarray:
    return np.frombuffer(b"".join(path.read_bytes() for path in files), np.uint8)


def by_compressor(data: np.ndarray, squeeze: Callable[[bytes], bytes], most: int = 64) -> float:
    """Bits per byte of at most so many pieces, each compressed alone, evenly over ``data``."""
    pieces = max(1, data.size // PIECE)
    chosen = np.linspace(0, pieces - 1, min(most, pieces)).astype(int)
    parts = [data[i * PIECE : (i + 1) * PIECE].tobytes() for i in chosen]
    return 8 * sum(len(squeeze(part)) for part in parts) / sum(map(len, parts))


def report_difficulty(split: Split) -> None:
    """Print how far compressors get on each set and on the text that is trained on."""
    print(f"{'files':10} {'bytes':>12} {'gzip':>7} {'xz':>7}   bits per byte, pieces of {PIECE // 1024} KiB")
    for name, data in {**split.held_out, "training": split.training}.items():
        found = (by_compressor(data, squeeze) for squeeze in (gzip.compress, lzma.compress))
        print(f"{name:10} {data.size:12,} " + " ".join(f"{bits:7.3f}" for bits in found))


def measured(loop: Ours | PlainLoop, split: Split, steps: int) -> dict[str, float]:
    """Train for so many steps; bits per byte on each set."""
    train(loop, split.windows("ours"), steps)
    return {
        name: float(evaluate(loop.module, split.windows(name), FP32, CPU)["bits_per_byte"]) for name in split.held_out
    }


def shape_of(size: str) -> ModelSpec:
    """The decoder of a width/layers."""
    width, layers = map(int, size.split("/"))
    return ModelSpec(width=width, layers=layers)


def report_cell(size: str, tokens: int, split: Split) -> float:
    """Train one cell of the table, print it, and return how far ours is from the printed figure."""
    steps = math.ceil(tokens / BATCH)
    found = measured(Ours(shape_of(size), split.windows("ours"), steps, FP32), split, steps)
    printed = PRINTED[size][BUDGETS.index(tokens)]
    columns = " ".join(f"{bits:8.3f}" for bits in found.values())
    off = found["ours"] - printed
    print(f"{size:>6} {tokens:>10,} {printed:8.3f} {columns} {off:+11.3f}", flush=True)
    return off


def report_plain(split: Split) -> None:
    """Print what a plain loop reaches on these files beside what the earlier sweep printed for one."""
    size, tokens, printed = PRINTED_PLAIN
    steps = math.ceil(tokens / BATCH)
    for rate in PLAIN_RATES:
        found = measured(plain(shape_of(size), rate, steps), split, steps)
        columns = " ".join(f"{bits:8.3f}" for bits in found.values())
        off = found["ours"] - printed
        print(f"{size:>6} {tokens:>10,} {printed:8.3f} {columns} {off:+11.3f}   plain GPT-2 style, rate {rate:g}")


def cells(asked: list[str]) -> list[tuple[str, int]]:
    """Read "32/2:1M" and the like; "all" is every cell.

    Raises
    ------
    SystemExit
        For a cell that the table does not have.
    """
    if asked == ["all"]:
        return [(size, tokens) for tokens in BUDGETS for size in PRINTED]
    found = []
    for text in asked:
        size, _, number = text.partition(":")
        tokens = int(parse_quantity(number)) if number else 0
        if size not in PRINTED or tokens not in BUDGETS:
            raise SystemExit(f"“{text}” is no cell: sizes {', '.join(PRINTED)}; tokens 250k, 500k, 1M, 2M, 4M.")
        found.append((size, tokens))
    return found


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table")
    parser.add_argument("cells", nargs="*", default=DEFAULT, help='cells such as "32/2:1M", or "all"')
    parser.add_argument("--plain", action="store_true", help="a plain GPT-2-style loop as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine() + f", torch {torch.__version__}, 1 thread")
    split = split_files()
    report_difficulty(split)
    print(f"\n{'size':>6} {'tokens':>10} {'printed':>8} " + " ".join(f"{n:>8}" for n in SETS) + "  difference")
    asked = cells(list(options.cells))
    off = [report_cell(size, tokens, split) for size, tokens in asked]
    print(f"{sum(o <= 0 for o in off)} of {len(off)} at or below the printed figure on our files")
    if options.plain:
        report_plain(split)


if __name__ == "__main__":
    main()
