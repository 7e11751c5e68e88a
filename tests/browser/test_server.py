"""The server starts, says that it is well, and shows the app to a browser."""

import urllib.request

from playwright.sync_api import Page, expect


def test_server_says_that_it_is_healthy(app_url: str) -> None:
    with urllib.request.urlopen(f"{app_url}/_stcore/health", timeout=10) as answer:
        assert answer.status == 200
        assert answer.read() == b"ok"


def test_first_page_renders_without_an_error(app_url: str, page: Page, screenshot) -> None:
    page.goto(app_url)
    expect(page.get_by_test_id("stMainBlockContainer")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    screenshot(page, "first-page")
