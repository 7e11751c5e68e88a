"""A table and the settings that lie beside it: one run's log, or rows that all share what the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.runs.aliases import alias_rank, is_run_name
from scaling_core.runs.folders import run_names
from scaling_core.runs.guess import is_export
from scaling_core.runs.logs import STEP, LoggedRun, Logs, is_known
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.csv_log import as_logs
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import Scalar, setting_columns, tokens_by_step
from scaling_core.runs.shape import with_counts
from scaling_core.runs.upload import Upload

Config = Mapping[str, Scalar]


def as_log(raw: RawTable, file: Upload, has_settings: bool) -> Logs | None:
    """Take a table of the steps of one run, in that run's folder or with its settings beside it, for the run's log."""
    names = [str(name) for name in raw.frame.columns]
    if ("/" not in file.name and not has_settings) or is_export(names):
        return None
    called = [n for n in names if is_run_name(n)]
    step = next((n for n in names if alias_rank(STEP, n) is not None), None)
    sizes = [n for n in names if is_known(n, "params", "params_non_embedding")]
    if step is None or len(raw.frame) < 2 or any(raw.frame[n].nunique(dropna=False) > 1 for n in [*sizes, *called]):
        return None
    steps = pd.Series(to_numbers(raw.frame[step], raw.decimal).values)
    logs = as_logs(raw, steps, {step: "", **dict.fromkeys(called, "")}, file.name)
    name = str(raw.frame[called[0]].iloc[0]) if called and raw.frame[called[0]].notna().all() else ""
    return replace(logs, runs=tuple(replace(run, name=name) for run in logs.runs))


def with_settings(raw: RawTable, config: Config, file: Upload) -> RawTable:
    """Give every row of a table the settings beside it, and a lone row the name of its folder.

    N is counted from them where the table does not give it, and tokens where it has steps; what the table itself
    says goes before. A table that was exported from here has all of that already.
    """
    frame = raw.frame
    names = tuple(map(str, frame.columns))
    if len(frame) == 1 and "/" in file.name and not any(map(is_run_name, names)):
        frame = frame.assign(run=pd.Series([run_names([file.name])[0]], dtype="str"))
    if not config:
        return replace(raw, frame=frame)
    if is_export(names):
        text = "Settings that lie beside it were not used: an exported table holds what was made of them."
        return replace(raw, notes=(*raw.notes, Note("info", text, file.name)))
    run, counted = with_counts(LoggedRun("", frame.iloc[:0], dict(config)), file.name)
    length = np.array([len(frame)])
    columns, left_out = setting_columns([run.config], length, names, file.name)
    tokens, computed = _tokens(raw, run.config, file.name)
    return replace(
        raw,
        frame=pd.DataFrame({**frame, **tokens, **columns}),
        notes=(*raw.notes, _taken(frame, columns, file.name), *left_out, *counted, *computed),
        settings=raw.settings | frozenset(columns),
    )


def _tokens(raw: RawTable, config: Config, file: str) -> tuple[dict[str, pd.Series], tuple[Note, ...]]:
    names = tuple(map(str, raw.frame.columns))
    step = next((n for n in names if alias_rank(STEP, n) is not None), None)
    if step is None:
        return {}, ()
    steps = to_numbers(raw.frame[step], raw.decimal).values
    return tokens_by_step([config], steps, np.array([len(steps)]), names, file)


def _taken(frame: pd.DataFrame, columns: Mapping[str, pd.Series], file: str) -> Note:
    """Say that the settings were used; where there are several runs, that they were taken for all of them."""
    shown = ", ".join(f"“{name}”" for name in list(columns)[:6]) + (" and others" if len(columns) > 6 else "")
    text = f"Settings that lie beside the table were taken for all of its {len(frame):,} rows: {shown or 'none'}."
    called = next((name for name in frame.columns if is_run_name(str(name))), None)
    is_one = len(frame) == 1 or (called is not None and frame[called].nunique(dropna=False) == 1)
    return Note("info" if is_one else "warning", text, file)
