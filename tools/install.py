"""Install a requirements file into the environment of this interpreter, once, with a line of progress.

    .venv/bin/python tools/install.py requirements-dev.txt

A stamp in the environment holds a hash of the requirements and the Python version. While it matches, nothing
is done (about 0.05 s). It is removed before pip starts and written after pip succeeds, so an install that was
interrupted is taken up again. pip's own settings (environment, configuration files) hold as they are.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ENVIRONMENT = Path(sys.prefix)
LOG = ENVIRONMENT / "install.log"
LARGE = "torch"
TICK_S, TICK_WITHOUT_TERMINAL_S = 1, 15

# What pip's output shows → what is wrong, what to do. The first that matches counts: a lost connection also
# ends in "No matching distribution", and a full disk can end in anything.
CAUSES = [
    (
        r"No space left on device|Errno 28\b|Disk quota exceeded",
        "the disk is full.",
        "Free some space and run the same command again. torch alone takes 1 to 6 GB, by platform;\n"
        "`df -h .` shows what is left here.",
    ),
    (
        r"ConnectionError|ConnectTimeout|ReadTimeout|Read timed out|ProxyError|SSLError|Max retries exceeded"
        r"|name resolution|IncompleteRead",
        "the package index could not be reached.",
        "Installing needs the network once. Check the connection (and the proxy, if there is one: pip reads\n"
        "HTTPS_PROXY and its own settings, which `pip config list` shows), then run the same command again.",
    ),
    (
        r"No matching distribution found|Could not find a version|requires a different Python",
        f"a package has no release for Python {sys.version_info[0]}.{sys.version_info[1]} on this platform,"
        " or the index in use lacks it.",
        "Try a Python from 3.11 to 3.14: make distclean setup PYTHON=python3.12\n"
        "`pip config list` shows which index pip asks.",
    ),
    (
        r"Permission denied|Errno 13\b|Read-only file system",
        "a folder cannot be written.",
        "Check who owns .venv and the temporary folder (ls -ld .venv), and run as that user.",
    ),
]
OTHERWISE = (
    "pip failed.",
    f"Its last lines are above, all of them in {LOG.name} inside .venv.\n"
    "If .venv itself looks damaged: make distclean, then the same command again.",
)


def files_of(requirements: Path) -> list[Path]:
    """Return the file and those it names with ``-r``, in reading order."""
    nested = re.findall(r"^-r\s+(\S+)", requirements.read_text(), re.MULTILINE)
    return [requirements, *(file for name in nested for file in files_of(requirements.parent / name))]


def pins_of(requirements: Path) -> dict[str, str]:
    """Return ``{package: version}`` for every ``package==version`` line."""
    lines = "\n".join(file.read_text() for file in files_of(requirements))
    return dict(re.findall(r"^([\w.-]+)==([\w.+!]+)", lines, re.MULTILINE))


def key_of(requirements: Path) -> str:
    """Return a hash of all that the install depends on: the files' text and the Python version."""
    texts = [sys.version, *(file.read_text() for file in files_of(requirements))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def stamp_of(requirements: Path) -> Path:
    """Return where the key of a finished install is kept."""
    return ENVIRONMENT / f".installed-{requirements.stem}"


def is_installed(requirements: Path) -> bool:
    """Tell whether the last finished install was of these very requirements."""
    stamp = stamp_of(requirements)
    return stamp.is_file() and stamp.read_text() == key_of(requirements)


def write_stamps(requirements: Path) -> None:
    """Record a finished install, also for the files that this one includes."""
    for file in files_of(requirements):
        stamp = stamp_of(file)
        unfinished = stamp.with_suffix(".tmp")
        unfinished.write_text(key_of(file))
        unfinished.replace(stamp)


def is_pinned_version_here(package: str, pin: str) -> bool:
    """Tell whether the pinned version stands; a build tag such as ``+cpu`` does not count."""
    try:
        return version(package).split("+")[0] == pin
    except PackageNotFoundError:
        return False


def remove_stamps() -> None:
    """Forget every finished install: while pip works, none of them is to be relied on."""
    for stamp in ENVIRONMENT.glob(".installed-*"):
        stamp.unlink()


def announce(requirements: Path) -> None:
    """Say what is about to happen and whether it takes long."""
    pins = pins_of(requirements)
    missing = [package for package, pin in pins.items() if not is_pinned_version_here(package, pin)]
    large = f"; {LARGE} is large, the first time takes minutes" if LARGE in missing else ""
    what = f"Installing {len(missing)}" if missing else f"Checking {len(pins)}"
    print(f"{what} {'package' if len(missing) == 1 else 'packages'} with all they need{large}", flush=True)


def stage(line: str) -> str | None:
    """Translate a line of pip into what it is doing now; None when it tells nothing new."""
    if match := re.match(r"Collecting (\S+)", line):
        return f"finding {match[1].replace('==', ' ')}"
    if match := re.match(r"\s*(?:Downloading|Processing|Using cached) (\S+)( \([\d.]+ \w?B\))?", line):
        name = Path(match[1]).name.removesuffix(".metadata")
        wheel = re.match(r"([\w.]+)-(\d[\w.+!]*)-.*\.whl$", name)
        return f"fetching {' '.join(wheel.groups()) if wheel else name}{match[2] or ''}"
    if line.startswith("Installing collected packages:"):
        return f"unpacking {line.count(',') + 1} packages"
    return None


class Progress:
    """One line that says the stage, the bytes fetched and the time; without a terminal, one every 15 s."""

    def __init__(self, downloads: Path) -> None:
        """Watch a folder that pip downloads to."""
        self.stage = "starting pip"
        self._downloads = downloads
        self._began = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Progress:
        """Start telling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wipe the line."""
        self._done.set()
        self._thread.join()
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def _tell(self) -> None:
        terminal = sys.stdout.isatty()
        while not self._done.wait(TICK_S if terminal else TICK_WITHOUT_TERMINAL_S):
            line = f"  {self.stage}{self._fetched()}, {time.monotonic() - self._began:.0f} s"
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]}\033[K" if terminal else line, end="" if terminal else "\n", flush=True)

    def _fetched(self) -> str:
        megabytes = sum(sizes_under(self._downloads)) / 1e6
        return f", {megabytes:,.0f} MB so far" if self.stage.startswith("fetching") else ""


def sizes_under(folder: Path) -> Iterator[int]:
    """Yield the size in bytes of every file under a folder that pip is changing meanwhile."""
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(parent) / name).lstat().st_size
            except FileNotFoundError:
                continue


