"""Rows a second and peak memory of reading logs, beside what else reads them.

    .venv/bin/python -m benchmarks.readers [--rows 1000000] [--scalars 100000]

Each reading is a process of its own: the time is that of the reading alone, without imports; the memory is the peak
beyond what the imports took (Linux). Ways are taken in turn, and the least of their times count: that on the clock,
and that of all processors together, which other work on the machine changes little. Ours is the whole way from the
file to a table of runs, with its curves, and, where said, on to the chart of the runs; pandas gives the cells only.
Of TensorBoard ours counts steps, of two scalars each; tbparse and EventAccumulator, which keeps 10,000 points of a
tag, count scalars.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._machine import is_installed, machine

_OURS = ("from scaling_core.runs import Upload, load",
         "t = load([Upload.from_path(path)], max_bytes=2**33); n = max(len(t.frame), len(t.curves))")  # fmt: skip
#: What to import, and what to time; ``n`` is how many rows or points there were.
READINGS = {
    "ours": _OURS,
    "ours, to the chart": (
        f"{_OURS[0]}\nfrom scaling_core.charts.axes import View\nfrom scaling_core.charts.palette import LIGHT\n"
        "from scaling_core.charts.runs import runs_chart",
        f"{_OURS[1]}; view = View('flops', 'loss', True, True, '')\n"
        "runs_chart(t.frame.assign(role='fitted'), view, 'params', LIGHT).spec()",
    ),
    "ours, with the digest": (_OURS[0], f"{_OURS[1]}; t.digest"),
    "pandas, pyarrow engine": ("import pandas as pd, pyarrow.csv", "n = len(pd.read_csv(path, engine='pyarrow'))"),
    "pandas, default engine": ("import pandas as pd", "n = len(pd.read_csv(path))"),
    "pandas, Parquet": ("import pandas as pd, pyarrow.parquet", "n = len(pd.read_parquet(path))"),
    "pandas, JSON lines": ("import pandas as pd", "n = len(pd.read_json(path, lines=True))"),
    "tbparse": ("from tbparse import SummaryReader", "n = len(SummaryReader(path).scalars)"),
    "EventAccumulator": (
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator",
        "a = EventAccumulator(path).Reload(); n = sum(len(a.Scalars(t)) for t in a.Tags()['scalars'])",
    ),
}
_CHILD = """
import json, sys, time
from pathlib import Path
path = sys.argv[1]
{imports}
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
Path("/proc/self/clear_refs").write_text("5")  # the peak of what started this process is not ours
before, start, used = peak(), time.perf_counter(), time.process_time()
{work}
print(json.dumps([n, time.perf_counter() - start, time.process_time() - used, peak() - before]))
"""


def main() -> None:
    """Write files, read each in every way, and print a line a reading."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scalars", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for title, path, ways in _files(Path(folder), options.rows, options.scalars):
            size = path.stat().st_size / 2**20
            print(f"\n{title}, {size:,.1f} MiB")
            _report(ways, path, size, options.repeats)


def _files(folder: Path, rows: int, scalars: int) -> list[tuple[str, Path, list[str]]]:
    frame = _log(rows, 500)
    frame.to_csv(folder / "log.csv", index=False)
    frame.to_parquet(folder / "log.parquet")
    few = frame.head(rows // 10)
    few.to_json(folder / "log.jsonl", orient="records", lines=True)
    found = [
        (
            f"CSV, {rows:,} rows",
            folder / "log.csv",
            ["pandas, pyarrow engine", "ours", "ours, to the chart", "ours, with the digest", "pandas, default engine"],
        ),
        (f"Parquet, {rows:,} rows", folder / "log.parquet", ["pandas, Parquet", "ours", "ours, to the chart"]),
        (f"JSON lines, {len(few):,} rows", folder / "log.jsonl", ["pandas, JSON lines", "ours"]),
    ]
    if is_installed("tensorboard"):
        events = folder / "events.out.tfevents.1"
        _write_events(events, scalars)
        beside = ["EventAccumulator", *(["tbparse"] if is_installed("tbparse") else [])]
        found.append((f"TensorBoard, {scalars:,} scalars", events, ["ours", *beside]))
    return found


def _log(rows: int, runs: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    step = np.tile(np.arange(1, rows // runs + 1) * 10, runs)
    run = np.repeat(np.arange(runs), rows // runs)
    params = np.exp(rng.uniform(np.log(1e7), np.log(1e9), runs)).round()[run]
    tokens = step * 524_288.0
    loss = 1.69 + 406 / params**0.34 + 410 / tokens**0.28 + rng.normal(0, 0.01, len(run))
    return pd.DataFrame({
        "run": np.char.add("run-", run.astype(str)), "step": step, "params": params.astype("int64"),
        "tokens": tokens.astype("int64"), "loss": loss, "grad_norm": rng.lognormal(0, 0.3, len(run)),
        "lr": 3e-4 * np.cos(step / step.max()), "seconds": step * 0.731 + rng.random(len(run)),
    })  # fmt: skip


def _write_events(path: Path, scalars: int) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    with path.open("wb") as sink:
        writer = RecordWriter(sink)
        writer.write(Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString())
        for i in range(scalars):
            value = Summary.Value(tag=("loss", "tokens")[i % 2], simple_value=2 + 1 / (1 + i) + i % 2 * i)
            writer.write(Event(wall_time=1.7e9 + i, step=i // 2, summary=Summary(value=[value])).SerializeToString())


def _report(ways: list[str], path: Path, size: float, repeats: int) -> None:
    """Print a line a way, with its times beside those of the first."""
    read: dict[str, list[list[float]]] = {way: [] for way in ways}
    for way in [*ways] * repeats:
        imports, work = READINGS[way]
        command = [sys.executable, "-c", _CHILD.format(imports=imports, work=work), str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"  {way:24} failed: {run.stderr.strip().splitlines()[-1][:100]}")
        else:
            read[way].append(json.loads(run.stdout.splitlines()[-1]))
    first: list[float] = []
    for way, runs in ((way, runs) for way, runs in read.items() if runs):
        n, wall, used = runs[0][0], min(r[1] for r in runs), min(r[2] for r in runs)
        first = first or [wall, used]
        peak = max(r[3] for r in runs)
        print(
            f"  {way:24} {n:>10,} rows {wall:7.2f} s ({wall / first[0]:.2f} ×) {used:7.2f} s of processors "
            f"({used / first[1]:.2f} ×) {n / wall:12,.0f} rows/s  peak {peak:7,.0f} MiB ({peak / size:.1f} × the file)",
            flush=True,
        )


if __name__ == "__main__":
    main()
