"""`plan` takes every part of a scenario, and says it as JSON and in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.cli import main
from scaling_core.fitting import FitResult
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.judged import JudgedFit
from scaling_core.planning import Demand, Scenario, Terms, basis_of_published, get_hardware, get_published, plan
from scaling_core.planning.downstream import loss_for

SARDANA = ["plan", "--published", "devries_sardana"]
BASIS = basis_of_published(get_published("devries_sardana"))
Capture = pytest.CaptureFixture[str]


def report(capsys: Capture, *arguments: str) -> dict:
    assert main([*SARDANA, *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_published_lifetime_case(capsys: Capture) -> None:
    """Sardana et al. 2023, arXiv 2401.00448: the quality of a 13B model, 2T tokens of inference."""
    found = report(capsys, "--loss", "2.04528", "--inference-tokens", "2T")
    assert found["params"] == pytest.approx(6.9686e9, rel=2e-4)
    assert found["tokens"] == pytest.approx(1.2478e12, rel=2e-4)
    assert 100 * found["lifetime_saving"] == pytest.approx(17.45, abs=0.01)
    assert found["lifetime_flops"] == pytest.approx(6 * found["params"] * found["tokens"] + 4e12 * found["params"])


@pytest.mark.parametrize(
    ("said", "flops"),
    [
        (["--usd", "60k"], 60e3 / 2.5 * 3600 * 989.4e12 * 0.4),
        (["--gpu-hours", "24000"], 24e3 * 3600 * 989.4e12 * 0.4),
        (["--days", "10", "--gpus", "8", "--mfu", "0.5"], 10 * 8 * 86400 * 989.4e12 * 0.5),
        (["--budget", "$60k", "--price", "2"], 30e3 * 3600 * 989.4e12 * 0.4),
        (["--flops", "1e23"], 1e23),
        (["--gpu-hours", "100", "--hardware", "a100 sxm 80", "--lost", "0.1"], 100 * 3600 * 312e12 * 0.4 * 0.9),
    ],
)
def test_every_unit_of_budget(capsys: Capture, said: list[str], flops: float) -> None:
    found = report(capsys, *said)
    assert found["flops"] == pytest.approx(flops, rel=1e-12)
    assert ("cost_usd" in found) == (said[0] != "--flops")


def test_the_answer_is_the_librarys_to_the_last_digit(capsys: Capture, tmp_path: Path) -> None:
    arguments = ["--flops", "1e23", "--unique-tokens", "100B", "--inference-tokens", "1T", "--hardware", "B200 SXM",
                 "--gpus", "64", "--mfu", "0.35", "--precision", "fp8"]  # fmt: skip
    terms = Terms(get_hardware("B200 SXM"), precision="fp8", mfu=0.35, n_gpus=64)
    asked = Scenario(1e23, unique_tokens=1e11, demand=Demand(1e12), terms=terms)
    expected = json.loads(json.dumps(plan(BASIS, asked).to_json()))
    assert report(capsys, *arguments) == expected
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(asked.to_json()))
    assert report(capsys, "--scenario", str(file)) == expected
    assert {"epochs", "cost_usd", "gpu_hours", "days", "lifetime_flops", "lifetime_saving"} <= set(expected)


def test_as_good_as_a_model(capsys: Capture) -> None:
    """70B on 1T tokens has a loss of 1.947 (the repository beyond-chinchilla, README)."""
    found = report(capsys, "--as-good-as", "70B on 1T")
    assert found["loss"] == pytest.approx(1.947273, abs=6e-7)
    assert found["flops"] < 6 * 70e9 * 1e12


def test_words_for_people(capsys: Capture) -> None:
    assert main([*SARDANA, "--usd", "2M", "--inference-tokens", "1T"]) == 0
    said = capsys.readouterr().out
    for word in ("cost", "accelerator-hours", "time", "saved over its life"):
        assert word in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs a budget"),
        (["--flops", "1e22", "--usd", "5"], "2 budgets"),
        (["--loss", "1.2"], "no model comes below 1.69"),
        (["--usd", "5", "--hardware", "H900"], "no accelerator called"),
        (["--budget", "a lot"], "a lot"),
        (["--flops", "1e22", "--mfu", "1.4"], "MFU"),
        (["--scenario", "nowhere.json"], "nowhere.json"),
        (["--flops", "1e22", "--hardware", "TPU v5p", "--precision", "fp4"], "fp4"),
    ],
)
def test_what_a_person_can_mend_is_one_line_and_status_2(capsys: Capture, arguments: list[str], said: str) -> None:
    assert main([*SARDANA, *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_other_options_take_the_place_of_what_a_saved_scenario_says(capsys: Capture, tmp_path: Path) -> None:
    saved = Scenario(1e22, level=0.8, demand=Demand(1e12), terms=Terms(get_hardware("B200 SXM"), mfu=0.3, n_gpus=64))
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(saved.to_json()))
    other = ["--level", "0.5", "--gpus", "8", "--params", "7B", "--unique-tokens", "1T", "--usd", "50k"]
    assert main([*SARDANA, "--scenario", str(file), *other, "--json"]) == 0
    said = capsys.readouterr()
    flops = 50e3 / get_hardware("B200 SXM").price.typical * 3600 * get_hardware("B200 SXM").peak() * 0.3
    asked = Scenario(flops, 0.5, params=7e9, unique_tokens=1e12, demand=Demand(1e12),
                     terms=Terms(get_hardware("B200 SXM"), mfu=0.3, n_gpus=8))  # fmt: skip
    assert json.loads(said.out) == json.loads(json.dumps(plan(BASIS, asked).to_json()))
    assert "--usd, --level, --params, --unique-tokens, --gpus in place of" in said.err


def test_shares_and_prices_as_people_write_them(capsys: Capture) -> None:
    plain = report(capsys, "--usd", "1000", "--mfu", "0.35", "--price", "3")
    assert report(capsys, "--usd", "1 thousand", "--mfu", "35%", "--price", "$3.00/h") == plain


def test_a_budget_out_of_proportion_is_asked_about(capsys: Capture) -> None:
    assert main([*SARDANA, "--budget", "5"]) == 0
    said = capsys.readouterr()
    assert "Did you mean 5e21?" in said.err


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, FitResult]:
    """A file of a fit from the loss to an accuracy, and the fit."""
    runs = chinchilla_runs()
    runs.frame["accuracy"] = 1 - (0.85 - 2.08 * np.exp(-0.756 * runs.frame["loss"]))
    made = fitted(runs.measured_by("accuracy"), "metric-exponential", "mse-log", 20)
    path = tmp_path_factory.mktemp("fit") / "accuracy.json"
    path.write_text(json.dumps(made.to_json()))
    return str(path), made


def test_an_accuracy_is_a_goal_where_a_mapping_is_given(capsys: Capture, mapping: tuple[str, FitResult]) -> None:
    path, fit = mapping
    found = report(capsys, "--as-good-as", "accuracy 55%", "--downstream", path)
    assert found["loss"] == pytest.approx(loss_for(fit, 0.45), rel=1e-9)
    (reached,) = found["downstream"]
    assert reached["metric"] == "accuracy:higher:1"
    assert reached["value"] == pytest.approx(0.55, abs=1e-9)
    assert reached["low"] <= 0.55 <= reached["high"]
    assert main([*SARDANA, "--flops", "1e23", "--downstream", path]) == 0
    assert "  accuracy               0." in capsys.readouterr().out


def test_a_law_of_loss_is_no_mapping(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text(json.dumps(fitted(chinchilla_runs()).to_json()))
    assert main([*SARDANA, "--flops", "1e23", "--downstream", str(path)]) == 2
    assert "does not read a loss" in capsys.readouterr().err


def test_a_file_of_a_fit_carries_what_was_found_of_it(capsys: Capture, tmp_path: Path) -> None:
    found = (Finding("far", "doubt", "One run lies far off."),)
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(JudgedFit(fitted(chinchilla_runs()), found).to_json()))
    assert main(["plan", "--fit", str(path), "--flops", "1e22"]) == 0
    assert "The fit behind this plan is doubtful: One run lies far off." in capsys.readouterr().out


def test_a_level_beside_a_scenario_takes_the_place_of_its_own(capsys: Capture, tmp_path: Path) -> None:
    fit, saved = tmp_path / "fit.json", tmp_path / "scenario.json"
    fit.write_text(json.dumps(fitted(chinchilla_runs(0.01), resamples=60).to_json()))
    saved.write_text(json.dumps(Scenario(1e22, level=0.5).to_json()))
    widths = []
    for level in ([], ["--level", "0.9"]):
        assert main(["plan", "--fit", str(fit), "--scenario", str(saved), *level, "--json"]) == 0
        out = capsys.readouterr()
        answer = json.loads(out.out)
        widths.append((answer["interval_level"], answer["intervals"]["loss"][1] - answer["intervals"]["loss"][0]))
        assert ("--level in place" in out.err) is bool(level)
    assert [level for level, _ in widths] == [0.5, 0.9]
    assert widths[1][1] > widths[0][1]
