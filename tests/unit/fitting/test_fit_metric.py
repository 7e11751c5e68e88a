"""A metric where higher is better, from the file to the prediction shown again as what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted, noise

from scaling_core.fitting import FitResult
from scaling_core.runs import Upload, load

FLOPS = np.geomspace(1e18, 1e22, 12)


@pytest.fixture(scope="module")
def accuracy_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose accuracy is .95 − 40·C^−.1 up to noise in the distance, in percent, with their loss beside it."""
    params = (FLOPS / 120) ** 0.5
    distance = 40 * FLOPS**-0.1 * noise(12, 0.001)
    path = tmp_path_factory.mktemp("metrics") / "accuracy.csv"
    lines = [f"{n:.17g},{20 * n:.17g},{3 - 0.1 * i},{100 * (0.95 - d):.17g}"
             for i, (n, d) in enumerate(zip(params, distance, strict=True))]  # fmt: skip
    path.write_text("\n".join(["params,tokens,loss,accuracy", *lines]))
    return path


@pytest.fixture(scope="module")
def result(accuracy_csv: Path) -> FitResult:
    runs = load([Upload.from_path(accuracy_csv)]).measured_by("accuracy:higher:100")
    return fitted(runs, "power-c-offset", "mse-log", 40)


def test_the_law_behind_the_accuracy_is_found(result: FitResult) -> None:
    assert result.metric.text == "accuracy:higher:100"
    assert result.parameters["b"] == pytest.approx(0.1, abs=0.005)
    assert result.parameters["c"] == pytest.approx(5.0, abs=1.0)


def test_predictions_are_shown_as_accuracy(result: FitResult) -> None:
    x = {"flops": np.array([1e19, 1e21])}
    cost = result.predict(x, 0.8)
    shown = result.shown(cost)
    np.testing.assert_allclose(shown.value, 95 - 4000 * x["flops"] ** -0.1, rtol=0.01)
    np.testing.assert_array_equal(shown.value, 100 - cost.value)
    np.testing.assert_array_equal(shown.low, 100 - cost.high)
    np.testing.assert_array_equal(shown.high, 100 - cost.low)
    assert (shown.low < shown.value).all()
    assert (shown.value < shown.high).all()


def test_text_and_json_speak_of_the_metric(result: FitResult) -> None:
    assert "fitted is 100 − accuracy" in result.summary()
    data = json.loads(json.dumps(result.to_json()))
    assert data["metric"] == {"column": "accuracy", "title": "accuracy", "higher_is_better": True, "best": 100.0,
                              "text": "accuracy:higher:100", "fitted": "100 − accuracy"}  # fmt: skip
    again = FitResult.from_json(data)
    assert again.metric == result.metric
    x = {"flops": np.array([1e20])}
    assert again.shown(again.predict(x)).value.tolist() == result.shown(result.predict(x)).value.tolist()


def test_a_fit_of_loss_says_nothing_of_metrics() -> None:
    loss = fitted(chinchilla_runs(0.01), "power-c-offset", "mse-log", 5)
    assert "fitted is" not in loss.summary()
    assert loss.to_json()["metric"]["text"] == "loss"
    band = loss.predict({"flops": np.array([1e20])})
    for cost, shown in zip(band, loss.shown(band), strict=True):
        np.testing.assert_array_equal(cost, shown)


def test_from_loss_to_a_core_score(reference: Path) -> None:
    """47 runs of Sardana et al. 2024: the average score on the core tasks follows the loss far closer than size."""
    runs = load([Upload.from_path(reference / "runs" / "inference_aware_47.csv")]).measured_by("core_average")
    assert (runs.metric.higher_is_better, runs.metric.best) == (True, 1.0)
    by_size, by_loss, typed = (
        fitted(runs, law, "mse") for law in ("chinchilla", "metric-exponential", "custom:epsilon - k*exp(-gamma*L)")
    )
    assert by_size.n_points == by_loss.n_points == 47
    assert by_loss.value < by_size.value / 10
    assert typed.value == pytest.approx(by_loss.value, rel=1e-9)
    rows = by_loss.points
    shown = by_loss.metric.shown(rows["predicted"].to_numpy())
    assert np.abs(shown - rows["core_average"].to_numpy()).max() < 0.02
