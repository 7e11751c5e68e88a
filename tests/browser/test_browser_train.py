"""A ladder that is really trained from the page, seen to its end, and opened on Law in one click."""

import re

from browser_helpers import at_rest, chart, open_page, query, script_ended
from playwright.sync_api import Page, expect

#: Two sizes at three lengths: some hundred steps, most of the time is the start of the workers.
TINY = "10000:20480,10000:40960,10000:81920,33000:20480,33000:40960,33000:81920"
TRAINED_WITHIN_MS = 240_000


def test_a_ladder_is_launched_watched_and_opened_on_law(serve, page: Page, screenshot) -> None:
    address = serve()
    open_page(page, f"{address}/train?task=markov&way=runs&asked_runs={TINY}", "Train")
    expect(page.get_by_text("No ladder has been trained here")).to_be_visible()
    chart(page, "ladder_plan").evaluate("drawing => { drawing.dataset.first = 'yes' }")
    page.get_by_role("button", name="Launch 6 runs").click()
    told = page.get_by_test_id("stProgress")
    expect(told).to_contain_text("of 8 jobs done")  # six runs and two shared trunks
    expect(page.get_by_role("button", name="Pause all")).to_be_visible()
    expect(told).to_contain_text("8 of 8 jobs done", timeout=TRAINED_WITHIN_MS)
    expect(page.get_by_role("button", name="Pause all")).to_have_count(0)
    # All that was refreshed meanwhile has not drawn anew what stayed the same.
    expect(page.locator(".st-key-box_ladder_plan svg[data-first=yes]")).to_have_count(1)
    chart(page, "ladder_law")
    chart(page, "ladder_curves")
    script_ended(page)
    screenshot(page, "train-done")
    page.get_by_role("button", name="Open on Law").click()
    at_rest(page, "Law")
    assert re.fullmatch(r"[0-9a-f]{64}", query(page)["runs"])
    assert query(page)["law"] == "chinchilla"
    expect(page.locator(".st-key-strip")).to_contain_text("6 runs")
