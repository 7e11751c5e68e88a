"""Links: opened first on a fresh server, reloaded, gone back from, and opened by somebody else."""

import pytest
from browser_helpers import (
    PATIENCE_MS,
    at_rest,
    chart,
    formula,
    go,
    link,
    open_page,
    points,
    query,
    watch,
)
from playwright.sync_api import Page, expect

CHOICES = {"runs": "cerebras_gpt", "law": "power-c", "objective": "mse-log", "box": "flops:1e18:1e22", "budget": "3e22"}
TEXT_COLOUR = "rgb(27, 36, 48)"  # of .streamlit/config.toml, not Streamlit's own


@pytest.mark.parametrize(
    ("name", "title", "choices", "said"),
    [
        ("", "Runs", {"runs": "pythia", "x": "params"}, "8 runs"),
        ("law", "Law", {"runs": "pythia", "law": "power-n"}, "Fitted to 8 points"),
        (
            "plan",
            "Plan",
            {"runs": "cerebras_gpt", "basis": "besiroglu", "budget": "5.76e23"},
            "Published without its uncertainty",
        ),
    ],
)
def test_a_link_opened_first_on_a_fresh_server_shows_its_page(
    serve, page: Page, name: str, title: str, choices: dict[str, str], said: str
) -> None:
    seen = watch(page)
    open_page(page, link(serve(), name, **choices), title)
    expect(page.get_by_text(said).first).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_role("link")).to_contain_text(["Runs", "Law", "Plan"])
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page.get_by_test_id("stApp")).to_have_css("color", TEXT_COLOUR)
    assert query(page) == choices
    chart(page, f"{title.lower()}_chart")
    seen.assert_clean()


def test_choices_survive_other_pages_a_reload_and_the_way_back(app_url: str, page: Page) -> None:
    seen = watch(page)
    open_page(page, link(app_url, "law", **CHOICES), "Law")
    law = formula(page)
    fitted = page.get_by_text("Fitted to 6 points")
    expect(fitted).to_be_visible()
    go(page, "Plan")
    readout = chart(page, "plan_chart")
    expect(readout).to_contain_text("With 3e22 FLOPs")
    assert query(page) == CHOICES
    numbers = readout.text_content() or ""

    page.reload()
    at_rest(page, "Plan")
    expect(chart(page, "plan_chart")).to_have_text(numbers)
    assert query(page) == CHOICES

    page.go_back()
    at_rest(page, "Law")
    expect(fitted).to_be_visible(timeout=PATIENCE_MS)
    assert formula(page) == law
    assert query(page) == CHOICES
    go(page, "Runs")
    expect(page.get_by_text("Fitting 6 runs inside the box")).to_be_visible()
    expect(points(page, "runs_chart")).to_have_count(7)
    seen.assert_clean()


def test_the_shared_link_shows_somebody_else_the_same(app_url: str, page: Page) -> None:
    open_page(page, link(app_url, "law", **CHOICES), "Law")
    law = formula(page)
    page.get_by_test_id("stPopover").get_by_role("button", name="Share").click()
    shared = page.get_by_test_id("stCode").inner_text().strip()
    assert shared.startswith(f"{app_url}/law?")
    assert page.context.browser
    other = page.context.browser.new_context()
    try:
        visitor = other.new_page()
        open_page(visitor, shared, "Law")
        assert formula(visitor) == law
        expect(visitor.get_by_text("Fitted to 6 points")).to_be_visible()
        go(visitor, "Plan")
        go(page, "Plan")
        numbers = chart(page, "plan_chart").text_content() or ""
        assert "With 3e22 FLOPs" in numbers
        expect(chart(visitor, "plan_chart")).to_have_text(numbers)
    finally:
        other.close()
