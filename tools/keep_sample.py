"""Make a sample of a ladder that was trained here: its runs as a file, and where they came from.

    .venv/bin/python tools/keep_sample.py HOME/ladders/10min ladder_10min "python -m scaling_core train --preset 10min"

Writes ``sample_runs/NAME.csv`` and ``sample_runs/provenance/NAME.toml``. The sample is offered once
``sample_runs/index.toml`` and ``sample_runs/README.md`` name it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from scaling_core.jobs.results import ladder_upload  # noqa: E402  # found only now that the root is on the path
from scaling_core.training import RunFolder  # noqa: E402
from scaling_core.training.forecast import verdict  # noqa: E402


def keep(folder: Path, name: str, command: str) -> None:
    """Write the sample and its provenance."""
    (ROOT / "sample_runs" / f"{name}.csv").write_bytes(ladder_upload(folder).data)
    path = ROOT / "sample_runs" / "provenance" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    parts = [table("made", made(folder, command)), table("corpus", corpus(folder))]
    if found := forecast(folder):
        parts.append(table("forecast", found))
    ladder = (folder / "LADDER.toml").read_text(encoding="utf-8")
    path.write_text("\n".join(parts) + "\n# The ladder, as the train command takes it:\n#\n" + commented(ladder))


def made(folder: Path, command: str) -> dict[str, Any]:
    """Machine, commit, command and time."""
    paths = [folder / "ladder.json", *folder.glob("*/result.json")]
    begun, ended = (f(p.stat().st_mtime for p in paths) for f in (min, max))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        "command": command,
        "commit": commit.stdout.strip(),
        "begun": datetime.fromtimestamp(begun, UTC).isoformat(timespec="seconds"),
        "wall_s": round(ended - begun),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": results(folder)[0]["torch"],
    }


def processor() -> str:
    """Name the processor, as far as the system does."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def results(folder: Path) -> list[dict[str, Any]]:
    """Results of the runs that ended well."""
    found = [RunFolder(path.parent).result for path in sorted(folder.glob("*/result.json"))]
    return [result for result in found if result and "data" in result]


def corpus(folder: Path) -> dict[str, Any]:
    """What was learned from; the same for every run."""
    told = [result["data"] for result in results(folder)]
    assert all(one.get("sha256") == told[0].get("sha256") for one in told), "runs of one ladder share a corpus"
    return {key: value for key, value in told[0].items() if isinstance(value, str | int | float)}


def forecast(folder: Path) -> dict[str, Any]:
    """Forecast of the held-back run, and what came."""
    found = verdict(folder)
    if found is None:
        return {}
    off = 100 * (found.actual / found.predicted - 1)
    return {
        "run": found.test, "written": found.written, "before_the_run_ended": found.before, "level": found.level,
        "predicted": found.predicted, "low": found.low, "high": found.high, "came": found.actual,
        "off_percent": round(off, 2),
    }  # fmt: skip


def table(name: str, values: dict[str, Any]) -> str:
    """One table as TOML."""
    return "\n".join([f"[{name}]", *(f"{key} = {literal(value)}" for key, value in values.items()), ""])


def literal(value: Any) -> str:
    """One value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else '"' + str(value).replace('"', "'") + '"'


def commented(text: str) -> str:
    """Text as comments."""
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    keep(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
