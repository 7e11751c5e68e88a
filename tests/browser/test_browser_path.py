"""From a file to a plan as a person walks it, with a hand on the charts."""

import re

from browser_helpers import (
    PATIENCE_MS,
    RANGE,
    at_rest,
    boxes,
    chart,
    choose,
    drag_around,
    drop,
    formula,
    go,
    link,
    open_page,
    points,
    query,
    watch,
)
from ladder_file import COUNT, ladder_csv
from playwright.sync_api import Page, expect


def test_a_person_goes_from_a_file_with_odd_names_to_a_plan(app_url: str, page: Page) -> None:
    seen = watch(page)
    open_page(page, app_url, "Runs")
    drop(page, ("grid.csv", ladder_csv("metric_a")))
    expect(page.get_by_text("These runs have no loss")).to_be_visible(timeout=PATIENCE_MS)
    choose(page, "Loss L", "metric_a")  # the form is open: it is what these runs need
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("loss in nats per token")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("fit: good").first).to_be_visible(timeout=PATIENCE_MS)
    expect(points(page, "runs_chart")).to_have_count(COUNT)

    go(page, "Law")
    expect(page.get_by_text(f"Fitted to {COUNT} points")).to_be_visible()
    robust = formula(page)
    assert "L(N,D)" in robust
    choose(page, "Objective", "Squared error on L")
    expect(page.locator(".katex annotation").first).not_to_have_text(robust, timeout=PATIENCE_MS)

    go(page, "Plan")
    drawing = chart(page, "plan_chart")
    said = drawing.text_content() or ""
    assert "FLOPs, 90% intervals" in said
    at_rest(page, "Plan")
    sent = seen.sent
    slider = page.locator(RANGE)
    slider.focus()
    for _ in range(8):
        slider.press("ArrowRight")
    expect(drawing).not_to_have_text(said)
    assert re.search(r"With [\d.e]+ FLOPs", drawing.text_content() or "")
    assert seen.sent == sent, "sliding stays in the browser"
    assert query(page).keys() == {"runs", "map", "objective"}
    seen.assert_clean()


def test_a_box_dragged_over_points_is_fitted_until_it_is_cleared(app_url: str, page: Page) -> None:
    open_page(page, link(app_url, runs="cerebras_gpt", law="power-c"), "Runs")
    inside = boxes(points(page, "runs_chart"))[:4]
    drag_around(page, inside)
    expect(page.get_by_text("Fitting 4 runs inside the box")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_url(lambda url: "box=" in url)
    assert query(page)["box"].startswith("flops:")
    go(page, "Law")
    expect(page.get_by_text("Fitted to 4 points")).to_be_visible()
    expect(page.get_by_text("3 are held out (hollow)")).to_be_visible()
    page.get_by_role("button", name="Fit all runs").click()
    expect(page.get_by_text("Fitted to 7 points")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_url(lambda url: "box=" not in url)


def test_the_legend_shows_only_its_points_without_asking_the_server(app_url: str, page: Page) -> None:
    seen = watch(page)
    open_page(page, link(app_url, runs="cerebras_gpt"), "Runs")
    marks = points(page, "runs_chart")
    opacity = "all => all.map(e => Number(e.getAttribute('opacity') ?? getComputedStyle(e).opacity))"
    assert min(marks.evaluate_all(opacity)) > 0.9
    sent = seen.sent
    chart(page, "runs_chart").locator(".role-legend .mark-symbol path").first.click()
    page.wait_for_function(
        """() => [...document.querySelectorAll('.st-key-box_runs_chart .mark-symbol.role-mark path')]
            .filter(e => Number(e.getAttribute('opacity') ?? getComputedStyle(e).opacity) < 0.2).length === 6"""
    )
    assert seen.sent == sent