def pip_install(requirements: Path) -> tuple[int, str]:
    """Run pip and show its progress; return its exit status and all it said."""
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-r", str(requirements)]
    # Downloads beside .venv, not in /tmp: that is often a small memory disk, and torch would fill it.
    with tempfile.TemporaryDirectory(prefix="downloads-", dir=ENVIRONMENT) as downloads:
        environment = {"TMPDIR": downloads, **os.environ, "PYTHONUNBUFFERED": "1"}
        with (
            LOG.open("w") as log,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
            ) as pip,
            Progress(Path(downloads)) as progress,
        ):
            assert pip.stdout is not None
            for line in pip.stdout:
                log.write(line)
                progress.stage = stage(line) or progress.stage
    return pip.returncode, LOG.read_text()


def explain(said: str) -> tuple[str, str]:
    """Return what went wrong and what to do, judged by what pip said."""
    matching = (cause[1:] for cause in CAUSES if re.search(cause[0], said))
    return next(matching, OTHERWISE)


def complain(said: str) -> None:
    """Show pip's last lines, then what went wrong and what to do."""
    what, advice = explain(said)
    lines = "".join(f"  pip: {line}\n" for line in said.strip().splitlines()[-8:])
    print(f"{lines}\nSet-up stopped: {what}", *advice.split("\n"), sep="\n  ", file=sys.stderr)


def main(requirements: Path) -> int:
    """Install unless installed; return the exit status."""
    if is_installed(requirements):
        return 0
    announce(requirements)
    began = time.monotonic()
    try:
        remove_stamps()
        status, said = pip_install(requirements)
        if status == 0:
            write_stamps(requirements)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:  # .venv cannot be written: what the error says is all there is
        status, said = 1, f"{error}"
    if status:
        complain(said)
        return 1
    print(f"Installed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
