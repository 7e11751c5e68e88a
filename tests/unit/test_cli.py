"""The command line: what it prints for people and for programs, and how it refuses."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import chinchilla_runs

from scaling_core.cli import json_text, main
from scaling_core.fitting import Range, Selection, fit, get_objective, parse_constraints
from scaling_core.laws import LAWS, get_law
from scaling_core.planning import PUBLISHED, Scenario, basis_of_fit, basis_of_published, get_published, plan
from scaling_core.runs import Upload, load

Capture = pytest.CaptureFixture[str]
QUICK = ("--objective", "mse-log", "--bootstrap", "30")


@pytest.fixture(scope="module")
def grid_csv(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("runs") / "grid.csv"
    chinchilla_runs(0.01).frame[["run", "params", "tokens", "loss"]].to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def ladder_csv(root: Path) -> str:
    return str(root / "sample_runs" / "cerebras_gpt.csv")


@pytest.fixture(scope="module")
def fit_json(grid_csv: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    result = fit(get_law("chinchilla"), load([Upload.from_path(grid_csv)]), get_objective("mse-log"), resamples=30)
    path = tmp_path_factory.mktemp("fits") / "fit.json"
    path.write_text(json_text(result.to_json()))
    return str(path)


def said(capsys: Capture, *arguments: str) -> str:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def answered(capsys: Capture, *arguments: str) -> dict[str, Any]:
    """Run with --json and read strictly: NaN and Infinity are no JSON."""

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(said(capsys, *arguments, "--json"), parse_constant=refuse)


def test_inspect_as_json(capsys: Capture, ladder_csv: str) -> None:
    report = answered(capsys, "inspect", ladder_csv)
    assert {"format", "runs", "rows", "columns", "mapping", "notes"} <= set(report)
    assert (report["runs"], report["rows"]) == (7, 7)
    assert report["format"] == "CSV (comma-separated)"
    assert report["mapping"]["loss"] == "loss"
    assert set(report["mapping"].values()) <= set(report["columns"])
    assert report["ranges"]["params"] == [111e6, 13e9]
    assert len(report["files"][0]["sha256"]) == 64
    assert report["rejected"] == []


def test_inspect_for_people(capsys: Capture, ladder_csv: str) -> None:
    text = said(capsys, "inspect", ladder_csv)
    assert text.startswith("7 runs in 7 rows (CSV (comma-separated))")
    assert "from “params”" in text
    assert "111M to 13.0B" in text


def test_inspect_says_what_it_left_out_and_what_is_unknown(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("run,params,tokens\na,1e8,2e9\nb,much,4e9\n")
    text = said(capsys, "inspect", str(path))
    assert "left out: some.csv line 3" in text
    assert "loss                   unknown" in text
    assert answered(capsys, "inspect", str(path))["ranges"]["loss"] is None


def test_inspect_follows_a_mapping(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("a,b,c\n1e8,2e9,4.5\n2e8,4e9,4.0\n")
    mapping = ("--map", "params=a", "--map", "tokens=b", "--map", "loss=c", "--loss-unit", "bits")
    report = answered(capsys, "inspect", str(path), *mapping)
    assert {"params": "a", "tokens": "b", "loss": "c"}.items() <= report["mapping"].items()
    assert report["ranges"]["loss"][1] == pytest.approx(4.5 * math.log(2))


def test_fit_as_json_has_the_floats_of_the_fit(capsys: Capture, grid_csv: str) -> None:
    data = answered(capsys, "fit", grid_csv, "--law", "chinchilla", *QUICK, "--seed", "7", "--level", "0.8")
    result = fit(
        get_law("chinchilla"), load([Upload.from_path(grid_csv)]), get_objective("mse-log"), resamples=30, seed=7
    )
    assert data["law"] == "chinchilla"
    assert data["parameters"] == result.parameters
    assert data["objective"] == {"name": "mse-log", "value": result.value, "delta": None}
    assert data["certificate"] == result.certificate.to_json()
    assert {k: tuple(v) for k, v in data["intervals"].items()} == result.intervals(0.8)
    assert data["interval_level"] == 0.8
    assert data["n_points"] == 36
    assert data["notes"] == list(result.notes)
    assert data["bootstrap"]["draws"] == result.draws.tolist()


def test_fit_follows_its_options(capsys: Capture, grid_csv: str) -> None:
    box = "tokens:5e9:1e13"
    data = answered(
        capsys, "fit", grid_csv, "--law", "chinchilla", "--objective", "mse", "--bootstrap", "0", "--box", box,
        "--drop-highest-loss", "3",
    )  # fmt: skip
    selection = Selection(drop_highest_loss=3, box=(Range("tokens", 5e9, 1e13),))
    table = load([Upload.from_path(grid_csv)])
    result = fit(get_law("chinchilla"), table, get_objective("mse"), selection, 0)
    assert data["parameters"] == result.parameters
    assert data["n_points"] == result.n_points < 33
    assert data["intervals"] == {}


def test_fit_takes_all_checkpoints_when_asked(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [(n, d, 2 + 400 / n**0.3 + 2000 / d**0.35) for n in (1e8, 3e8, 1e9) for d in (1e9, 4e9, 2e10)]
    path.write_text("run,step,params,tokens,loss\n" + "".join(f"r{n:g},{d / 1e6},{n},{d},{x}\n" for n, d, x in rows))
    final, every = (answered(capsys, "fit", str(path), "--law", "power-n", *QUICK, "--checkpoints", points)
                    for points in ("final", "all"))  # fmt: skip
    assert (final["n_points"], every["n_points"]) == (3, 9)


def test_fit_without_a_law_takes_what_the_runs_support(capsys: Capture, grid_csv: str, ladder_csv: str) -> None:
    assert answered(capsys, "fit", grid_csv, *QUICK)["law"] == "chinchilla"
    assert answered(capsys, "fit", ladder_csv, *QUICK)["law"] == "power-c-offset"


def test_fit_for_people_names_intervals_and_certificate(capsys: Capture, grid_csv: str) -> None:
    text = said(capsys, "fit", grid_csv, "--law", "chinchilla", *QUICK, "--level", "0.8")
    for name in get_law("chinchilla").parameter_names:
        assert f"\n  {name:<6}" in text
    assert text.count("80% interval") == 5
    assert "certificate: good" in text


def test_fit_says_the_same_verdict_to_people_and_programs(capsys: Capture, grid_csv: str) -> None:
    verdict = answered(capsys, "fit", grid_csv, "--law", "chinchilla", "--bootstrap", "0", "--json")["verdict"]
    text = said(capsys, "fit", grid_csv, "--law", "chinchilla", "--bootstrap", "0")
    assert f"verdict: {verdict['grade']}\n  {verdict['solve']}" in text
    assert all(f"  ! {reason}" in text for reason in verdict["reasons"])


def test_fit_takes_every_setting(capsys: Capture, grid_csv: str) -> None:
    settings = ("--objective", "huber-log", "--delta", "0.01", "--weights", "flops^0.5", "--bound", "E=1:1.7",
                "--fix", "alpha=0.33", "--fix", "beta=0.35", "--method", "wild", "--bootstrap", "20")  # fmt: skip
    data = answered(capsys, "fit", grid_csv, "--law", "chinchilla", *settings)
    result = fit(
        get_law("chinchilla"),
        load([Upload.from_path(grid_csv)]),
        get_objective("huber-log").with_delta(0.01),
        resamples=20,
        weights="flops^0.5",
        constraints=parse_constraints("E=1:1.7;alpha=0.33;beta=0.35"),
        method="wild",
    )
    assert data["parameters"] == result.parameters
    assert data["bootstrap"]["draws"] == result.draws.tolist()
    assert data["objective"] == {"name": "huber-log", "value": result.value, "delta": 0.01}
    assert (data["weights"], data["bootstrap"]["method"]) == ("flops^0.5", "wild")
    assert data["constraints"] == ["E=1:1.7", "alpha=0.33", "beta=0.35"]
    assert (data["parameters"]["alpha"], data["parameters"]["beta"]) == (0.33, 0.35)
    assert data["parameters"]["E"] == pytest.approx(1.7)


def test_fit_takes_a_formula(capsys: Capture, grid_csv: str) -> None:
    typed = answered(capsys, "fit", grid_csv, "--formula", "E + A/N^alpha + B/D^beta", *QUICK)
    known = answered(capsys, "fit", grid_csv, "--law", "chinchilla", *QUICK)
    named = answered(capsys, "fit", grid_csv, "--law", "custom:E + A/N^alpha + B/D^beta", *QUICK)
    assert typed == named
    assert typed["law"] == "custom:E + A/N^alpha + B/D^beta"
    assert typed["objective"]["value"] == pytest.approx(known["objective"]["value"], rel=1e-9)
    assert typed["parameters"] == pytest.approx(known["parameters"], rel=1e-5)


def test_a_fit_of_a_formula_is_planned_from(capsys: Capture, grid_csv: str, tmp_path: Path) -> None:
    saved = tmp_path / "fit.json"
    saved.write_text(said(capsys, "fit", grid_csv, "--formula", "E + A/N^alpha + B/D^beta", *QUICK, "--json"))
    typed = answered(capsys, "plan", "--fit", str(saved), "--flops", "1e23")
    known = answered(capsys, "plan", grid_csv, "--law", "chinchilla", *QUICK, "--flops", "1e23")
    assert typed["params"] == pytest.approx(known["params"], rel=1e-4)
    assert typed["intervals"]["loss"] == pytest.approx(known["intervals"]["loss"], rel=1e-6)


@pytest.fixture(scope="module")
def accuracy_csv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Runs whose accuracy in percent is 90 − 20·(loss − 1.8), with no loss beside it."""
    frame = chinchilla_runs(0.003).frame[["run", "params", "tokens", "loss"]]
    path = tmp_path_factory.mktemp("metrics") / "accuracy.csv"
    frame.assign(accuracy=90 - 20 * (frame["loss"] - 1.8)).drop(columns="loss").to_csv(path, index=False)
    return str(path)


