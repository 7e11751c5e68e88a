"""Files of every format, damaged in every way: what reading them may answer, and nothing else.

    .venv/bin/python -m tests.fuzz_readers --seconds 60
    .venv/bin/python -m tests.fuzz_readers --seed 1234

A seed makes one case: a sample of a format and what was done to it. The answer must be a table or an error in words,
within a limit of memory and of time. ``SAMPLES`` hold a file for every reader; a test asserts that none is missing.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import gzip
import io
import json
import random
import resource
import signal
import sys
import tarfile
import time
import traceback
import zipfile
from functools import cache
from pathlib import Path

import pandas as pd
import zstandard

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "unit" / "runs")]

import log_samples as logs  # noqa: E402
import tracker_files as trackers  # noqa: E402

from scaling_core.errors import UserError  # noqa: E402
from scaling_core.runs import READERS, RunTable, Upload, load  # noqa: E402
from scaling_core.runs.readers import recognise  # noqa: E402

#: What reading one small damaged file may take at most: seconds, and bytes beyond what the process has.
SECONDS, BYTES = 30, 2 * 2**30
_TABLE = pd.DataFrame(
    {"run": ["a", "a", "b"], "params": [1e6, 1e6, 2e6], "tokens": [1e8, 2e8, 2e8], "step": [1, 2, 2],
     "loss": [3.0, 2.8, 2.5], "lr": [0.1, 0.2, 0.1]}
)  # fmt: skip
_BUILD_NANOGPT = b"""\
total desired batch size: 524288
num decayed parameter tensors: 50, with 124,354,560 parameters
num non-decayed parameter tensors: 98, with 121,344 parameters
validation loss: 10.9504
step     0 | loss: 10.955029 | lr 8.3916e-07 | norm: 15.3662 | dt: 12345.67ms | tok/sec: 42466.34
step     1 | loss: 10.650000 | lr 1.6783e-06 | norm: 12.2571 | dt: 345.67ms | tok/sec: 1516725.12
"""
_CURVES = [
    {"name": "a", "n_params": 1e6, "tokens": 3e8, "losses": [4.0, 3.5, 3.25], "val_losses": [3.75], "betas": [0.9, 1]},
    {"name": "b", "n_params": 4e6, "final_loss": 3.0, "log": [{"step": 1, "loss": 4.0}, {"step": 2, "loss": 3.0}]},
    {"name": "c", "n_params": 9e6, "steps": [1, 2], "curve": [[1, 4.0], [2, 3.5]], "results": {"losses": [3, 2]}},
]
_EXPORTED = {"columns": list(_TABLE), "not_finite": {"lr": {"inf": [0], "-inf": [2]}}, "data": _TABLE.values.tolist()}
_HUGE = (b"9" * 400, b"\x00" * 64, b"\xff" * 9, b"\n" * 50, b'"', b"1e999", b"-", b"\xe2\x82", b"[" * 3000, b"{" * 3000,
         b"inf", b"nan", b",", b"\r", b"\t", b"\xef\xbb\xbf", b"\xff\xfe", b"A" * 70_000)  # fmt: skip


@cache
def samples() -> dict[str, bytes]:
    """A small file of every format, by name."""
    csv = _TABLE.to_csv(index=False).encode()
    made = {
        "table.csv": csv,
        "table.tsv": _TABLE.to_csv(index=False, sep="\t").encode(),
        "quoted.csv": b'"run";"params";"tokens";"loss"\r\n"a ""x""";"1,5e6";"1,0e8";"3,1"\r\n"b";"2e6";"2e8";"2,9"\r\n',
        "utf16.csv": csv.decode().encode("utf-16"),
        "rows.jsonl": _TABLE.to_json(orient="records", lines=True).encode(),
        "rows.json": _TABLE.to_json(orient="records").encode(),
        "split.json": _TABLE.to_json(orient="split").encode(),
        "table.parquet": _bytes(_TABLE.to_parquet),
        "table.xlsx": _bytes(lambda sink: _TABLE.to_excel(sink, index=False)),
        "events.out.tfevents.1": trackers.event_file([(tag, s, 3 - s / 8) for s in range(8) for tag in ("loss", "n")]),
        "run.wandb": trackers.wandb_file(trackers.wandb_records(20, None)),
        "mlflow.db": trackers.database(("PRAGMA page_size = 512", *trackers.MLFLOW), trackers.mlflow_rows()),
        "trackio.db": trackers.database(("PRAGMA page_size = 512", *trackers.TRACKIO), trackers.trackio_rows()),
        "run-a-tag-loss.csv": b"Wall time,Step,Value\n1735689600.5,1,3.5\n1735689601.5,2,3.25\n",
        "chart.csv": b'"Step","a - loss","a - loss__MIN","a - loss__MAX"\n0,3,3,3\n1,2.5,2.5,2.5\n',
        "runs.csv": b"ID,Name,State,Created,params,loss\n1,a,finished,2026,1e6,3\n,,,,,\n2,b,crashed,2026,2e6,2\n",
        "trainer_state.json": logs.trainer_state().encode(),
        "nanogpt.log": logs.NANOGPT.encode(),
        "litgpt.log": logs.LITGPT.encode(),
        "nanochat.log": logs.NANOCHAT.encode(),
        "modded.log": logs.MODDED.encode(),
        "megatron.log": logs.MEGATRON.encode(),
        "olmo.log": logs.OLMO.encode(),
        "olmo_core.log": logs.OLMO_CORE.encode(),
        "autoresearch.log": logs.autoresearch(5).encode(),
        "titan.log": logs.TITAN.encode(),
        "main.log": logs.LLMC_FILED.encode(),
        "llmc.log": logs.LLMC.encode(),
        "trainer.log": logs.trainer_printed(30).encode(),
        "bars.log": logs.bars_with_loss().encode(),
        "build.log": _BUILD_NANOGPT,
        "report.md": b"# Runs\n\n| run | params | loss |\n|---|---|---|\n| a | 1e6 | 3.0 |\n| b | 2e6 | 2.5 |\n",
        "summaries.txt": logs.SUMMARIES.encode(),
        "curves.json": json.dumps(_CURVES).encode(),
        "curves.jsonl": b"\n".join(json.dumps(run).encode() for run in _CURVES),
        "exported.json": json.dumps(_EXPORTED).encode(),
        "sheets.xlsx": _bytes(_sheets),
        "metrics.csv": logs.LIGHTNING.encode(),
        "litgpt.csv": logs.LITGPT_CSV.encode(),
        "keras.csv": logs.KERAS.encode(),
    }
    return made | _packed(csv, made)


