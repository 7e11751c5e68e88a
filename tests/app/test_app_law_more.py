"""Law, closer: every view and section draws, own formulas are fitted or refused, fits are kept and compared."""

from __future__ import annotations

import pytest
from app_helpers import calm, go, url, words
from ladder_file import ladder_csv
from streamlit.testing.v1 import AppTest

from pages.parts.state import LAW_SECTIONS
from scaling_core.runs import Upload, UploadStore


@pytest.fixture
def grid(workspace) -> str:
    """A file with a full grid of runs, opened by its hash."""
    return UploadStore(workspace).put(Upload("grid.csv", ladder_csv().encode()))


def charts(at: AppTest) -> int:
    return len(at.get("vega_lite_chart"))


@pytest.mark.parametrize("view", ["flops", "tokens", "params", "isoflop", "contours"])
def test_every_view_of_a_law_in_n_and_d_draws(open_page, grid: str, view: str) -> None:
    at = calm(open_page("law", runs=grid, view=view, section="keep"))
    assert charts(at) == 1


@pytest.mark.parametrize("section", LAW_SECTIONS)
def test_every_section_draws_something(open_page, grid: str, section: str) -> None:
    at = calm(open_page("law", runs=grid, section=section))
    assert charts(at) >= (1 if section == "keep" else 2)


def test_findings_stand_below_the_chart_with_what_to_do(open_page) -> None:
    at = calm(open_page("law", runs="cerebras_gpt", law="chinchilla"))
    said = words(at.markdown)
    assert "What to doubt" in words(at.subheader)
    assert ":orange[" in said or ":red[" in said


def test_a_formula_of_ones_own_is_fitted(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, section="parameters"))
    own = next(o for o in at.selectbox(key="law").options if "own formula" in o)
    at.selectbox(key="law").select(own).run()
    calm(at)
    assert url(at)["law"].startswith("custom:")
    at.text_input(key="formula").set_value("E + A/N**a + B/D**a").run()
    calm(at)
    table = next(d.value for d in at.dataframe if "parameter" in d.value)
    assert set(table["parameter"]) == {"E", "A", "B", "a"}


def test_a_formula_that_cannot_be_is_refused_where_it_is_typed_and_the_law_stays(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, law="custom:E + A/N**a", section="keep"))
    before = words(at.latex[:1])
    at.text_input(key="formula").set_value("E + __import__('os')").run()
    assert not at.exception
    assert len(at.error) == 1
    assert at.text_input(key="formula").value == "E + __import__('os')"
    assert words(at.latex[:1]) == before


def test_limits_fix_a_parameter_and_wrong_ones_are_refused_in_words(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, law="chinchilla", limits="alpha=0.3", section="parameters"))
    table = next(d.value for d in at.dataframe if "parameter" in d.value).set_index("parameter")
    assert table.loc["alpha", "value"].startswith("0.300")
    at.text_input(key="limits").set_value("gamma=1").run()
    assert "no parameter called" in words(at.error)


def test_a_kept_fit_comes_back_beside_the_one_on_screen_and_can_be_forgotten(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, section="keep"))
    at.text_input(key="fit_name").set_value("first")
    at.button(key="FormSubmitter:save_fit-Keep").click().run()
    calm(at)
    at.selectbox(key="law").set_value("chinchilla-tied").run()
    calm(at)
    side_by_side = at.dataframe[0].value
    assert list(side_by_side.columns) == ["This fit", "first"]
    assert side_by_side.loc["law", "This fit"] != side_by_side.loc["law", "first"]
    at.selectbox(key="forget_fit").set_value("first").run()
    at.button(key="forget_button").click().run()
    calm(at)
    assert "can be compared" in words(at.caption)


def test_what_is_copied_is_the_fit(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, section="keep"))
    assert any("PARAMETERS = {" in c.value for c in at.code)
    at.segmented_control(key="copy_as").set_value("LaTeX").run()
    assert any("begin{equation}" in c.value for c in calm(at).code)
    at.segmented_control(key="copy_as").set_value("JSON").run()
    assert any('"certificate"' in c.value for c in calm(at).code)


def test_the_plan_follows_the_law_that_was_chosen(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, law="gamma", section="keep"))
    go(at, "plan")
    calm(at)
    assert url(at)["law"] == "gamma"


def test_a_law_of_a_ratio_takes_its_columns_from_two_boxes(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, section="keep"))
    at.selectbox(key="law").select("Power law of a ratio").run()
    calm(at)
    assert url(at)["law"] == "ratio:tokens/params"
    at.selectbox(key="ratio_over").set_value("flops").run()
    calm(at)
    assert url(at)["law"] == "ratio:flops/params"


def test_another_metric_names_the_axis_and_says_what_is_fitted(open_page) -> None:
    at = open_page("law", runs="pythia", metric="n_layers", law="power-n", section="residuals")
    assert not at.exception
    assert "Fitted is n\\_layers" in "".join(m.value for m in at.markdown)
    assert "n_layers" in at.get("vega_lite_chart")[0].proto.spec


def test_a_profile_is_drawn_of_the_parameter_that_is_chosen(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, section="parameters"))
    assert "N\\* grows as C^" in "".join(m.value for m in at.markdown).replace("\\^", "^").replace("\\\\", "\\")
    before = charts(at)
    at.segmented_control(key="profile_of").set_value("alpha").run()
    calm(at)
    assert charts(at) == before + 1


def test_the_ranking_survives_other_points(open_page, grid: str) -> None:
    at = calm(open_page("law", runs=grid, section="laws"))
    at.slider(key="drop").set_value(9).run()
    calm(at)
    assert charts(at) >= 2
