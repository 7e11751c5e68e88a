"""Every page on every sample: it says what it answers, and where it cannot answer it says what to do."""

import ast
import logging
from pathlib import Path

import pytest
import streamlit as st
from app_helpers import QUESTIONS, SAMPLES, WITHOUT_LOSS, calm, words
from streamlit.testing.v1 import AppTest

from scaling_core.runs import sample

WITH_LOSS = [s for s in SAMPLES if s not in WITHOUT_LOSS]


@pytest.mark.parametrize("name", SAMPLES)
def test_runs_shows_each_sample_and_what_can_be_done_with_it(open_page, name: str) -> None:
    at = calm(open_page("runs", runs=name))
    assert QUESTIONS["runs"] in words(at.markdown)
    assert sample(name).title in words(at.markdown)
    assert f"**{len(sample(name).uploads()[0].data.splitlines()) - 1} runs**" in words(at.markdown)
    assert len(at.get("vega_lite_chart")) == 1
    assert ("no loss, so no law can be fitted" in words(at.info)) == (name in WITHOUT_LOSS)


@pytest.mark.parametrize("name", WITH_LOSS)
@pytest.mark.parametrize("page", ["law", "plan"])
def test_law_and_plan_answer_on_a_sample_with_loss(open_page, page: str, name: str) -> None:
    at = calm(open_page(page, runs=name))
    assert QUESTIONS[page] in words(at.markdown)
    assert at.get("vega_lite_chart")


@pytest.mark.parametrize("name", WITHOUT_LOSS)
def test_without_loss_the_law_page_says_what_to_do_and_keeps_its_controls(open_page, name: str) -> None:
    at = open_page("law", runs=name)
    assert not at.exception
    assert len(at.error) == 1
    assert "no loss" in words(at.error)
    assert "say which column holds the loss" in words(at.error)
    assert {s.key for s in at.selectbox} >= {"law", "objective"}


@pytest.mark.parametrize("name", WITHOUT_LOSS)
def test_without_loss_the_plan_page_says_what_to_do_and_a_published_law_still_plans(open_page, name: str) -> None:
    at = open_page("plan", runs=name)
    assert len(at.error) == 1
    assert "open runs that have one" in words(at.error)
    if name == "gpt3":  # one is enough: the page knows nothing of the runs then
        at.selectbox(key="basis").set_value("besiroglu").run()
        calm(at)
        assert at.get("vega_lite_chart")


def test_a_failure_of_ours_is_worded_for_the_visitor_and_logged_for_us(caplog: pytest.LogCaptureFixture) -> None:
    def script() -> None:
        from pages.parts import frame

        frame.page("Broken", "Does it break?", lambda: 1 / 0)

    with caplog.at_level(logging.ERROR, logger="scaling_explorer"):
        at = AppTest.from_function(script, default_timeout=60).run()
    assert not at.exception
    assert "not your doing (ZeroDivisionError)" in words(at.error)
    assert "Traceback" not in words(at.error)
    (record,) = [r for r in caplog.records if r.name == "scaling_explorer"]
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def test_visitors_never_see_a_traceback() -> None:
    assert st.get_option("client.showErrorDetails") == "none"


def test_pages_hold_no_raw_html_but_the_style(root: Path) -> None:
    calls = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in (root / "pages").rglob("*.py")
        if path.name != "style.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (
            getattr(node.func, "attr", "") == "html"
            or any(k.arg == "unsafe_allow_html" for k in node.keywords)
            or ast.unparse(node.func).startswith("components.")
        )
    ]
    assert not calls
