"""How long a person waits: first chart, page switch, and the budget slider, beside a plain Streamlit page.

    .venv/bin/python -m benchmarks.page [--repeats 5]

The alternative for the slider is what Streamlit's own documentation leads to: an ``st.slider`` whose every move runs
the script again. Both are driven in the same headless Chromium, alternating. Needs Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]  # fmt: skip
PLAIN = """
import streamlit as st, altair as alt, pandas as pd, numpy as np
st.title("Plain")
c = np.logspace(18, 25, 400)
budget = st.slider("budget", 18.0, 25.0, 21.0, 0.02, key="budget")
frame = pd.DataFrame({"c": c, "loss": 1.8 + 70 * c**-0.1})
line = alt.Chart(frame).mark_line().encode(x=alt.X("c").scale(type="log"), y="loss")
st.altair_chart(line + alt.Chart(pd.DataFrame({"c": [10**budget]})).mark_rule().encode(x="c"))
st.metric("loss", f"{1.8 + 70 * 10 ** (-0.1 * budget):.6f}")
"""
VEGA_MOVE = """async () => {
  const slider = document.querySelector('.vega-bindings input[type=range]');
  const read = () => [...document.querySelectorAll('.st-key-box_plan_chart svg text')].map(e => e.textContent).join();
  const before = read(), start = performance.now();
  slider.value = +slider.value - 3; slider.dispatchEvent(new Event('input'));
  while (read() === before && performance.now() - start < 5000) await new Promise(r => requestAnimationFrame(r));
  return performance.now() - start; }"""
READ_METRIC = "document.querySelector('[data-testid=stMetricValue]').innerText"


def main() -> None:
    """Print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        plain = Path(folder) / "plain.py"
        plain.write_text(PLAIN)
        start = lambda: playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)  # noqa: E731
        with server(ROOT / "app.py", folder) as ours, server(plain, folder) as theirs:
            report(
                "first chart, first visit to the server", [first_chart(start(), ours)], [first_chart(start(), theirs)]
            )
            a, b = zip(
                *[(first_chart(start(), ours), first_chart(start(), theirs)) for _ in range(repeats)], strict=True
            )
            report("first chart, fresh browser", a, b)
            browser = start()
            report("page switch, Runs to Plan", [switch(browser, ours) for _ in range(repeats)])
            report("budget slider to new read-out", *sliders(browser, ours, theirs, repeats))


def report(name: str, ours: list[float] | tuple[float, ...], theirs: list[float] | tuple[float, ...] = ()) -> None:
    """One line: medians in milliseconds and their ratio."""
    mine = statistics.median(ours)
    beside = (
        f"{statistics.median(theirs):7.0f} ms plain   ratio {statistics.median(theirs) / mine:.2f}" if theirs else ""
    )
    print(f"{name:42} {mine:7.0f} ms   {beside}", flush=True)


def first_chart(browser: Browser, url: str) -> float:
    """Open the page in a browser that has cached nothing, until marks are drawn."""
    page = browser.new_page()
    start = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("[data-testid=stVegaLiteChart] svg.marks path[aria-roledescription], .mark-line path")
    took = 1e3 * (time.perf_counter() - start)
    browser.close()
    return took


def switch(browser: Browser, url: str) -> float:
    """From the Runs page to the chart of the Plan page, both seen before."""
    page = browser.new_page()
    page.goto(f"{url}/plan")
    page.wait_for_selector(".vega-bindings input")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Runs").click()
    page.wait_for_selector(".st-key-box_runs_chart .mark-symbol path")
    start = time.perf_counter()
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Plan").click()
    page.wait_for_selector(".vega-bindings input")
    took = 1e3 * (time.perf_counter() - start)
    page.close()
    return took


def sliders(browser: Browser, ours: str, theirs: str, repeats: int) -> tuple[list[float], list[float]]:
    """Moves of our slider and of a plain one, in turn."""
    mine, plain = browser.new_page(), browser.new_page()
    mine.goto(f"{ours}/plan")
    mine.wait_for_selector(".vega-bindings input")
    plain.goto(theirs)
    plain.wait_for_selector("[data-testid=stMetricValue]")
    vega, rerun = [], []
    for _ in range(4 * repeats):
        mine.bring_to_front()
        vega.append(mine.evaluate(VEGA_MOVE))
        plain.bring_to_front()
        rerun.append(move_plain(plain))
    return vega, rerun


def move_plain(page: Page) -> float:
    """One step of a slider that asks the server."""
    before = page.evaluate(READ_METRIC)
    page.locator(".st-key-budget input[type=range]").focus()
    start = time.perf_counter()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"before => {READ_METRIC} !== before", arg=before, polling=1)
    return 1e3 * (time.perf_counter() - start)


@contextlib.contextmanager
def server(script: Path, home: str) -> Iterator[str]:
    """Serve a script on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port), "--server.fileWatcherType", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        cwd=ROOT, env={**os.environ, "SCALING_HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://localhost:{port}"
        start = time.perf_counter()
        while time.perf_counter() - start < 60:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            time.sleep(0.05)
        print(f"{script.name} healthy after {1e3 * (time.perf_counter() - start):.0f} ms", flush=True)
        yield url
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
