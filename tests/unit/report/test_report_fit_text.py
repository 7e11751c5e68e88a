"""A fit as text: what is pasted says the same law."""

from __future__ import annotations

import ast
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
    said = f"import sys; sys.path.insert(0, sys.argv[1]); import law; print(repr({asked}))"
    out = subprocess.run(
        [sys.executable, "-c", said, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    x = {"params": np.array([1e9]), "tokens": np.array([2e10])}
    assert float(out.stdout.strip().removeprefix("np.float64(").rstrip(")")) == result.predict(x).value[0]
    assert (
        subprocess.run([sys.executable, str(module)], cwd=root, env={"PYTHONPATH": str(root)}, check=False).returncode
        == 0
    )


@pytest.mark.parametrize("resamples", [0, 40])
def test_the_latex_has_every_parameter_with_its_interval(resamples: int) -> None:
    text = as_latex(fitted(chinchilla_runs(0.01), resamples=resamples))
    rows = [line for line in text.splitlines() if line.rstrip().endswith("\\\\") and "&" in line]
    assert len(rows) == 5
    assert ("[" in rows[0]) == (resamples > 0)
    assert r"$\alpha$" in text
    assert text.count("{") == text.count("}")


def test_a_law_in_columns_with_odd_names_still_runs(tmp_path: Path, root: Path) -> None:
    runs = chinchilla_runs(0.01)
    runs.frame['my "devices" / node'] = runs.frame["params"] / 7
    result = fitted(runs, 'ratio:tokens/[my "devices" / node]')
    module = tmp_path / "law.py"
    module.write_text(as_python(result))
    ran = subprocess.run([sys.executable, str(module)], cwd=root, env={"PYTHONPATH": str(root)}, check=False)
    assert ran.returncode == 0


def skeleton(code: str) -> list[tuple[str, str]]:
    """Kinds of nodes and the names they read: all of a module but its constants."""
    return [(type(n).__name__, getattr(n, "id", getattr(n, "attr", ""))) for n in ast.walk(ast.parse(code))]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_metric_with_a_hostile_name_is_no_code(name: str, tmp_path: Path, root: Path) -> None:
    result = fitted(chinchilla_runs(0.01))
    code = as_python(replace(result, metric=Metric(name, name, True, 1.0)))
    assert skeleton(code) == skeleton(as_python(result))
    assert ran_quietly(code, tmp_path, root)


@pytest.mark.parametrize("name", HOSTILE[:1], ids=["quotes"])
def test_a_column_with_a_hostile_name_is_no_code(name: str, tmp_path: Path, root: Path) -> None:
    runs = chinchilla_runs(0.01)
    runs.frame[name] = runs.frame["plain"] = runs.frame["params"] / 7
    code = as_python(fitted(runs, f"ratio:tokens/[{name}]"))
    assert skeleton(code) == skeleton(as_python(fitted(runs, "ratio:tokens/[plain]")))
    assert ran_quietly(code, tmp_path, root)


def ran_quietly(code: str, folder: Path, root: Path) -> bool:
    """Whether the module runs and prints its prediction only."""
    module = folder / "law.py"
    module.write_text(code, encoding="utf-8")
    command = [sys.executable, str(module)]
    ran = subprocess.run(command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True)
    return ran.stdout.startswith("[") and "PWNED" not in ran.stdout
