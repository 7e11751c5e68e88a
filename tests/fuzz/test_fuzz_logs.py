"""Logs of trackers cut at every byte and with any byte changed: rows or a plain error, and never long."""

from __future__ import annotations

import random

import pytest
from tracker_files import (
    MLFLOW,
    TRACKIO,
    database,
    event_file,
    mlflow_rows,
    trackio_rows,
    wandb_file,
    wandb_records,
)

from scaling_core.errors import UserError
from scaling_core.runs import Upload, read

SAMPLES = {
    "events.out.tfevents.1": event_file([(tag, s, 3 - s / 8) for s in range(8) for tag in ("loss", "lr")]),
    "run.wandb": wandb_file([*wandb_records(20, None), b"\x12\x00" * 20_000, *wandb_records(3)]),
    "mlflow.db": database(("PRAGMA page_size = 512", *MLFLOW), mlflow_rows()),
    "trackio.db": database(("PRAGMA page_size = 512", *TRACKIO), trackio_rows()),
    "chart.csv": b'"Step","a - loss","a - loss__MIN","a - loss__MAX"\n0,3,3,3\n1,2.5,2.5,2.5\n',
    "table.csv": b"ID,Name,State,Created,params,loss\n1,a,finished,2026,1e6,3\n,,,,,\n2,b,crashed,2026,2e6,2\n",
}
CHANGES = 500


def rows_of(name, data):
    """Rows read; 0 where a plain error says why there are none."""
    try:
        return len(read(Upload(name, data)).frame)
    except UserError as error:
        if not (error.what and error.fix and error.where):
            raise AssertionError(f"{error!r} does not say what to do") from error
        return 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SAMPLES)
def test_cut_at_every_byte(name):
    data = SAMPLES[name]
    whole = rows_of(name, data)
    assert whole >= 2
    step = 37 if name == "run.wandb" else 1
    counts = [rows_of(name, data[:size]) for size in range(0, len(data), step)]
    assert max(counts) <= whole + 1


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SAMPLES)
def test_with_any_byte_changed(name):
    data, chance = SAMPLES[name], random.Random(name)
    for _ in range(CHANGES if name != "run.wandb" else CHANGES // 10):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 4, 16))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        assert rows_of(name, bytes(changed)) >= 0
