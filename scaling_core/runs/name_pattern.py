"""Values out of the names of runs: by a person's regular expression, and which one might do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scaling_core.errors import UserError
from scaling_core.runs.given import MAX_PATTERN, groups

#: Seconds an expression may take. Some need longer than the universe for a name of thirty signs.
TIME_LIMIT = 5.0
_MAX_NAME = 500
#: Run in a process of its own, which can be stopped: a search under way holds every thread of this one.
_SEARCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
search = re.compile(pattern).search
found = [m.groupdict() if (m := search(n)) else {} for n in names]
json.dump([{k: v for k, v in f.items() if v is not None} for f in found], sys.stdout)
"""
_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_COUNT = rf"{_NUMBER}[kKmMbBgGtT]?"
_KEYED = re.compile(
    rf"(?<![A-Za-z])(?P<key>[A-Za-z](?:[A-Za-z_]*[A-Za-z])?)(?P<between>[=:-]?)(?P<value>{_COUNT})(?=[^A-Za-z0-9.]|$)"
)
_SIZED = re.compile(r"(?:^|[^A-Za-z0-9.])(?P<value>\d+(?:\.\d+)?[kKmMbB])(?=[^A-Za-z0-9]|$)")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
#: What short names before a number stand for.
_MEANT = {
    "params": ("n", "p", "params", "parameters", "size"),
    "tokens": ("t", "tok", "toks", "tokens"),
    "flops": ("c", "flops", "flop", "compute"),
    "step": ("step", "steps", "iter", "iters", "global_step", "ckpt", "checkpoint"),
    "d_model": ("d", "dim", "width", "w", "d_model", "dmodel", "hidden", "embd", "n_embd", "emb"),
    "layers": ("l", "layers", "layer", "depth", "n_layer", "n_layers", "nl"),
    "heads": ("h", "heads", "head", "n_head", "n_heads", "nh"),
    "batch": ("b", "bs", "batch", "bsz", "batch_size"),
    "context": ("ctx", "context", "seq", "seqlen", "seq_len", "block"),
    "vocabulary": ("v", "vocab", "vocabulary", "vocab_size"),
    "seed": ("s", "seed"),
}
_GROUP_OF = {short: group for group, shorts in _MEANT.items() for short in shorts}


def read_names(pattern: str, names: Sequence[str]) -> list[dict[str, str]]:
    """Search each name; return the groups that were found, by name, none where the expression does not match.

    Raises
    ------
    UserError
        If the expression cannot be read, or takes too long.
    """
    groups(pattern)
    cut = [name[:_MAX_NAME].encode("utf-8", "replace").decode() for name in names]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", _SEARCH],
            input=json.dumps([pattern, cut]), capture_output=True, text=True, encoding="utf-8", timeout=TIME_LIMIT,
            check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UserError(
            f"The expression took longer than {TIME_LIMIT:g} seconds on these names.",
            where="expression on names",
            fix="Repeat nothing that is itself repeated, as (a+)+ does.",
        ) from None
    except (subprocess.CalledProcessError, OSError) as error:
        raise UserError(
            "The expression could not be searched for.", where="expression on names", fix=str(error)[:200]
        ) from None
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def suggest_pattern(names: Sequence[str]) -> str:
    """Write an expression for names like ``d=96_l=8_h=4`` or ``pythia-1.4b-step3000``; "" where none is plain.

    Of the first names, the one is followed whose expression matches most of them.
    """
    sample = list(dict.fromkeys(names))[:50]
    made = dict.fromkeys(filter(None, map(_pattern_of, sample)))
    best = max(made, key=lambda p: sum(bool(re.search(p, name[:_MAX_NAME])) for name in sample), default="")
    return best if len(best) <= MAX_PATTERN else ""


@dataclass(frozen=True)
class _Mark:
    """A telling number in a name: where it stands with its key, what must not stand before it, and its group."""

    start: int
    end: int
    guard: str
    text: str
    group: str


def _pattern_of(name: str) -> str:
    """Build the expression that one name asks for: each telling number a group, separators between them as they are."""
    name = name[:_MAX_NAME]
    marks = _marks(name)
    if not marks:
        return ""
    steps = [mark for mark in marks if mark.group == "step"]
    if not steps or marks[-1] != steps[0]:
        return _joined(name, marks)
    # Names that differ in the step alone are checkpoints of one run.
    before = _joined(name, marks[:-1]) if len(marks) > 1 else ""
    gap = name[marks[-2].end if len(marks) > 1 else 0 : steps[0].start]
    if not gap and not before:
        return steps[0].guard + steps[0].text
    run = f".*?{before}" if before else ".*?"
    tail = _literal(gap) if before and _SEPARATORS.fullmatch(gap) else f".*?{steps[0].guard}" if before else "[-_/. ]?"
    return f"^(?P<run>{run}){tail}{steps[0].text}"


def _marks(name: str) -> list[_Mark]:
    marks: list[_Mark] = []
    for match in _KEYED.finditer(name):
        key = match["key"] if match["key"].lower() in _GROUP_OF else match["key"].rpartition("_")[2]
        group = _group_of(key, match["between"] in ("=", ":") or match["value"][-1].isalpha())
        if group and group not in {mark.group for mark in marks}:
            text = f"{key}{match['between']}(?P<{group}>{_value(group)})"
            marks.append(_Mark(match.start("between") - len(key), match.end(), "(?<![A-Za-z])", text, group))
    if "params" not in {mark.group for mark in marks} and (sized := _SIZED.search(name)):
        text = r"(?P<params>[\d.]+[kKmMbB])(?![A-Za-z0-9])"
        marks.append(_Mark(sized.start("value"), sized.end("value"), "(?<![A-Za-z0-9.])", text, "params"))
    return sorted(marks, key=lambda mark: mark.start)


def _joined(name: str, marks: Sequence[_Mark]) -> str:
    text = marks[0].guard + marks[0].text
    for before, mark in pairwise(marks):
        gap = name[before.end : mark.start]
        text += (_literal(gap) if _SEPARATORS.fullmatch(gap) else f".*?{mark.guard}") + mark.text
    return text


def _literal(text: str) -> str:
    return re.escape(text).replace("\\-", "-")


def _group_of(key: str, is_stated: bool) -> str:
    """What a short name stands for; a lone letter only where "=" says that it is one."""
    found = _GROUP_OF.get(key.lower(), "")
    return found if is_stated or len(key) > 1 or found in ("d_model", "layers", "heads") else ""


def _value(group: str) -> str:
    return r"[\d.]+(?:e[+-]?\d+)?[kKmMbBgGtT]?" if group in ("params", "tokens", "flops") else r"\d+"
