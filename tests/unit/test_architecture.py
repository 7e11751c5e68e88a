"""The import rules of the house, read from the source."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

#: Data flows this way: a room may import those before it.
ROOMS = ("runs", "laws", "fitting", "planning")
#: Rooms that make runs; nothing of the line above imports them. ``jobs`` runs what ``training`` plans.
MAKERS = {"training": set(ROOMS), "jobs": {*ROOMS, "training"}}
#: Rooms at the side of that line, and what each may import: they take results and give pictures or files.
BESIDE = {**MAKERS, "charts": set(ROOMS), "report": {*ROOMS, "charts"}}
#: Modules of no room that every room may import.
COMMON = {"units", "errors", "database", "architecture", "records", "workspace"}
#: Rooms that may one day stand between or after these; none of them is read by an earlier one.
LATER = {"compression"}
#: The command line, which may import every room and is imported by none.
ENTRY = "cli"
HEAVY = {"numpy", "scipy", "torch", "sqlite3"}


def allowed(room: str) -> set[str]:
    own = BESIDE.get(room) or set(ROOMS[: ROOMS.index(room)])
    return own | COMMON | {room}


def python_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports, inside functions too, by its full name."""
    names: list[str] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return frozenset(names)


def rooms_read(path: Path) -> set[str]:
    """Rooms, and modules of no room, of scaling_core that a file imports."""
    names = (name.split(".") for name in imported(path))
    return {parts[1] for parts in names if parts[0] == "scaling_core" and len(parts) > 1}


def packages_read(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def room_of(path: Path, root: Path) -> str:
    return path.relative_to(root / "scaling_core").parts[0].removesuffix(".py")


def test_every_room_is_known(root: Path) -> None:
    found = {p.name for p in (root / "scaling_core").iterdir() if p.is_dir() and python_files(p)}
    assert found <= {*ROOMS, *BESIDE, *LATER, ENTRY}, "a new room: say here what it may import"
    assert set(ROOMS) <= found


def test_rooms_import_only_rooms_before_them(root: Path) -> None:
    wrong = []
    for path in python_files(root / "scaling_core"):
        room = room_of(path, root)
        if room in (*ROOMS, *BESIDE):
            wrong += [f"{path.relative_to(root)} imports {name}" for name in rooms_read(path) - allowed(room)]
    assert wrong == []


def test_the_rule_would_notice() -> None:
    assert "planning" not in allowed("fitting")
    assert "charts" not in set().union(*map(allowed, ROOMS))
    for before, after in pairwise(ROOMS):
        assert before in allowed(after)
        assert after not in allowed(before)


def test_units_and_errors_know_nothing_of_the_rooms(root: Path) -> None:
    for name in COMMON:
        assert rooms_read(root / "scaling_core" / f"{name}.py") <= COMMON


def test_nothing_but_the_entry_imports_the_command_line(root: Path) -> None:
    for path in python_files(root / "scaling_core"):
        if room_of(path, root) not in (ENTRY, "__main__"):
            assert ENTRY not in rooms_read(path), path


def test_the_library_never_imports_streamlit_nor_pages(root: Path) -> None:
    for path in python_files(root / "scaling_core"):
        assert not packages_read(path) & {"streamlit", "pages", "app", "tests", "benchmarks"}, path


def test_pages_hold_no_mathematics_and_no_storage(root: Path) -> None:
    for path in [root / "app.py", *python_files(root / "pages")]:
        assert not packages_read(path) & HEAVY, path


def test_parts_do_not_import_views(root: Path) -> None:
    for path in python_files(root / "pages" / "parts"):
        assert not any(name.startswith("pages.views") for name in imported(path)), path


def addresses(root: Path) -> set[str]:
    """The url_path of each page of the router."""
    calls = [n for n in ast.walk(ast.parse((root / "app.py").read_text())) if isinstance(n, ast.Call)]
    keywords = [k for c in calls if ast.unparse(c.func) == "st.Page" for k in c.keywords]
    found = {ast.literal_eval(k.value) for k in keywords if k.arg == "url_path"}
    assert found
    return found


def test_every_address_has_a_stub_and_nothing_else_lies_beside_it(root: Path) -> None:
    """Streamlit scans pages/*.py by itself: without a stub a deep link on a fresh server is not found."""
    direct = {p.stem for p in (root / "pages").glob("*.py")}
    assert direct == addresses(root) | {"__init__"}


def test_a_stub_does_nothing_but_lead_through_the_router(root: Path) -> None:
    for name in addresses(root):
        docstring, *rest = ast.parse((root / "pages" / f"{name}.py").read_text()).body
        assert isinstance(docstring, ast.Expr)
        assert f"/{name} " in ast.unparse(docstring)
        assert [ast.unparse(node) for node in rest] == ["from pages.parts.route import through_app", "through_app()"]


def test_every_page_of_the_router_is_a_view(root: Path) -> None:
    scripts = set(re.findall(r'"(pages/[\w/]+\.py)"', (root / "app.py").read_text()))
    assert scripts == {f"pages/views/{p.name}" for p in (root / "pages" / "views").glob("*.py")}


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


def test_everything_public_in_the_library_says_what_it_is_for(root: Path) -> None:
    silent = []
    for path in python_files(root / "scaling_core"):
        tree = parsed(path)
        found = [("the module", tree), *public(tree.body)]
        silent += [f"{path.relative_to(root)}: {name}" for name, node in found if not ast.get_docstring(node)]
    assert silent == []


def test_base_names_of_tests_are_unique(root: Path) -> None:
    """Without __init__.py pytest imports test files by base name alone; conftest.py is its own exception."""
    names = Counter(p.name for p in python_files(root / "tests") if p.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []
