"""Printed logs of tools that have no reader of their own: lines with a step and a loss, and summaries of runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.runs.aliases import is_run_name, take_apart
from scaling_core.runs.logs import LINE, STEP, LoggedRun, Logs, is_known
from scaling_core.runs.readers.base import UNLIKE, Likeness, LogReader
from scaling_core.runs.readers.binary import is_text
from scaling_core.runs.readers.csv_log import header
from scaling_core.runs.readers.pairs import Pairs, message, stated
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.readers.text_log import parse, plain, to_logs
from scaling_core.runs.readers.wording import Digits, Line
from scaling_core.runs.schema import Note
from scaling_core.runs.settings import PLANNED, Scalar
from scaling_core.runs.upload import Upload

_SIZES = ("params", "params_non_embedding", "tokens", "flops")
_FEWEST = 2  # lines of steps
_SAYS = re.compile(r"[:=]?\s*\d")
#: Without any of these no line is worth a look.
_MEASURED = re.compile(r"loss|perplexity|ppl|bpb|nll|entropy|bits", re.IGNORECASE)
Block = dict[str, Scalar]


class AnyLogReader(LogReader):
    """Reads what trainers print: ``step 100 | loss 3.21 | lr 1e-4``, progress bars, and ``name: value`` summaries."""

    name = "printed log"

    def looks_like(self, upload: Upload) -> Likeness:
        """Accept text with lines of steps and losses, or a summary of names and values with a loss and a size."""
        if not is_text(upload.head) or _begins_a_table(upload):
            return UNLIKE
        text = f"{plain(upload.head)}\n{plain(upload.data[-len(upload.head) :])}"
        if not _MEASURED.search(text):
            return UNLIKE
        if example := _example(text):
            return Likeness(0.6, f"it has lines with a step and a loss (“{example[:60]}”)")
        if next(_blocks(text), None):
            return Likeness(0.6, "it has lines of names and values, a loss and a size of a run among them")
        return UNLIKE

    def logs(self, upload: Upload) -> Logs:
        """Read the runs, as far as the file goes.

        Raises
        ------
        UserError
            If no line has a step and no summary a loss.
        """
        data, _ = as_utf8(upload.data, upload.name)
        text = data.decode(errors="replace")
        try:
            log = parse(upload, Pairs(text))
        except UserError:
            if runs := [_run(block, place) for place, block in _blocks(text)]:
                return Logs(tuple(runs), (Note("info", "Each summary is a run.", upload.name),))
            raise
        words = "No tool of those known here prints such lines: steps and metrics were told by their names."
        return to_logs(log, upload.name, _finish, [Note("info", words, upload.name)])


def _begins_a_table(upload: Upload) -> bool:
    names = header(upload)
    return sum(map(is_known, names)) > 1 and not any(_SAYS.search(name) for name in names)


def _example(text: str) -> str:
    """Return a line with a step and a loss if there are several, or a progress bar's with one."""
    pairs, digits, found = Pairs(text), Digits(), ""
    lines = 0
    for line in text.split("\n"):
        row = pairs.row(Line(line), digits)
        measured = row is not None and any(is_known(name, "loss") for name in row)
        if measured or (pairs.total and any(True for _ in pairs.metrics(Line(line)))):
            found, lines = found or message(line).strip(), lines + 1
            if lines == _FEWEST:
                return found
    return ""


def _finish(rows: pd.DataFrame, settings: dict[str, Scalar]) -> pd.DataFrame:
    """Leave out steps at which nothing was measured, and spread D and C of the whole run over its steps."""
    metrics = [name for name in rows.columns if name not in (STEP, LINE)]
    rows = rows.dropna(subset=metrics, how="all").reset_index(drop=True) if metrics else rows.iloc[:0]
    end = rows[STEP].max() if len(rows) else 0.0
    for name in [n for n in settings if is_known(n, "tokens", "flops")]:
        total = settings.pop(name)
        if isinstance(total, float) and end > 0 and not any(is_known(str(m), "tokens", "flops") for m in metrics):
            share = rows[STEP] / end
            rows = rows.assign(**{name: (total * share).where(share > 0)})
    return rows


def _blocks(text: str) -> Iterator[tuple[int, Block]]:
    """Yield place and content of each summary: lines of names and values in a row, a loss and a size among them."""
    block: Block = {}
    begin = 0
    for place, line in enumerate(re.split(r"\r?\n", text), start=1):
        pair = stated(line)
        if block and ((pair is None and line.strip()) or (pair is not None and pair[0] in block)):
            if _is_summary(block):
                yield begin, block
            block = {}
        if pair is not None:
            begin = begin if block else place
            block[pair[0]] = pair[1]
    if _is_summary(block):
        yield begin, block


def _is_summary(block: Block) -> bool:
    numbers = [name for name, value in block.items() if isinstance(value, float)]
    return any(is_known(n, "loss") for n in numbers) and any(is_known(n, *_SIZES) for n in numbers)


def _run(block: Block, place: int) -> LoggedRun:
    """Make a run of a summary: one row at its last step, its settings beside it."""
    name = next((str(value) for key, value in block.items() if is_run_name(key)), "")
    steps = [v for k, v in block.items() if isinstance(v, float) and take_apart(k).key in PLANNED]
    measured = {k: v for k, v in block.items() if isinstance(v, float) and is_known(k, "loss", "tokens", "flops")}
    settings = {k: v for k, v in block.items() if k not in measured and not is_run_name(k)}
    # Without steps it stands at 0, of which no tokens can be made.
    row = {STEP: steps[0] if steps else 0.0, LINE: float(place), **measured}
    return LoggedRun(name, pd.DataFrame([row]), settings)