def _packed(csv: bytes, made: dict[str, bytes]) -> dict[str, bytes]:
    inside = {"a/metrics.csv": logs.LIGHTNING.encode(), "a/hparams.yaml": logs.HPARAMS.encode(), "b/table.csv": csv,
              "b/config.toml": b"tokens_per_step = 4096\n[model]\nn_layer = 2\n"}  # fmt: skip
    inside |= {f"mlruns/{path}": text.encode() for path, text in trackers.mlruns_files().items()}
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in inside.items():
            archive.writestr(name, data)
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        for name, data in inside.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return {
        "table.csv.gz": gzip.compress(csv), "table.csv.zst": zstandard.compress(csv),
        "folder.zip": zipped.getvalue(), "folder.tar.gz": tarred.getvalue(),
        "state.json.gz": gzip.compress(made["trainer_state.json"]),
    }  # fmt: skip


def _bytes(write) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def _sheets(sink: io.BytesIO) -> None:
    with pd.ExcelWriter(sink) as book:
        for title in ("first", "second"):
            _TABLE.to_excel(book, sheet_name=title, index=False)


def readers_met() -> set[str]:
    """Names of the readers that take one of the samples."""
    packed = (".gz", ".zst", ".zip")
    return {recognise(Upload(n, d)).reader.name for n, d in samples().items() if not n.endswith(packed)}


def case(seed: int) -> Upload:
    """One damaged file."""
    chance = random.Random(seed)
    names = sorted(samples())
    name = names[seed % len(names)]
    data = samples()[name]
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = damaged(data, chance)
    if chance.random() < 0.1:  # the content decides, whatever the name says
        name = chance.choice(names)
    return Upload(name, data)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut, overwrite, repeat, remove or add something."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    short = data[a : min(b, a + 64)]
    way = chance.randrange(7)
    if way == 0:
        return data[:a]
    if way == 1:
        changed = bytearray(data)
        for _ in range(chance.choice((1, 4, 16)) if changed else 0):
            changed[chance.randrange(len(changed))] = chance.choice((0, 255, 127, chance.randrange(256)))
        return bytes(changed)
    if way == 2:
        return data[:a] + short * chance.choice((2, 50)) + data[a:]
    if way == 3:
        return data[:a] + data[min(b, a + 64) :]
    if way == 4:
        return data[:a] + chance.choice(_HUGE) + data[a:]
    if way == 5:
        other = samples()[chance.choice(sorted(samples()))]
        c = chance.randrange(len(other) + 1)
        return data[:a] + other[c : c + 512] + data[a:]
    return data[b:] + data[:a]


def answer(upload: Upload) -> RunTable | UserError:
    """Read a file.

    Raises
    ------
    AssertionError
        If the table contradicts itself, or the error does not say what is wrong.
    """
    try:
        table = load([upload])
    except UserError as error:
        if not error.what:
            raise AssertionError("an error without words") from error
        return error
    assert len(table.frame), "a table without rows"
    assert table.frame.index.equals(pd.RangeIndex(len(table.frame)))
    assert table.frame["is_final"].dtype == bool
    assert not table.frame["run"].isna().any()
    assert not (table.frame[["params", "tokens", "flops", "loss"]] <= 0).any(axis=None)
    assert table.digest == load([upload]).digest, "another table the second time"
    return table


def limited(seconds: int = SECONDS, more_bytes: int = BYTES) -> None:
    """Limit the memory of this process, and let an alarm end a case that takes too long."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    signal.signal(signal.SIGALRM, late)


def main() -> int:
    """Run cases for a time, or one; print what was answered, and every case that was not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    faulthandler.enable()
    samples()
    limited()
    counts: collections.Counter[str] = collections.Counter()
    slowest, begun, seed = (0.0, 0), time.monotonic(), options.start if options.seed is None else options.seed
    while (options.seed is None and time.monotonic() - begun < options.seconds) or seed == options.seed:
        made, start = case(seed), time.monotonic()
        signal.alarm(SECONDS)
        try:
            counts["an error in words" if isinstance(answer(made), UserError) else "a table"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            counts["FAILED"] += 1
            print(f"seed {seed}, {made.name}, {len(made.data):,} bytes: {type(error).__name__}: {str(error)[:200]}")
            print("   " + "   ".join(traceback.format_exception(error)[-3:]), flush=True)
        signal.alarm(0)
        slowest = max(slowest, (time.monotonic() - start, seed))
        seed += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{sum(counts.values()):,} damaged files of {len(samples())} samples and {len(READERS)} readers: "
          f"{dict(counts)}; slowest {slowest[0]:.2f} s (seed {slowest[1]}), peak {peak:,.0f} MiB")  # fmt: skip
    return int(counts["FAILED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
