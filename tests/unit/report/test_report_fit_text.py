"""A fit as text: what is pasted says the same law."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.report import as_latex, as_python
from scaling_core.runs.metrics import Metric

#: Names of columns that would be code, or end the text around them, if they were pasted as they stand.
HOSTILE = ('x"""; print("PWNED"); """', 'x\n"""\nprint(\'PWNED\')\n"""', "x\\", 'x"', "{x}\r\x00\x0c\ud800")


def test_the_python_runs_and_predicts_to_the_last_digit(tmp_path: Path, root: Path) -> None:
    result = fitted(chinchilla_runs(0.01))
    module = tmp_path / "law.py"
    module.write_text(as_python(result))
    asked = "law.predict({'params': 1e9, 'tokens': 2e10})[0]"
    program = f"import sys; sys.path.insert(0, sys.argv[1]); import law; print(repr({asked}))"
    out = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    x = {"params": np.array([1e9]), "tokens": np.array([2e10])}
    assert float(out.stdout.strip().removeprefix("np.float64(").rstrip(")")) == result.predict(x).value[0]


@pytest.mark.parametrize("resamples", [0, 40])
def test_the_latex_has_every_parameter_with_its_interval(resamples: int) -> None:
    text = as_latex(fitted(chinchilla_runs(0.01), resamples=resamples))
    rows = [line for line in text.splitlines() if line.rstrip().endswith("\\\\") and "&" in line]
    assert len(rows) == 5
    assert ("[" in rows[0]) == (resamples > 0)
    assert r"$\alpha$" in text
    assert text.count("{") == text.count("}")


def test_a_law_in_columns_with_odd_names_still_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = chinchilla_runs(0.01)
    runs.frame['my "devices" / node'] = runs.frame["params"] / 7
    assert says_when_run(as_python(fitted(runs, 'ratio:tokens/[my "devices" / node]')), tmp_path, capsys)[0] == "["


def skeleton(code: str) -> list[tuple[str, str]]:
    """Kinds of nodes and the names they read: all of a module but its constants."""
    return [(type(n).__name__, getattr(n, "id", getattr(n, "attr", ""))) for n in ast.walk(ast.parse(code))]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_metric_with_a_hostile_name_is_no_code(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fitted(chinchilla_runs(0.01))
    code = as_python(replace(result, metric=Metric(name, name, True, 1.0)))
    assert skeleton(code) == skeleton(as_python(result))
    said = says_when_run(code, tmp_path, capsys)
    assert said[0] == "["
    assert "PWNED" not in said


@pytest.mark.parametrize("name", HOSTILE[:1], ids=["quotes"])
def test_a_column_with_a_hostile_name_is_no_code(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = chinchilla_runs(0.01)
    runs.frame[name] = runs.frame["plain"] = runs.frame["params"] / 7
    code = as_python(fitted(runs, f"ratio:tokens/[{name}]"))
    assert skeleton(code) == skeleton(as_python(fitted(runs, "ratio:tokens/[plain]")))
    said = says_when_run(code, tmp_path, capsys)
    assert said[0] == "["
    assert "PWNED" not in said


def says_when_run(code: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the module prints when it is run as a program: its prediction."""
    module = folder / "law.py"
    module.write_text(code, encoding="utf-8")
    runpy.run_path(str(module), run_name="__main__")
    return capsys.readouterr().out
