"""JSON Lines and JSON arrays."""

import json

import pytest
from runs_helpers import error, notes, rejected, table

ROW = {"params": 1e8, "tokens": 1e9, "loss": 3.0}


def test_lines_with_nested_keys_and_missing_keys() -> None:
    runs = table(
        '{"model":{"n_params":1e8},"tokens":1e9,"eval/loss":3}\n\n{"model":{"n_params":"70M"},"tokens":2e9,"eval/loss":2.9,"tag":[1,2]}\n'
    )
    assert runs.frame["params"].tolist() == [1e8, 7e7]
    assert runs.frame["line"].tolist() == [1, 3]
    assert runs.frame["tag"].tolist()[1] == "[1, 2]"
    assert runs.sources[0].format == "JSON Lines"


def test_a_broken_line_is_rejected_alone() -> None:
    runs = table(f'{json.dumps(ROW)}\n{{"params": 1e8, "tok\n[1]\n{json.dumps(ROW | {"loss": 2.5})}\n')
    assert runs.frame["loss"].tolist() == [3.0, 2.5]
    assert "not valid JSON" in rejected(runs)[2]
    assert "not a JSON object" in rejected(runs)[3]


def test_an_array_of_objects_knows_its_lines_and_is_used_up_to_where_it_breaks_off() -> None:
    runs = table(
        f'[\n{json.dumps(ROW)},\n\n{json.dumps(ROW | {"loss": 2.5})}, {json.dumps(ROW | {"loss": 2.4})},\n{{"par'
    )
    assert runs.frame["line"].tolist() == [2, 4, 4]
    assert list(rejected(runs)) == [5]
    assert "array" in runs.sources[0].format


def test_one_object_over_many_lines_is_one_row() -> None:
    assert table(json.dumps(ROW, indent=2)).frame["loss"].tolist() == [3.0]


def test_nan_and_infinity_literals_and_huge_integers() -> None:
    text = '{"params":1e8,"tokens":1e9,"loss":NaN}\n{"params":1e8,"tokens":Infinity,"loss":3}\n'
    text += (
        '{"params":1' + "0" * 5000 + ',"tokens":1e9,"loss":3}\n{"params":100000000000000000000,"tokens":1e9,"loss":3}\n'
    )
    runs = table(text)
    assert runs.frame["params"].tolist() == [1e20]
    assert "blank" in rejected(runs)[1]
    assert "“tokens” is inf" in rejected(runs)[2]
    assert "“params” is inf" in rejected(runs)[3]


def test_half_a_surrogate_pair_does_no_harm() -> None:
    runs = table('{"run":"\\ud800x","\\udc00":1,"params":1e8,"tokens":1e9,"loss":3}\n')
    assert runs.frame["run"].tolist() == ["?x"]
    assert runs.digest


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[1, 2, 3]", "not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "nested too deeply"),
        ("[]", "holds no runs"),
        ('{"params": ', "not valid JSON"),
        ('{"log_history": [{"loss": 1}]}', "No column for parameters"),
        (json.dumps({f"k{i}": i for i in range(3000)}), "limit of 2,000"),
    ],
)
def test_json_that_holds_no_runs_is_refused(text: str, what: str) -> None:
    assert what in error(text, "runs.json").what


def test_deep_nesting_is_flattened_so_far_and_then_kept_as_text() -> None:
    deep = '{"a":' * 40 + "1" + "}" * 40
    runs = table(json.dumps(ROW)[:-1] + f', "deep": {deep}}}')
    assert any(name.startswith("deep.a.a") for name in runs.frame.columns)
    assert "No loss" not in notes(runs)
