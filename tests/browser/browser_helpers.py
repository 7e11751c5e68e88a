"""What several browser tests do: open, wait for a state, read a chart, drag, and watch what goes over the wire."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import FloatRect, Locator, Page, Request, Response, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

#: A cold server on a busy machine; a test that passes does not wait so long.
PATIENCE_MS = 30_000
#: What Chromium says of a request when its page is left meanwhile.
LEFT_BEFORE_IT_CAME = "net::ERR_ABORTED"
RANGE = ".vega-bindings input[type=range]"


def watch(page: Page) -> Watch:
    """Record from now on what this tab asks for, what fails, and what it sends to the server."""
    return Watch(page)


class Watch:
    """Hosts asked, answers that were errors, messages of the console, and frames sent to the server."""

    def __init__(self, page: Page) -> None:
        self.hosts: set[str] = set()
        self.refused: list[str] = []
        self.console: list[str] = []
        self.sent = 0
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)
        page.on("console", self._said)
        page.on("websocket", lambda socket: socket.on("framesent", self._count))

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not _probe(response.url):
            self.refused.append(f"{response.status} {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT_BEFORE_IT_CAME:
            self.refused.append(f"{request.failure} {request.url}")

    def _said(self, message: Any) -> None:
        if message.type == "error" and not _probe(message.location.get("url", "")):
            self.console.append(message.text)

    def _count(self, _: Any) -> None:
        self.sent += 1

    def assert_clean(self) -> None:
        """Assert that nothing went to another machine, nothing was refused, and the console holds no error."""
        assert self.hosts - {""} <= {"localhost"}, self.hosts
        assert not self.refused, self.refused
        assert not self.console, self.console


def _probe(url: str) -> bool:
    """Tell whether Streamlit looked for its own server under the path of a page, as it does before asking at /."""
    parts = urlsplit(url).path.strip("/").split("/")
    return len(parts) > 1 and parts[0] in ("law", "plan") and parts[1] == "_stcore"


def link(base: str, name: str = "", **query: str) -> str:
    """Address of a page with choices."""
    return f"{base}/{name}" + (f"?{urlencode(query)}" if query else "")


def query(page: Page) -> dict[str, str]:
    """Choices in the address."""
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).query, keep_blank_values=True).items()}


def open_page(page: Page, url: str, title: str) -> None:
    """Follow a link and wait for what it shows."""
    page.goto(url)
    at_rest(page, title)


def at_rest(page: Page, title: str) -> None:
    """Wait until this page is drawn and its script has ended."""
    expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible(timeout=PATIENCE_MS)
    script_ended(page)


def script_ended(page: Page) -> None:
    """Wait until the script of the page does not run: a widget that is being drawn anew loses a click."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=PATIENCE_MS)


def go(page: Page, title: str) -> None:
    """Open another page by the menu."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    at_rest(page, title)


def chart(page: Page, key: str) -> Locator:
    """The drawing of a chart, once it is there."""
    drawing = page.locator(f".st-key-box_{key} svg.marks")
    expect(drawing).to_have_count(1, timeout=PATIENCE_MS)  # while a chart is replaced, both stand there for a moment
    expect(drawing).to_be_visible(timeout=PATIENCE_MS)
    return drawing


def points(page: Page, key: str) -> Locator:
    """The runs on a chart."""
    marks = chart(page, key).locator(".mark-symbol.role-mark path")
    expect(marks.first).to_be_attached(timeout=PATIENCE_MS)
    return marks


def boxes(marks: Locator) -> list[FloatRect]:
    """Where marks stand on the screen, from left to right."""
    marks.first.scroll_into_view_if_needed()
    found = marks.evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(({x, y, width, height}) => ({x, y, width, height}))"
    )
    return sorted(found, key=lambda box: box["x"])


def frames(page: Page, count: int = 1) -> None:
    """Let the browser draw."""
    for _ in range(count):
        page.evaluate("() => new Promise(requestAnimationFrame)")


def drag_around(page: Page, around: Iterable[FloatRect], margin: float = 14) -> None:
    """Drag a box around marks as a hand does: many small moves, each drawn, and a rest before letting go.

    From the lower right, which lies inside the plot where the marks are its upper left ones; the end may lie outside.
    """
    around = list(around)
    left, top = (min(b[side] for b in around) - margin for side in ("x", "y"))
    right = max(b["x"] + b["width"] for b in around) + margin
    bottom = max(b["y"] + b["height"] for b in around) + margin
    page.mouse.move(right, bottom)
    page.mouse.down()
    for step in range(1, 21):
        page.mouse.move(right + (left - right) * step / 20, bottom + (top - bottom) * step / 20)
        frames(page)
    frames(page, 12)
    page.mouse.up()


def drop(page: Page, *files: tuple[str, str | bytes]) -> None:
    """Give files to the drop zone of the Runs page."""
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(
        [
            {
                "name": name,
                "mimeType": "text/csv",
                "buffer": data if isinstance(data, bytes) else data.encode(),
            }
            for name, data in files
        ]
    )


def open_section(page: Page, label: str) -> None:
    """Unfold a section unless it is open."""
    script_ended(page)
    section = page.locator("details", has=page.locator("summary", has_text=label))
    if section.get_attribute("open") is None:
        section.locator("summary").click()
    expect(section).to_have_attribute("open", "")


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box by its words."""
    box, wanted = page.get_by_role("combobox", name=label), page.get_by_role("option", name=option, exact=True)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:  # what is drawn meanwhile, on a busy machine, loses a click or closes a list that was just opened
        script_ended(page)
        box.scroll_into_view_if_needed()
        if box.get_attribute("aria-expanded") != "true":
            box.click()
        try:
            wanted.click(timeout=5_000)
            return
        except PlaywrightTimeoutError:
            if time.monotonic() > deadline:
                raise


def formula(page: Page) -> str:
    """The law with its numbers, as text."""
    typeset = page.locator(".katex annotation").first
    expect(typeset).to_be_attached(timeout=PATIENCE_MS)
    return typeset.text_content() or ""
