"""What the set-up promises: exact pins, commands that exist, and failures that say what to do."""

import importlib.util
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import ModuleType

import pytest

SHELL_TOOLS = ["sh", "env", "dirname", "head", "tail", "awk", "df", "flock"]


@pytest.fixture
def install(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/install.py, made to keep its stamps in a folder of the test's."""
    spec = importlib.util.spec_from_file_location("install", root / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ENVIRONMENT", tmp_path)
    return module


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A tree with the set-up and requirements that need nothing: the real .venv is never touched."""
    folder = tmp_path / "a tree"
    shutil.copytree(root / "tools", folder / "tools")
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


def set_up(tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.run(
        ["/bin/sh", "tools/setup.sh", "run"],
        cwd=tree,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python-fake"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"])
def test_every_requirement_is_pinned_exactly(root: Path, name: str) -> None:
    lines = [line for line in (root / name).read_text().splitlines() if line and line[0] not in "#-"]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+(\[\w+\])?==[\w.]+", line)] == []


def test_each_set_of_requirements_includes_the_smaller_ones(root: Path, install: ModuleType) -> None:
    run, dev, bench = (install.pins_of(root / f"requirements{more}.txt") for more in ("", "-dev", "-bench"))
    assert run.items() < dev.items() < bench.items()


def targets_of(root: Path) -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (root / "Makefile").read_text(), re.MULTILINE))


def test_makefile_has_the_commands_and_explains_each(root: Path) -> None:
    text = (root / "Makefile").read_text()
    expected = {"setup", "run", "test", "lint", "format", "bench", "clean"}
    assert expected <= targets_of(root)
    assert targets_of(root) == set(re.findall(r"^([a-z]+):", text, re.MULTILINE))


def test_readme_names_the_commands_and_none_that_is_missing(root: Path) -> None:
    code = "\n".join(re.findall(r"`[^`]+`|^    .*$", (root / "README.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", code))
    assert {"run", "test"} <= named <= targets_of(root)


@pytest.mark.parametrize("script", ["tools/setup.sh", "tools/browser.sh", "tools/bench.sh"])
def test_scripts_parse_in_a_plain_shell(root: Path, script: str) -> None:
    subprocess.run(["/bin/sh", "-n", script], cwd=root, check=True)


def test_an_old_python_is_refused_with_advice(tree: Path) -> None:
    old = fake_python(tree, '[ "$1" = --version ] && echo "Python 3.9.2"; [ "$1" = --version ]')
    began = time.monotonic()
    answer = set_up(tree, PYTHON=old)
    assert time.monotonic() - began < 5
    assert answer.returncode == 1
    assert "it says: Python 3.9.2" in answer.stderr
    assert "make setup PYTHON=" in answer.stderr
    assert not (tree / ".venv").exists()


def test_no_python_at_all_is_answered_with_what_to_install(tree: Path) -> None:
    bare = tree / "bin"
    bare.mkdir()
    for tool in filter(shutil.which, SHELL_TOOLS):
        (bare / tool).symlink_to(shutil.which(tool))
    answer = set_up(tree, PATH=str(bare))
    assert answer.returncode == 1
    assert "python3 says: no such command" in answer.stderr
    assert "apt-get install python3 python3-venv" in answer.stderr


def test_a_python_without_venv_is_answered_with_the_package(tree: Path) -> None:
    bare = fake_python(tree, 'case "$*" in --version) echo Python 3.12.3 ;; *ensurepip*) exit 1 ;; *) exit 0 ;; esac')
    answer = set_up(tree, PYTHON=bare)
    assert answer.returncode == 1
    assert "Python 3.12.3" in answer.stderr
    assert "apt-get install python3-venv" in answer.stderr


def test_a_venv_that_cannot_be_made_shows_what_python_said(tree: Path) -> None:
    failing = fake_python(tree, 'case "$*" in *"-m venv"*) echo "Permission denied: .venv"; exit 1 ;; esac')
    answer = set_up(tree, PYTHON=failing)
    assert answer.returncode == 1
    assert "Permission denied: .venv" in answer.stderr
    assert "this folder cannot be written" in answer.stderr


def test_a_broken_venv_is_made_anew(tree: Path) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to("/no/such/python")
    answer = set_up(tree, PYTHON=fake_python(tree, "exit 0"))
    assert "making .venv anew" in answer.stdout


def test_set_up_is_done_once_and_a_failed_one_leaves_no_stamp(tree: Path) -> None:
    first = set_up(tree)
    assert first.returncode == 0, first.stderr
    assert "Creating .venv with Python 3." in first.stdout

    began = time.monotonic()
    second = set_up(tree)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert time.monotonic() - began < 2  # about 0.1 s on an idle machine

    (tree / "requirements.txt").write_text("no-such-package-of-ours==1.0\n")
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    third = set_up(tree, **offline)
    assert third.returncode == 1
    assert "Set-up stopped: a package has no release" in third.stderr
    assert list((tree / ".venv").glob(".installed-*")) == []


def test_stamp_follows_the_requirements_and_those_they_include(install: ModuleType, tmp_path: Path) -> None:
    base, dev = tmp_path / "requirements.txt", tmp_path / "requirements-dev.txt"
    base.write_text("a==1\n")
    dev.write_text("-r requirements.txt\nb==2\n")
    install.write_stamps(dev)
    assert install.is_installed(dev)
    assert install.is_installed(base)
    base.write_text("a==2\n")
    assert not install.is_installed(dev)
    assert not install.is_installed(base)
    install.write_stamps(base)
    assert install.is_installed(base)
    assert not install.is_installed(dev)
    install.remove_stamps()
    assert not install.is_installed(base)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("after connection broken by 'NewConnectionError(...)'\nERROR: No matching distribution found", "reached"),
        ("ReadTimeoutError: Read timed out.", "reached"),
        ("ProtocolError(\"Connection broken: OSError(28, 'No space left on device')\")", "disk is full"),
        ("[Errno 28] No space left on device: '/x'", "disk is full"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no release"),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied", "be written"),
        ("something new", "pip failed"),
    ],
)
def test_pip_failures_are_told_apart(install: ModuleType, said: str, what: str) -> None:
    assert what in install.explain(said)[0]


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("Collecting torch==2.13.0 (from -r requirements.txt (line 9))", "finding torch 2.13.0"),
        (
            "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (526.0 MB)",
            "fetching torch 2.13.0 (526.0 MB)",
        ),
        ("Processing /a/folder/torch-2.13.0+cpu-cp311-none-any.whl (from -r x)", "fetching torch 2.13.0+cpu"),
        ("Installing collected packages: a, b, c", "unpacking 3 packages"),
        ("Looking in links: here", None),
    ],
)
def test_progress_reads_pip(install: ModuleType, line: str, stage: str | None) -> None:
    assert install.stage(line) == stage
