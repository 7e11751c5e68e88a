"""What D counts, as far as runs say it."""

import pytest

from scaling_core.runs import Overrides, Upload, load, sample
from scaling_core.runs.counted import unit_of


@pytest.mark.parametrize(
    ("name", "unit"), [("ladder_images", "example"), ("ladder_classify", "example"), ("ladder_10min", "token")]
)
def test_samples_say_what_they_learned_from(name: str, unit: str) -> None:
    assert unit_of(load(sample(name).uploads())) == unit


@pytest.mark.parametrize(
    ("column", "unit"), [("images_seen", "image"), ("n_samples", "sample"), ("examplesSeen", "example"), ("D", "token")]
)
def test_the_column_that_is_taken_for_d_tells_its_unit(column: str, unit: str) -> None:
    file = Upload("a.csv", f"params,{column},loss\n1e6,1e5,3\n2e6,2e5,2.8\n".encode())
    assert unit_of(load([file], Overrides(columns={"tokens": column}))) == unit


def test_runs_that_disagree_or_say_odd_things_count_tokens() -> None:
    file = Upload("a.csv", b"params,tokens,loss,counted_in\n1e6,1e5,3,examples\n2e6,2e5,2.8,\n")
    assert unit_of(load([file])) == "token"
    file = Upload("a.csv", b"params,tokens,loss,counted_in\n1e6,1e5,3,<b>things</b>\n2e6,2e5,2.8,<b>things</b>\n")
    assert unit_of(load([file])) == "token"