def test_a_metric_is_fitted_and_planned(capsys: Capture, accuracy_csv: str) -> None:
    options = ("--law", "chinchilla", "--metric", "accuracy:higher:100", *QUICK)
    data = answered(capsys, "fit", accuracy_csv, *options)
    assert data["metric"]["text"] == "accuracy:higher:100"
    assert "fitted is 100 − accuracy" in said(capsys, "fit", accuracy_csv, *options)
    answer = answered(capsys, "plan", accuracy_csv, *options, "--flops", "1e22")
    assert answer["metric"]["value"] == pytest.approx(100 - answer["cost"])
    assert answer["metric"]["interval"] == pytest.approx([100 - v for v in answer["intervals"]["cost"]][::-1])
    assert "loss" not in answer
    assert "loss" not in answer["intervals"]
    assert 78 < answer["metric"]["value"] < 86
    text = said(capsys, "plan", accuracy_csv, *options, "--flops", "1e22")
    (line,) = [each for each in text.splitlines() if each.startswith("  accuracy  ")]
    assert " to " in line
    assert "  loss " not in text


def test_plan_as_json(capsys: Capture, fit_json: str) -> None:
    data = answered(capsys, "plan", "--published", "besiroglu", "--flops", "5.76e23")
    expected = plan(basis_of_published(get_published("besiroglu")), Scenario(5.76e23))
    assert {"params", "tokens", "tokens_per_param", "loss", "intervals", "extrapolation", "notes"} <= set(data)
    assert data == json.loads(json.dumps(expected.to_json()))
    assert data["params"] == pytest.approx(7.22487e10, rel=1e-5)  # arXiv 2404.10102's constants, computed elsewhere
    own = answered(capsys, "plan", "--fit", fit_json, "--flops", "1e23", "--level", "0.8")
    assert own["intervals"].keys() == {"params", "tokens", "tokens_per_param", "loss"}
    assert own["interval_level"] == 0.8


