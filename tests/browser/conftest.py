"""A real server and a real browser. Tests ask for `page` and for `app_url` (shared) or `serve` (fresh)."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_helpers import PATIENCE_MS
from playwright.sync_api import Browser, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET_AND_OFFLINE = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = {"width": 1440, "height": 900}
START_WITHIN_S = 60
STOP_WITHIN_S = 5

expect.set_options(timeout=PATIENCE_MS)  # five seconds, the default, are few on a busy machine

Serve = Callable[..., str]
Screenshot = Callable[[Page, str], Path]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once. Without one, skip; under CI, fail, since there nobody reads why tests skipped."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        missing = f"no browser: none of {', '.join(BROWSERS)} is on PATH (sudo apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=QUIET_AND_OFFLINE)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest, root: Path) -> Iterator[Page]:
    """Open an empty page of its own session, 1440 × 900; an uncaught error in any of its tabs fails the test."""
    errors: list[str] = []
    with contextlib.closing(browser.new_context(viewport=WIDE)) as context:
        context.on("weberror", lambda web_error: errors.append(str(web_error.error)))
        tab = context.new_page()
        yield tab
        if failed_in_call(request.node):
            save(root, tab, f"failed-{request.node.name}")
    assert not errors, "uncaught in the page: " + "; ".join(errors)


@pytest.fixture
def screenshot(root: Path) -> Screenshot:
    """Return ``screenshot(page, name)``, which writes artifacts/screenshots/<name>.png for a person to look at."""
    return lambda page, name: save(root, page, name)


@pytest.fixture
def serve(root: Path, tmp_path: Path) -> Iterator[Serve]:
    """Return ``serve(script="app.py", **environment)``: starts a fresh server, returns its address."""
    with contextlib.ExitStack() as servers:
        yield lambda script="app.py", **environment: servers.enter_context(
            running_server(root, script, tmp_path / "home", environment)
        )


@pytest.fixture(scope="session")
def app_url(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of one server that all tests share: leave nothing in it that another would trip over."""
    with running_server(root, "app.py", tmp_path_factory.mktemp("app") / "home", {}) as url:
        yield url


@contextlib.contextmanager
def running_server(root: Path, script: str, home: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a script under Streamlit with its own SCALING_HOME; end it and all that it started."""
    environment = {**os.environ, "SCALING_HOME": str(home), **environment}
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.fileWatcherType", "none"]
    log = home.parent / f"server-{port}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://localhost:{port}"
            wait_until_healthy(url, server, log)
            yield url
        finally:
            end_group(server)
            end_strays(environment["SCALING_HOME"])


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers; fail with its log when it ends or takes too long."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
            return
        time.sleep(0.05)
    pytest.fail(f"the server did not get healthy; its log:\n{log.read_text()[-3000:]}")


def end_group(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then kill whatever is left of its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(STOP_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def end_strays(home: str) -> None:
    """Kill what works in this SCALING_HOME in a process group of its own, as training jobs do by design."""
    mark = f"SCALING_HOME={home}".encode()
    for listing in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in listing.read_bytes().split(b"\0"):
                os.kill(int(listing.parent.name), signal.SIGKILL)


def save(root: Path, page: Page, name: str) -> Path:
    """Write what the page shows now as a picture."""
    path = root / "artifacts" / "screenshots" / f"{name.replace('/', '-')}.png"
    page.screenshot(path=path)
    return path


REPORT = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep how the test's own part went, so that fixtures can act on it."""
    report: pytest.TestReport = yield
    if report.when == "call":
        item.stash[REPORT] = report
    return report


def failed_in_call(item: pytest.Item) -> bool:
    """Tell whether the test itself (not a fixture) failed."""
    return REPORT in item.stash and item.stash[REPORT].failed
