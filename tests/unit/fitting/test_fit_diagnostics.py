"""The list of findings as a whole: few on healthy runs, worst first, and one source with the certificate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_runs import chinchilla_loss, chinchilla_runs, fitted, grid, noise, noisy_fit, table

from scaling_core.fitting import Constraint, FitResult, Selection
from scaling_core.fitting.diagnostics import DIAGNOSTICS, Evidence, Finding, diagnose
from scaling_core.fitting.doubts import doubts
from scaling_core.fitting.finding import SEVERITIES
from scaling_core.runs import RunTable, Upload, load

GOPHER = 5.76e23
#: The looks that lower the grade of a fit.
GRADING = {"convergence", "starts", "bounds", "spare", "condition", "collinear", "epochs", "far off", "scatter"}
X = np.geomspace(1e7, 1e10, 12)


def names(found: tuple[Finding, ...], *severities: str) -> list[str]:
    return [f.name for f in found if not severities or f.severity in severities]


@pytest.fixture(scope="module")
def points(reference: Path) -> RunTable:
    return load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])


@pytest.mark.parametrize(("size", "seed"), [(0.0, 0), (0.005, 2)])
def test_a_healthy_grid_has_nothing_against_it(size: float, seed: int) -> None:
    runs = chinchilla_runs(size, seed)
    found = diagnose(runs, fitted(runs, resamples=60))
    assert names(found, "problem", "doubt") == []
    assert names(found, "info") in ([], ["unsaid"], ["objective", "unsaid"])
    assert names(found, "good") == ["convergence", "largest held out"]


def test_the_chinchilla_points_show_a_handful(points: RunTable) -> None:
    fit = fitted(points, resamples=200, selection=Selection(drop_highest_loss=5))
    found = diagnose(points, fit, GOPHER)
    assert names(found) == ["highest losses", "extrapolation", "largest held out", "objective", "unsaid", "convergence"]
    assert [f.severity for f in found] == ["doubt"] * 3 + ["info"] * 2 + ["good"]
    by_name = {f.name: f for f in found}
    assert by_name["highest losses"].number == pytest.approx(6.816, abs=1e-3)
    assert "With the 5 highest losses, left out here" in by_name["highest losses"].text
    assert "6.82 tokens per parameter rather than 17.9 (at 5.76e23 FLOPs)" in by_name["highest losses"].text
    assert by_name["extrapolation"].number == pytest.approx(GOPHER / points.frame["flops"].max(), rel=1e-9)
    assert by_name["objective"].number == pytest.approx(14.267, abs=1e-3)
    assert by_name["unsaid"].number == 6


def test_the_outliers_are_seen_where_they_are_fitted(points: RunTable) -> None:
    found = diagnose(points, fitted(points))
    by_name = {f.name: f for f in found}
    assert {"highest losses", "far off", "objective"} <= set(names(found, "doubt"))
    assert "Without the 2 highest losses the answer is 12.7" in by_name["highest losses"].text
    assert by_name["highest losses"].number == pytest.approx(21.77, abs=0.01)  # without 12


def test_a_finding_carries_the_name_of_its_look_and_what_to_do() -> None:
    n, d = grid(4, 4)
    runs = table(n, d, chinchilla_loss(n, d) * noise(16, 0.1, 1), unique_tokens=1e10)
    evidence = Evidence(runs, fitted(runs, objective="mse-log", resamples=60), 1e24)
    looked = [(d.name, d.look(evidence)) for d in DIAGNOSTICS]
    found = [finding for _, finding in looked if finding]
    assert len(found) > 5
    assert all(finding is None or finding.name == name for name, finding in looked)
    assert all(f.text.endswith(".") and (f.fix or f.severity == "good") for f in found)
    assert len({d.name for d in DIAGNOSTICS}) == len(DIAGNOSTICS)
    assert {f.severity for f in found} == set(SEVERITIES)


@pytest.mark.parametrize(
    ("runs", "law"),
    [
        (table(X, 20 * X, chinchilla_loss(X, 20 * X) * noise(12, 0.01)), "chinchilla"),
        (table(X, 7e9, 30 * X**-0.15 - 0.2), "power-n-offset"),
        (table(*(v[:7] for v in grid(3, 3)), chinchilla_loss(*grid(3, 3))[:7] * noise(7, 0.003)), "chinchilla"),
        (table(*grid(), chinchilla_loss(*grid()) * noise(36, 0.2)), "chinchilla"),
        (table(*grid(), chinchilla_loss(*grid()), unique_tokens=1e10), "chinchilla"),
        (table(*grid(), np.full(36, 3.0)), "chinchilla"),
    ],
    ids=["one line", "bound", "few", "scatter", "repeats", "equal"],
)
def test_what_lowers_the_grade_is_among_the_findings(runs: RunTable, law: str) -> None:
    fit = fitted(runs, law, "mse-log")
    assert fit.certificate.grade == "doubtful"
    found = [d.look(Evidence(runs, fit)) for d in DIAGNOSTICS if d.name in GRADING]
    assert set(fit.certificate.reasons) == {f.text for f in found if f and f.severity != "good"}


def test_doubts_of_the_runs_are_findings_and_lower_the_grade() -> None:
    runs = chinchilla_runs(0.01)
    rows = runs.frame.assign(unique_tokens=1e10)
    found = doubts(noisy_fit().law, rows, np.full(36, 0.06))
    assert names(found) == ["epochs", "scatter"]
    lowered = noisy_fit().certificate.with_doubts(found)
    assert lowered.grade == "doubtful"
    assert lowered.reasons == tuple(f.text for f in found)
    assert noisy_fit().certificate.with_doubts(()) is noisy_fit().certificate


def test_a_fit_from_a_file_is_judged_by_what_it_holds() -> None:
    runs = chinchilla_runs(0.01)
    again = FitResult.from_json(fitted(runs, objective="mse-log", resamples=60).to_json())
    assert names(diagnose(runs, again)) == ["convergence"]
    failed = replace(again, certificate=replace(again.certificate, gradient_norm=0.3, starts_agreeing=1))
    assert names(diagnose(runs, failed), "problem", "doubt") == ["convergence", "starts"]


@pytest.mark.parametrize("law", ["power-c-offset", "gamma"])
def test_every_look_copes_with_other_laws(law: str) -> None:
    runs = chinchilla_runs(0.01, sizes=5, lengths=4)
    found = diagnose(runs, fitted(runs, law, "mse-log", resamples=10), 1e23)
    assert "convergence" in names(found)
    order = [SEVERITIES.index(f.severity) for f in found]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "missing", [{"flops": np.nan}, {"params": np.nan, "flops": np.nan}, {"tokens": np.nan, "flops": np.nan}]
)
def test_every_look_copes_with_columns_that_hold_nothing(missing: dict[str, float]) -> None:
    runs = chinchilla_runs(0.01)
    runs = replace(runs, frame=runs.frame.assign(**missing))
    law = "power-d" if "params" in missing else "power-n" if "tokens" in missing else "chinchilla"
    assert "convergence" in names(diagnose(runs, fitted(runs, law, "mse-log")))


def test_every_look_copes_with_weights_limits_and_checkpoints() -> None:
    runs = chinchilla_runs(0.01)
    runs = replace(
        runs, frame=runs.frame.assign(run=[f"run {i // 3}" for i in range(36)], is_final=np.arange(36) % 3 == 2)
    )
    fit = fitted(
        runs,
        objective="mse-log",
        resamples=60,
        selection=Selection("all"),
        weights="flops^0.5",
        constraints=(Constraint("alpha", 0.1, 0.3),),
    )
    found = diagnose(runs, fit)
    assert fit.certificate.on_bound == ("alpha",)
    assert "bounds" in names(found, "doubt")
    assert "narrow" not in names(found)


def test_the_runs_that_a_robust_fit_goes_through_are_not_what_is_typical() -> None:
    law = noisy_fit().law
    rows = chinchilla_runs(0.01).frame.head(11)
    through, scattered = [0.0002, 0.0003, 0.0004, 0.0004, 0.0007], [0.0009, 0.0012, 0.0035, 0.0073, 0.0138, 0.0164]
    assert doubts(law, rows, np.array(through + scattered)) == ()
    outlier = np.array([*through, 0.0009, 0.0012, 0.0013, 0.0015, 0.0018, 0.03])
    assert names(doubts(law, rows, outlier)) == ["far off"]