def test_a_plan_is_the_same_by_file_of_runs_by_saved_fit_and_in_python(
    capsys: Capture, grid_csv: str, tmp_path: Path
) -> None:
    options = ("--law", "chinchilla", *QUICK)
    saved = tmp_path / "fit.json"
    saved.write_text(said(capsys, "fit", grid_csv, *options, "--json"))
    by_fit = answered(capsys, "plan", "--fit", str(saved), "--flops", "1e23")
    by_runs = answered(capsys, "plan", grid_csv, *options, "--flops", "1e23")
    result = fit(get_law("chinchilla"), load([Upload.from_path(grid_csv)]), get_objective("mse-log"), resamples=30)
    in_python = json.loads(json.dumps(plan(basis_of_fit(result), Scenario(1e23)).to_json()))
    assert by_fit == by_runs == in_python


@pytest.mark.parametrize(("text", "flops"), [("1e22 FLOPs", 1e22), ("10T", 1e13), ("1_000_000_000_000", 1e12)])
def test_budgets_are_read_as_people_write_them(capsys: Capture, text: str, flops: float) -> None:
    assert answered(capsys, "plan", "--published", "besiroglu", "--flops", text)["flops"] == flops


def test_plan_for_people_names_intervals(capsys: Capture, fit_json: str) -> None:
    text = said(capsys, "plan", "--fit", fit_json, "--flops", "1e23", "--level", "0.8")
    lines = text.splitlines()
    assert lines[0] == "With 1e23 FLOPs:"
    for title in ("parameters", "tokens", "tokens per parameter", "loss"):
        (line,) = [each for each in lines if each.startswith(f"  {title}  ")]
        assert " to " in line
    assert "In brackets: the middle 80% of what the draws of the law say." in lines
    assert "no intervals can be given" in said(capsys, "plan", "--published", "besi", "--flops", "1e23")


