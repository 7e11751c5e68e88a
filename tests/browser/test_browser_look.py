"""How the pages look on the screens people have: pictures for a person, and that nothing runs off the side."""

import pytest
from browser_helpers import at_rest, chart, link, open_page
from playwright.sync_api import Browser

PAGES = {"Runs": "", "Law": "law", "Plan": "plan"}
SCREENS = {"wide": (1440, 900), "laptop": (1280, 720), "phone": (390, 844)}
#: Height of the numbers on top of a plan's chart.
READOUT = 200
OVERFLOW = """() => [document.scrollingElement, ...document.querySelectorAll(
    '[data-testid=stMain], [data-testid=stMainBlockContainer]')].map(e => e.scrollWidth - e.clientWidth)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_every_screen(app_url: str, browser: Browser, screenshot, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    try:
        tab = context.new_page()
        for title, name in PAGES.items():
            for screen, (width, height) in SCREENS.items():
                tab.set_viewport_size({"width": width, "height": height})
                if screen == "wide":
                    open_page(tab, link(app_url, name), title)
                at_rest(tab, title)
                drawing = chart(tab, f"{title.lower()}_chart")
                tab.wait_for_function(
                    "([e, width]) => e.getBoundingClientRect().right <= width + 1",
                    arg=[drawing.element_handle(), width],
                )
                screenshot(tab, f"{title.lower()}-{screen}-{scheme}")
                assert max(tab.evaluate(OVERFLOW)) <= 0, f"{title} runs off the side of a {screen} screen"
                if screen == "wide":
                    box = drawing.bounding_box()
                    assert box
                    seen = min(box["height"] / 2, READOUT)
                    assert box["y"] + seen < height, "the main chart, or its numbers, are on the first screen"
    finally:
        context.close()
