"""A hand on the sliders that live in a chart: the backtest's cut and the valley's size, without asking the server."""

import pytest
from browser_helpers import PATIENCE_MS, RANGE, at_rest, chart, drop, go, link, open_page, query, watch
from ladder_file import COUNT, ladder_csv
from playwright.sync_api import Page, expect


@pytest.fixture
def grid(app_url: str, page: Page) -> Page:
    open_page(page, app_url, "Runs")
    drop(page, ("grid.csv", ladder_csv()))
    expect(page.get_by_test_id("stMain").get_by_text(f"· {COUNT} runs").first).to_be_visible(timeout=PATIENCE_MS)
    at_rest(page, "Runs")
    return page


def slide(page: Page, key: str) -> None:
    """Move the slider of a chart and see its read-out follow, with nothing sent."""
    seen = watch(page)
    drawing = chart(page, key)
    said = drawing.text_content() or ""
    sent = seen.sent
    slider = page.locator(f".st-key-box_{key} {RANGE}")
    slider.focus()
    slider.press("ArrowLeft")
    expect(drawing).not_to_have_text(said)
    assert seen.sent == sent, "sliding stays in the browser"


def test_the_cut_of_the_backtest_follows_the_hand(grid: Page) -> None:
    go(grid, "Law")
    slide(grid, "backtest_chart")


def test_the_size_in_the_valley_follows_the_hand(grid: Page) -> None:
    go(grid, "Plan")
    grid.get_by_role("radio", name="Other sizes").click()
    at_rest(grid, "Plan")
    slide(grid, "valley_chart")


def test_a_formula_in_the_link_becomes_the_law(app_url: str, grid: Page) -> None:
    own = "custom:E + A/N**alpha + B/D**alpha"
    open_page(grid, link(app_url, "law", runs=query(grid)["runs"], law=own, section="keep"), "Law")
    expect(grid.get_by_role("textbox", name="Formula")).to_have_value("E + A/N**alpha + B/D**alpha")
    expect(grid.get_by_text("fit: good").first).to_be_visible(timeout=PATIENCE_MS)


def test_a_click_on_the_curve_plans_for_that_budget(app_url: str, page: Page) -> None:
    """The budget that was clicked goes into the address, the field and the answer."""
    open_page(page, link(app_url, "plan", basis="besiroglu", budget="1e22"), "Plan")
    groups = chart(page, "plan_chart").locator("g.mark-symbol.role-mark")
    sizes = groups.evaluate_all("all => all.map(g => g.querySelectorAll('path').length)")
    many = groups.nth(sizes.index(max(sizes))).locator("path")
    box = many.nth(max(sizes) // 2).bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("() => new URLSearchParams(location.search).get('budget') !== '1e22'", timeout=PATIENCE_MS)
    at_rest(page, "Plan")
    budget = query(page)["budget"]
    expect(page.get_by_role("textbox", name="Budget")).to_have_value(budget)
    expect(page.locator(".st-key-answer")).to_contain_text(f"With {budget} FLOPs")


def test_the_words_beside_the_slider_plan_for_its_budget(app_url: str, page: Page) -> None:
    open_page(page, link(app_url, "plan", basis="besiroglu", budget="1e22"), "Plan")
    drawing = chart(page, "plan_chart")
    slider = page.locator(f".st-key-box_plan_chart {RANGE}")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    words = drawing.get_by_text("Plan for this budget")
    expect(words).to_be_visible(timeout=PATIENCE_MS)
    assert query(page)["budget"] == "1e22", "moving the slider alone plans nothing"
    words.click()
    page.wait_for_function("() => new URLSearchParams(location.search).get('budget') !== '1e22'", timeout=PATIENCE_MS)
    at_rest(page, "Plan")
    assert query(page)["budget"] == "1.26e22"  # five steps of 0.02 in log10
