"""A fit as text and as JSON: nothing is lost on the way, and what is no fit is refused."""

from __future__ import annotations

import copy
import json
import math
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import chinchilla_runs, fitted, noise, table

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, Selection
from scaling_core.planning import Scenario, basis_of_fit, plan

X = np.geomspace(1e7, 1e11, 14)


@pytest.fixture(scope="module", params=["chinchilla", "power-c-offset", "power-n"])
def result(request: pytest.FixtureRequest) -> FitResult:
    if request.param == "chinchilla":
        return fitted(chinchilla_runs(0.01), objective="mse-log", resamples=40, selection=Selection("final", 2))
    return fitted(table(X, 20 * X, (2 + 40 * X**-0.2) * noise(14, 0.01)), request.param, "mse-log", 40)


@pytest.fixture(scope="module", params=["chinchilla", "power-n"])
def saved(request: pytest.FixtureRequest) -> dict[str, Any]:
    result = fitted(chinchilla_runs(0.01), request.param, "mse-log", resamples=5)
    return json.loads(json.dumps(result.to_json(), allow_nan=False))


def test_json_keeps_every_digit(result: FitResult) -> None:
    again = FitResult.from_json(json.loads(json.dumps(result.to_json(0.8), allow_nan=False)))
    assert again.parameters == result.parameters
    assert again.draws.tolist() == result.draws.tolist()
    assert again.intervals(0.95) == result.intervals(0.95)
    assert again.standard_errors() == result.standard_errors()
    assert again.certificate == result.certificate
    for name in ("objective", "value", "n_points", "ranges", "lines", "notes", "seed"):
        assert getattr(again, name) == getattr(result, name), name
    x = {name: np.array([3e8, 4e12]) for name in result.law.predictors}
    for mine, theirs in zip(again.predict(x, 0.8), result.predict(x, 0.8), strict=True):
        assert mine.tolist() == theirs.tolist()
    assert again.to_json(0.8) == result.to_json(0.8)


@pytest.mark.parametrize("flops", [1e17, 5.76e23])
def test_a_plan_from_the_file_is_the_plan_from_the_fit(result: FitResult, flops: float) -> None:
    again = FitResult.from_json(json.loads(json.dumps(result.to_json())))
    assert plan(basis_of_fit(again), Scenario(flops)) == plan(basis_of_fit(result), Scenario(flops))


def test_json_says_what_it_holds(result: FitResult) -> None:
    data = result.to_json(0.8)
    assert data["law"] == result.law.name
    assert data["parameters"] == result.parameters
    assert data["objective"] == {"name": "mse-log", "value": result.value, "delta": None}
    assert (data["metric"]["column"], data["weights"], data["constraints"]) == ("loss", "", [])
    assert {"gradient_norm", "starts", "starts_agreeing", "on_bound", "grade"} <= set(data["certificate"])
    assert data["interval_level"] == 0.8
    assert {k: tuple(v) for k, v in data["intervals"].items()} == result.intervals(0.8)
    assert len(data["bootstrap"]["draws"]) == 40


def test_a_fit_read_back_has_no_runs_to_scatter(saved: dict[str, Any]) -> None:
    assert math.isnan(FitResult.from_json(saved).scatter())


@pytest.mark.parametrize("data", [None, [], [1, 2], {}, "fit", 3], ids=repr)
def test_what_is_no_object_of_a_fit_is_refused(data: Any) -> None:
    with pytest.raises(UserError, match="not a fit"):
        FitResult.from_json(data)


@pytest.mark.parametrize("saved", ["chinchilla"], indirect=True)
@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("law",), "power-c"),  # its parameters are not there
        (("law",), "unheard of"),
        (("law",), ["chinchilla"]),
        (("parameters",), {"A": 400.0}),
        (("parameters", "A"), None),
        (("parameters", "A"), "big"),
        (("parameters", "A"), math.nan),
        (("parameters", "A"), -1.0),
        (("parameters", "alpha"), 3.5),
        (("bootstrap", "draws"), [[1.0, 2.0]] * 5),  # ten numbers could be two draws of five
        (("bootstrap", "draws"), [[1.0], [1.0, 2.0]]),
        (("bootstrap", "draws", 2, 1), math.inf),
        (("bootstrap", "draws", 2, 1), None),
        (("certificate",), "good"),
        (("certificate", "grade"), "excellent"),
        (("ranges",), [1, 2]),
        (("ranges", "flops"), [1e18]),
        (("ranges", "flops"), [0, 0]),  # nothing can be so many times beyond zero
        (("lines",), "abc"),
        (("lines", "params"), {"slope": 1.0}),
        (("lines", "params", "slope"), "steep"),
        (("lines", "params", "slope"), float("inf")),
        (("lines", "params", "n"), 2),
        (("n_points",), math.inf),
        (("notes",), None),
        (("objective", "name"), "rmse"),
        (("objective", "name"), ["mse"]),
        (("bootstrap", "method"), "jackknife"),
        (("metric", "best"), math.nan),
        (("metric", "best"), None),
        (("metric", "best"), -math.inf),
    ],
    ids=str,
)
def test_a_fit_with_an_impossible_part_is_refused(saved: dict[str, Any], way: tuple[Any, ...], value: Any) -> None:
    data = copy.deepcopy(saved)
    put(data, way, value)
    with pytest.raises(UserError) as caught:
        FitResult.from_json(data)
    assert caught.value.fix


def put(data: Any, way: tuple[Any, ...], value: Any) -> None:
    for key in way[:-1]:
        data = data[key]
    data[way[-1]] = value


def test_an_infinite_condition_that_json_lost_comes_back(saved: dict[str, Any]) -> None:
    data = copy.deepcopy(saved)
    put(data, ("certificate", "condition"), None)  # what strict JSON has in place of infinity
    assert FitResult.from_json(data).certificate.condition == math.inf


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value, without going into long lists."""
    inner = data.items() if isinstance(data, dict) else enumerate(data[:2]) if isinstance(data, list) else ()
    return [path, *(p for key, value in inner for p in paths(value, (*path, key)))]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_fit_plans_or_is_refused(saved: dict[str, Any], data: st.DataObject) -> None:
    damaged = copy.deepcopy(saved)
    junk = st.sampled_from([None, "", "x", [], {}, -1, 0, math.inf, math.nan, True, [1], {"a": 1}, [[]]])
    put(damaged, data.draw(st.sampled_from(paths(saved)[1:])), data.draw(junk))
    with suppress(UserError):
        plan(basis_of_fit(FitResult.from_json(damaged)), Scenario(1e22))


def test_summary_names_parameters_intervals_and_certificate(result: FitResult) -> None:
    text = result.summary(0.9)
    assert f"{result.value:.14g}" in text
    for name, (low, high) in result.intervals(0.9).items():
        assert f"  {name:<6}" in text
        assert f"90% interval {low:.5g} to {high:.5g}" in text
    assert f"certificate: {result.certificate.grade}" in text
    assert f"of {result.certificate.starts} starts agree" in text
    assert all(note in text for note in (*result.notes, *result.certificate.reasons))
