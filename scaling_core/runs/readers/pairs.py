"""Lines of logs that no grammar knows, read by what nearly all trainers print: a step, and names with numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache

from scaling_core.runs.aliases import take_apart
from scaling_core.runs.logs import LINE, STEP, WALL_TIME, is_known
from scaling_core.runs.readers.wording import NUMBER, Digits, Line, Row, value_of, with_unit
from scaling_core.runs.settings import Scalar, tells_tokens
from scaling_core.runs.shape import tells_shape

#: Longer lines are data or code; and more pairs than this are no metrics.
_LONGEST, _MOST = 5_000, 60
_LEVEL = re.compile(r"^.{0,200}?\b(?:INFO|DEBUG|WARNING|NOTICE)\b[\s:|\]>-]*")
_STEP = re.compile(
    r"(?<![\w/])(?:(?:global|train|training|optimizer|num)[ _-]?)?(?:step|iter|iteration|update)s?['\"]?\s{0,4}[:=#]?"
    r"\s{0,4}\[?\s{0,8}(?P<step>\d[\d,]*)(?![\d.]*[A-Za-z%]|\.\d)",
    re.IGNORECASE,
)
#: How far of how many, at the beginning of a line.
_COUNT = re.compile(r"^\s*\[\s?(?P<step>\d+)\s?/\s?\d+\s?\]")
#: A line that says nothing but where the metrics below it stand, as Composer's.
_HEAD = re.compile(r"^\s*\[(?:epoch=\d+\]\[)?(?:batch|step|iter)=(?P<step>\d+)(?:/\d+)?\]:?\s*$")
#: A progress bar, as tqdm draws it: what it counts is a step if nothing says otherwise.
_BAR = re.compile(r"^\s*(?P<title>[^|]{0,80}?):?\s*\d{1,3}%\|[^|]{0,300}\|\s*(?P<step>\d+)/(?P<total>\d+) \[")
_NAME = r"[A-Za-z][\w./@-]{0,60}(?: [A-Za-z(][\w./@()-]{0,60}){0,3}"
_PAIR = re.compile(
    rf"(?P<name>{_NAME})['\"]?\s{{0,20}}[:=]\s{{0,20}}(?P<value>{NUMBER})(?:(?P<unit>[KMB])(?!\w)|(?![\w.]))"
    rf"|(?P<bare>(?:[A-Za-z][\w-]{{0,20}}[ _-])?(?:loss|perplexity|ppl|bpb|nll|tokens))\s{{1,8}}"
    rf"(?P<said>{NUMBER})(?![\w.])",
    re.IGNORECASE,
)
_PARAMETERS = re.compile(
    rf"(?<![\w.])({NUMBER})\s?(K|M|B)?(?: million| billion)? (?:(?:trainable|total|model) )?param(?:eter)?s\b",
    re.IGNORECASE,
)
#: As a sentence says them: "global batch size 64, sequence length 2048".
_SENTENCE = re.compile(
    r"(?<![\w.])((?:(?:global|total|effective|local|micro) )?batch size|sequence length|context length|block size|"
    r"gradient accumulation steps) (?:is |of |= ?)?(\d{1,12})(?![\w.])",
    re.IGNORECASE,
)
_WORDS = {"million": "M", "billion": "B"}
_TRAINING_BARS = frozenset({"", "train", "training", "steps", "pretraining", "epoch"})


class Pairs:
    """Understands lines of names and numbers.

    Parameters
    ----------
    text : str
        The whole log, or enough of it to tell which progress bar is that of training: the longest.
    """

    def __init__(self, text: str) -> None:
        bars = (_BAR.match(line) for line in re.split(r"[\r\n]", text) if "%|" in line[:120])
        self.total = max((int(bar["total"][:18]) for bar in bars if bar and _is_training(bar["title"])), default=0)

    def row(self, line: Line, digits: Digits) -> Row | None:
        """Take a line with a step and a loss, or the bar of training, whose metrics may follow."""
        if len(line.text) > _LONGEST:
            return None
        bar, text = _BAR.match(line.text), message(line.text)
        if bar and not (_is_training(bar["title"]) and int(bar["total"][:18]) == self.total):
            return None
        head = _HEAD.match(text)
        bare = bar or head
        step = bare or _STEP.search(text) or _COUNT.match(text)
        pairs = list(_pairs(text)) if step and not head else []
        if step is None or not (bare or any(_is_measure(name) for name, _, _ in pairs)):
            return None
        shift = len(line.text) - len(text)
        if not all(digits.are_whole(name, line, value, end + shift) for name, value, end in pairs):
            return None
        at = value_of(step["step"][:18])
        return {STEP: at, **{name: value_of(value) for name, value, _ in pairs}} if math.isfinite(at) else None

    def metrics(self, line: Line) -> Iterator[tuple[str, str, int]]:
        """Take a line with a loss or a count of tokens and no step for what was measured at the step above it."""
        if len(line.text) > _LONGEST or _BAR.match(line.text):
            return
        text = message(line.text)
        pairs = list(_pairs(text))
        if any(_is_measure(name) for name, _, _ in pairs) and not (_STEP.search(text) or _COUNT.match(text)):
            shift = len(line.text) - len(text)
            yield from ((name, value, end + shift) for name, value, end in pairs)

    def is_damaged(self, line: Line) -> bool:
        """Nothing tells a damaged line from any other."""
        return False

    def settings(self, line: Line) -> dict[str, Scalar]:
        """Take the number of parameters, sizes of the model, and what tells the tokens of a step."""
        if len(line.text) > _LONGEST:
            return {}
        found: dict[str, Scalar] = {}
        text = message(line.text)
        said = [(match["name"], match["value"], match["unit"]) for match in _PAIR.finditer(text) if match["name"]]
        said += [(name, value, None) for name, value in _SENTENCE.findall(text)]
        if (cells := _CELLS.match(text)) is not None:
            said.append((cells["name"], cells["value"], cells["unit"]))
        for name, value, unit in said:
            if _is_size(name) or tells_tokens(name) or tells_shape(name):
                found[_plain(name)] = with_unit(value, unit)
        if not any(map(_is_size, found)) and (counted := _PARAMETERS.search(text)):
            unit = counted[2] or next((u for word, u in _WORDS.items() if word in counted[0].lower()), None)
            found["params"] = with_unit(counted[1], unit)
        return found

    def closing(self, line: Line) -> dict[str, Scalar]:
        """Take what a summary says of the run above it."""
        pair = stated(line.text)
        return {pair[0]: pair[1]} if pair and is_known(pair[0], *_SUMS) and isinstance(pair[1], float) else {}


_SUMS = ("params", "params_non_embedding", "tokens", "flops")
_STATED = re.compile(rf"^\s*(?:[-*|]\s*)?(?P<name>{_NAME})\s{{0,40}}[:=]\s{{1,40}}(?P<value>\S.{{0,200}}?)\s*$")
#: A row of a table of two columns.
_CELLS = re.compile(rf"^\s*\|\s*(?P<name>{_NAME})\s*\|\s*(?P<value>{NUMBER})(?P<unit>[KMB])?\s*\|\s*$")
_QUANTITY = re.compile(rf"({NUMBER})(?:\s?([KMB]))?")


def message(text: str) -> str:
    """Return a line without time, host and level in front of what is said; a level behind a step is part of that."""
    found = _LEVEL.match(text)
    return text[found.end() :] if found and not _STEP.search(found[0]) else text


def stated(text: str) -> tuple[str, Scalar] | None:
    """Return name and value of a line that holds nothing else, such as ``num_params_M:     50.3``."""
    found = _STATED.match(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    number = _QUANTITY.fullmatch(found["value"])
    return _plain(found["name"]), with_unit(number[1], number[2]) if number else found["value"]


def _pairs(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield names, numbers and where they end; a unit is left to sums, which metrics are not."""
    seen: set[str] = set()
    for match in _PAIR.finditer(text):
        group = "value" if match["name"] else "said"
        name = _plain(match["name"] or match["bare"])
        if name in seen or match["unit"] or _is_place(name):
            continue
        seen.add(name)
        yield name, match[group], match.end(group)
        if len(seen) == _MOST:
            return


def _plain(name: str) -> str:
    return f"{name} (metric)" if name in (STEP, WALL_TIME, LINE) else name


@lru_cache(maxsize=8192)
def _is_measure(name: str) -> bool:
    return is_known(name, "loss", "tokens")


@lru_cache(maxsize=8192)
def _is_size(name: str) -> bool:
    return is_known(name, "params", "params_non_embedding")


@lru_cache(maxsize=8192)
def _is_place(name: str) -> bool:
    """Whether a name says where a row stands rather than what was measured."""
    return take_apart(name).words[-1:] in (("step",), ("steps",), ("iter",), ("iteration",), ("updates",), ("metric",))


def _is_training(title: str) -> bool:
    return _TRAINING_BARS.issuperset(title.lower().split()[:1] or [""])
