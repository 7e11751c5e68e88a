"""Let Keras train small models and log to CSV: ``KERAS_BACKEND=torch python -m written_by.keras_runs FOLDER``.

``small.csv`` is of one sitting; ``large.log``, with semicolons, of two sittings into one file; ``rare.csv`` validates
at every second epoch alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np


def write(folder: Path) -> None:
    """Train them."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (x.sum(1) > 0).astype("int32")

    def train(width: int, file: str, separator: str, sittings: list[tuple[int, int]], every: int) -> None:
        model = keras.Sequential([keras.layers.Dense(width, "relu"), keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        for first, end in sittings:
            log = keras.callbacks.CSVLogger(str(folder / file), separator=separator, append=first > 0)
            held = {"validation_split": 0.25, "validation_freq": every}
            model.fit(x, y, initial_epoch=first, epochs=end, verbose=0, callbacks=[log], **held)

    train(4, "small.csv", ",", [(0, 5)], 1)
    train(16, "large.log", ";", [(0, 3), (3, 6)], 1)
    train(8, "rare.csv", ",", [(0, 6)], 2)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