def refused(capsys: Capture, *arguments: str) -> str:
    """What is printed when a command is refused: one line on the error stream, nothing else, and status 2."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err


Files = dict[str, str]


@pytest.fixture
def files(tmp_path: Path, grid_csv: str, fit_json: str, root: Path) -> Files:
    written = {
        "text.json": "no fit\nat all",
        "list.json": "[1, 2]",
        "nan.json": Path(fit_json).read_text().replace('"E": 1', '"E": NaN, "x": 1'),
        "half.json": Path(fit_json).read_text()[:500],
        "deep.json": "[" * 100_000,
        "binary.json": "\x00\xff",
        "empty.csv": "",
        "two.csv": "params,tokens,loss\n1e8,1e9,3\n2e8,2e9,2.9\n",
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    (empty := tmp_path / "bare").mkdir()
    paths = {name: str(tmp_path / name) for name in (*written, "missing.csv", "missing.json")}
    return {**paths, "grid": grid_csv, "fit": fit_json, "gpt3": str(root / "sample_runs" / "gpt3.csv"),
            "bare": str(empty)}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("inspect {missing.csv}", ("missing.csv", "no such file")),
        ("inspect {bare}", ("bare",)),
        ("inspect {empty.csv}", ("empty.csv",)),
        ("inspect {grid} --map loss", ("loss=val_loss",)),
        ("inspect {grid} --map nothing=loss", ("nothing",)),
        ("inspect {grid} --map loss=absent", ("absent",)),
        ("fit {missing.csv} --law chinchilla", ("missing.csv", "no such file")),
        ("fit {grid} --law chinchila", ("chinchila", *LAWS)),
        ("fit {grid} --law chinchilla --delta 0.1 --objective mse", ("no delta",)),
        ("fit {grid} --law chinchilla --fix alpha=0.1:0.2", ("fixes nothing", "--bound alpha=0.1:0.2")),
        ("fit {grid} --law chinchilla --fix alpha", ("alpha=0.34",)),
        (
            "fit {grid} --law chinchilla --fix E=1.8 --fix A=400 --fix B=2000 --fix alpha=0.34 --fix beta=0.36",
            ("nothing is left to fit",),
        ),
        ("fit {grid} --law chinchilla --fix alpha=0.3 --bound alpha=0.2:0.5", ("alpha", "more than once")),
        ("fit {grid} --law chinchilla --bound gamma=0:1", ("gamma", "E, A, B")),
        ("fit {grid} --law chinchilla --weights colour", ("colour",)),
        ("fit {grid} --law chinchilla --method jackknife", ("jackknife", "pairs")),
        ("fit {grid} --metric accuracy", ("accuracy", "loss")),
        ("fit {grid} --metric loss:higher", ("lower is better",)),
        ("fit {grid} --formula E+A/N**a+@", ("“@”", "character 10")),
        ("fit {grid} --formula E+A*loss", ("reads the loss",)),
        ("fit {grid} --formula E+A*devices", ("reads nothing",)),
        ("fit {grid} --law ratio:devices/N", ("devices",)),
        ("fit {grid} --law chinchilla --objective rmse", ("rmse", "huber-log", "mae-log")),
        ("fit {gpt3} --law power-c", ("loss",)),
        ("fit {two.csv} --law chinchilla", ("at least 6 runs",)),
        ("fit {grid} --law chinchilla --box flops", ("flops:1e18:1e20",)),
        ("fit {grid} --law chinchilla --box depth:1:2", ("depth",)),
        ("plan --published besiroglu --flops 0", ("0 FLOPs", "1e22")),
        ("plan --published besiroglu --flops 1e41", ("1e41",)),
        ("plan --published besiroglu --flops=-1e20", ("-1e20",)),
        ("plan --published nobody --flops 1e22", ("nobody", *PUBLISHED)),
        ("plan --published hoffmann --flops 1e22", ("could be any of",)),
        ("plan --published besiroglu --fit {fit} --flops 1e22", ("one law",)),
        ("plan {grid} --published besiroglu --flops 1e22", ("one law",)),
        ("plan --flops 1e22", ("one law", "--published")),
        ("plan --fit {missing.json} --flops 1e22", ("missing.json", "no such file")),
        ("plan --fit {text.json} --flops 1e22", ("text.json", "not JSON")),
        ("plan --fit {half.json} --flops 1e22", ("half.json", "not JSON")),
        ("plan --fit {deep.json} --flops 1e22", ("deep.json", "not JSON")),
        ("plan --fit {binary.json} --flops 1e22", ("binary.json", "not JSON")),
        ("plan --fit {list.json} --flops 1e22", ("not a fit",)),
        ("plan --fit {nan.json} --flops 1e22", ("not a fit",)),
        ("plan --fit {grid} --flops 1e22", ("not JSON",)),
    ],
)
def test_what_a_person_can_mend_is_one_line_and_status_2(
    capsys: Capture, files: Files, command: str, words: tuple[str, ...]
) -> None:
    arguments = [files.get(part[1:-1], part) if part[0] == "{" else part for part in command.split(" ")]
    err = refused(capsys, *arguments)
    assert all(word in err for word in words), err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "COMMAND"),
        (["fit"], "FILE"),
        (["plan", "--published", "besiroglu", "--flops", "lots"], "lots"),
        (["fit", "x.csv", "--bootstrap", "-1"], "-1"),
        (["fit", "x.csv", "--bootstrap", "99999999999"], "at most 100,000"),
        (["fit", "x.csv", "--drop-highest-loss", "2.5"], "2.5"),
        (["fit", "x.csv", "--level", "1.0"], "1.0"),
        (["fit", "x.csv", "--delta", "-1"], "-1"),
        (["fit", "x.csv", "--law", "chinchilla", "--formula", "a*N"], "--formula"),
        (["fit", "x.csv", "--bytes-per-token", "0"], "0"),
        (["fit", "x.csv", "--loss-unit", "furlongs"], "furlongs"),
        (["guess", "x.csv"], "guess"),
    ],
)
def test_wrong_usage_is_status_2_and_names_the_argument(capsys: Capture, arguments: list[str], word: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert word in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": math.nan, "b": [math.inf, 1.5]}, {"a": None, "b": [None, 1.5]}),
        ({1: np.float64(0.1), "n": np.int64(3), "t": np.bool_(True)}, {"1": 0.1, "n": 3, "t": True}),
        ((1, "é", None, False), [1, "é", None, False]),
        ({"path": Path("x")}, {"path": "x"}),
    ],
)
def test_json_text_writes_what_json_can_hold(value: Any, text: Any) -> None:
    assert json.loads(json_text(value)) == text


def test_module_runs_as_a_program(root: Path, ladder_csv: str) -> None:
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    command = [sys.executable, "-m", "scaling_core", "inspect", ladder_csv, "no-such-file.csv"]
    ended = run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: no-such-file.csv: There is no such file.")
    assert ended.stderr.count("\n") == 1
