"""What ``train`` says: the plan before, and what came of it after."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_core.cli.output import columns
from scaling_core.errors import UserError
from scaling_core.planning.figures import duration
from scaling_core.training.forecast import Law, Verdict, law_of, read_forecast, verdict
from scaling_core.training.ladder import Ladder
from scaling_core.training.ladder_spec import DESIGNS, ForecastSpec
from scaling_core.training.outcomes import finished, fitted, tuned
from scaling_core.units import format_count, format_flops, format_number

_DAY_S = 86_400.0
#: Why a law leaves runs out.
TUNED = "They began with weights of another run and D counts their own tokens alone: no law in N and D holds for them."


def plan_text(ladder: Ladder) -> str:
    """The plan: what it takes, then its runs."""
    spec, trunks = ladder.spec, sum(r.role == "trunk" for r in ladder.rungs)
    shared = f", {trunks} shared trunks (saves {100 * ladder.saved:.0f}% of the tokens)" if trunks else ""
    lines = [
        f"Ladder “{spec.name}”: {len(ladder.runs)} runs{shared}",
        f"  design    {DESIGNS[spec.design].lower()}; data: {spec.data.source}",
        f"  time      about {seconds(ladder.seconds)} on {ladder.slots} slot{'s' * (ladder.slots > 1)} "
        f"({seconds(ladder.busy_s)} one after another)",
        f"  work      {format_count(ladder.tokens)} tokens, {format_flops(ladder.flops)} FLOPs",
    ]
    if base := ladder.base:
        lines.append(f"  starts    from {base.ladder}/{base.name}: {format_count(base.params)} parameters, "
                     f"{format_count(base.tokens)} tokens seen, loss {format_number(base.loss, 4)}")  # fmt: skip
    if test := ladder.test:
        lines.append(f"  held back {test.name}: its end is trained after the law has said what it will reach")
    lines += [f"  - {note}" for note in ladder.notes]
    return "\n".join([*lines, "", *_runs_table(ladder)])


def _runs_table(ladder: Ladder) -> list[str]:
    rows = [("run", "N", "D", "D/N", "FLOPs", "starts", "takes")]
    for dot in ladder.dots.to_dict("records"):
        rows.append((
            str(dot["run"]), format_count(dot["params"]), format_count(dot["tokens"]),
            format_number(dot["tokens_per_param"], 2), format_flops(dot["flops"]), seconds(dot["start_s"]),
            seconds(dot["estimate_s"]),
        ))  # fmt: skip
    return columns(rows, left=(0,))


def seconds(value: float) -> str:
    """A time as people say it."""
    return duration(value / _DAY_S)


def results_of(folder: Path, how: ForecastSpec) -> dict[str, Any]:
    """Everything that a ladder has come to, as JSON types; the law is that of all runs but the one held back.

    Runs that began with the weights of another stand apart, as ``tuned``.
    """
    runs = {"runs": finished(folder).to_dict("records"), "tuned": tuned(folder).to_dict("records")}
    try:
        law = law_of(fitted(folder), how)
    except UserError as error:
        return {"folder": str(folder), **runs, "law": None, "why_not": error.line()}
    judged = verdict(folder)
    return {
        "folder": str(folder),
        **runs,
        "law": law.fit.to_json() | {"scatter": law.fit.scatter(), "left_out": law.left_out},
        "forecast": read_forecast(folder),
        "verdict": None if judged is None else vars(judged) | {"off": judged.off, "inside": judged.inside},
    }


def summary_text(folder: Path, how: ForecastSpec) -> str:
    """The runs, the law with its certificate, and how the forecast did; then runs that began with other weights."""
    rows, further = finished(folder), tuned(folder)
    if rows.empty:
        return "No run has ended well." if further.empty else "\n".join(tuned_lines(further))
    try:
        law, why_not = law_of(fitted(folder), how), ""
    except UserError as error:
        law, why_not = None, error.line()
    lines = _table(rows, law)
    lines += ["", *law_lines(law)] if law else ["", f"No law yet: {why_not}"]
    if (judged := verdict(folder)) is not None:
        lines.append(verdict_text(judged))
    return "\n".join([*lines, "", *tuned_lines(further)] if len(further) else lines)


def tuned_lines(rows: pd.DataFrame) -> list[str]:
    """Runs that began with the weights of another: what these were worth on the data before, and are after."""
    table = [("run", "N", "D", "FLOPs", "from", "loss before", "loss", "bits/byte")]
    for row in rows.sort_values(["params", "tokens"]).to_dict("records"):
        before, bits = row["before"], row.get("bits_per_byte", math.nan)
        table.append((
            str(row["run"]), format_count(row["params"]), format_count(row["tokens"]), format_flops(row["flops"]),
            str(row["tuned_from"]), format_number(before, 4) if math.isfinite(before) else "",
            format_number(row["loss"], 4), format_number(bits, 4) if math.isfinite(bits) else "",
        ))  # fmt: skip
    return [*columns(table, left=(0, 4)), "", TUNED]


def _table(rows: pd.DataFrame, law: Law | None) -> list[str]:
    residual = {} if law is None else dict(zip(law.fit.points["run"], law.fit.points["residual"], strict=True))
    table = [("run", "N", "D", "FLOPs", "loss", "bits/byte", "off the law")]
    for row in rows.sort_values(["params", "tokens"]).to_dict("records"):
        off = residual.get(row["run"], math.nan)
        absent = "" if law is None else "left out" if row["run"] in law.left_out else "held back"
        bits = row.get("bits_per_byte", math.nan)
        table.append((
            str(row["run"]), format_count(row["params"]), format_count(row["tokens"]), format_flops(row["flops"]),
            format_number(row["loss"], 4), format_number(bits, 4) if math.isfinite(bits) else "",
            f"{100 * off:+.2f}%" if math.isfinite(off) else absent,
        ))  # fmt: skip
    return columns(table, left=(0,))


def law_lines(law: Law) -> list[str]:
    """The law in a few lines: parameters, how near the runs lie, and the certificate."""
    fit, values = law.fit, ", ".join(f"{n} = {format_number(v, 5)}" for n, v in law.fit.parameters.items())
    lines = [
        f"{fit.law.title} on {fit.n_points} runs: {values}",
        f"  runs lie {100 * fit.scatter():.2f}% (rms) around it; certificate: {fit.certificate.grade}, "
        f"{fit.certificate.starts_agreeing} of {fit.certificate.starts} starts agree",
    ]
    lines += [f"  ! {reason}" for reason in fit.certificate.reasons]
    if law.left_out:
        why = "; ".join(dict.fromkeys(law.left_out.values()))
        lines.append(f"  - {len(law.left_out)} runs are left out ({why})")
    return lines


def verdict_text(judged: Verdict) -> str:
    """Forecast against outcome in one sentence."""
    where = "inside" if judged.inside else "outside"
    when = "before" if judged.before else "NOT before"
    return (
        f"Forecast of {judged.test}, written {when} it was trained to its end: {format_number(judged.predicted, 4)} "
        f"({format_number(judged.low, 4)} to {format_number(judged.high, 4)}, {judged.level:.0%}); it reached "
        f"{format_number(judged.actual, 4)}: {100 * judged.off:+.2f}% off, {where} the interval."
    )
