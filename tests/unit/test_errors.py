"""The one error a person can cause."""

from __future__ import annotations

from scaling_core.errors import UserError


def test_an_error_says_where_what_and_how_to_mend_it_in_one_line() -> None:
    error = UserError("The loss is\nmissing.", where="a.csv, line 3", fix="Add  it.")
    assert error.line() == str(error) == "a.csv, line 3: The loss is missing. Add it."
    assert UserError("No runs.").line() == "No runs."
