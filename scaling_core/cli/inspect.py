"""``inspect``: say what is in files of runs."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from scaling_core.cli.options import add_files, load_runs
from scaling_core.cli.output import json_text, show
from scaling_core.runs import RunTable, flags
from scaling_core.units import format_count, format_flops, format_number


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("inspect", help="say what is in files of runs")
    add_files(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print what was found."""
    report = inspect_report(load_runs(options))
    show(json_text(report) if options.json else _text(report))


def inspect_report(table: RunTable) -> dict[str, Any]:
    """What was found in the files, as JSON types."""
    sources = table.sources
    return {
        "format": ", ".join(dict.fromkeys(s.format for s in sources)),
        "runs": int(table.frame["is_final"].sum()),
        "rows": len(table.frame),
        "columns": list(dict.fromkeys(c for s in sources for c in s.columns)),
        "mapping": {k: v for s in reversed(sources) for k, v in s.mapping.items()},
        "notes": [f"{n.file}: {n.text}" if len(sources) > 1 and n.file else n.text for n in table.notes],
        "questions": [n.text for n in table.notes if n.severity == "question"],
        "rejected": table.rejected.to_dict(orient="records"),
        "flags": flags(table.frame).to_dict(orient="records"),
        "ranges": {c: table.span(c) for c in ("params", "tokens", "flops", "loss")},
        "files": [
            {
                "file": s.file,
                "sha256": s.sha256,
                "format": s.format,
                "reason": s.reason,
                "rows": s.rows,
                "mapping": s.mapping,
                "derived": s.derived,
                "loss_unit": s.loss_unit,
                "loss_split": s.loss_split,
                "params_convention": s.params_convention,
                "flops_source": s.flops_source,
            }
            for s in sources
        ],
        "digest": table.digest,
    }


def _text(report: dict[str, Any]) -> str:
    left_out = f", {len(report['rejected'])} left out" if report["rejected"] else ""
    lines = [f"{report['runs']} runs in {report['rows']} rows{left_out} ({report['format']})"]
    lines += [f"  {f['file']} was read as {f['format']}: {f['reason']}." for f in report["files"] if f["reason"]]
    lines += [f"  {canonical:<22} from “{column}”" for canonical, column in report["mapping"].items()]
    for name, span in report["ranges"].items():
        write = format_flops if name == "flops" else format_number if name == "loss" else format_count
        lines.append(f"  {name:<22} {write(span[0])} to {write(span[1])}" if span else f"  {name:<22} unknown")
    lines += [f"  - {note}" for note in report["notes"]]
    lines += [f"  left out: {r['file']} line {r['line']}: {r['reason']}" for r in report["rejected"]]
    lines += [f"  {check}: {count}" for check, count in Counter(f["check"] for f in report["flags"]).items()]
    return "\n".join(lines)
