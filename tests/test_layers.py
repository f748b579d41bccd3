"""The house: which room is on which floor, imports that go downward only, and what stays unloaded until needed."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.paths import ROOT

SOURCE = ROOT / "src" / "u2net"
FLOORS = {
    0: ["errors", "lazy", "types", "version"],
    1: ["system"],
    2: ["imaging", "models"],
    3: ["io", "matting", "inference"],
    4: ["compose", "segmentation", "networks", "compat"],
    5: ["tasks", "datasets", "export"],
    6: ["video", "evaluation", "diagnostics"],
    7: ["batch", "train"],
    8: ["reports"],
    9: ["cli"],
}
"""A room may import its own files and rooms on lower floors."""
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
FACES = {"__init__", "__main__"}
"""The package's own two files: they show or start what is in the rooms."""
TORCH_ROOMS = {"networks", "export", "train"}
"""They need torch. The others import them inside functions only."""
MOST_ROOMS, MOST_LOOSE_FILES, MOST_LINES = 22, 6, 350
SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "base", "misc", "core"}
HEAVY = ["torch", "openvino", "onnxruntime", "av", "fastapi", "pymatting", "matplotlib", "numpy", "cv2", "PIL"]
FILES = sorted(SOURCE.rglob("*.py"))
DATA_FILES = sorted(
    path
    for path in SOURCE.rglob("*")
    if path.is_file() and path.suffix != ".py" and path.name != "py.typed" and "__pycache__" not in path.parts
)
MODULES = {"u2net." + ".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in FILES}
MODULES |= {name.removesuffix(".__init__"): path for name, path in MODULES.items() if name.endswith(".__init__")}
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))


def room_of(path: Path) -> str:
    """A folder directly in the package, or the name of a file there."""
    return path.relative_to(SOURCE).with_suffix("").parts[0]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[Path]:
    """The files of ours that a piece of code imports, wherever it does, in code that it hands to another Python too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "u2net":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield MODULES[whole if whole in MODULES else node.module or ""]
        elif isinstance(node, ast.Import):
            yield from (MODULES[alias.name] for alias in node.names if alias.name.partition(".")[0] == "u2net")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            code = re.sub(r"^ *>>> .*$", "", node.value, flags=re.MULTILINE)  # what users write
            yield from (MODULES[name] for name in re.findall(r"\bfrom (u2net\.[\w.]+) import\b", code))


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """The imports that run when a module is loaded; those for the type checker alone are none."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            yield inner
        elif isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING":
            continue
        elif not isinstance(inner, ast.FunctionDef):
            yield from outside_functions(inner)


@functools.cache
def imports_of(path: Path) -> frozenset[Path]:
    return frozenset(imported(tree_of(path)))


@functools.cache
def data_read(path: Path) -> set[Path]:
    """The data files that a file of ours names: themselves, or the folder they lie in."""
    words = {
        word
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in (node.value, *node.value.split("/"))
    }
    named = {data for data in DATA_FILES if data.name in words}
    return named | {data for data in DATA_FILES if data.parent.name in words - set(ROOMS)}


def may_reach(path: Path, room: str) -> bool:
    own = room_of(path)
    return own in FACES or own == room or FLOOR_OF[room] < FLOOR_OF[own]


def test_table_has_every_room_and_no_other() -> None:
    assert sorted(FLOOR_OF) == sorted({room_of(path) for path in FILES} - FACES)


@each_file
def test_imports_go_downward(path: Path) -> None:
    for other in imports_of(path):
        if other != SOURCE / "__init__.py":
            assert may_reach(path, room_of(other)), f"{path} imports {other}"
        else:
            assert room_of(path) in FACES, f"{path} imports the package's face; import the room that has it"


@each_file
def test_data_files_are_read_from_the_same_room_or_above(path: Path) -> None:
    for data in data_read(path):
        assert may_reach(path, room_of(data)), f"{path} reads {data}"


@pytest.mark.parametrize("path", DATA_FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_data_file_is_read_by_somebody(path: Path) -> None:
    readers = [reader for reader in FILES if path in data_read(reader)]
    assert readers


def test_no_files_import_each_other_in_a_circle() -> None:
    arrows = {path: imports_of(path) - {path} for path in FILES}
    arrows.pop(SOURCE / "__init__.py")
    while leaves := [path for path, others in arrows.items() if not others & arrows.keys()]:
        for path in leaves:
            del arrows[path]
    assert not arrows, "these lie on circles or lead into one"


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(path) not in TORCH_ROOMS], ids=lambda path: str(path.relative_to(SOURCE))
)
def test_torch_and_its_rooms_are_imported_inside_functions_only(path: Path) -> None:
    at_once = ast.Module([node for node in outside_functions(tree_of(path)) if isinstance(node, ast.stmt)], [])
    names = {alias.name for node in at_once.body if isinstance(node, ast.Import) for alias in node.names}
    assert "torch" not in names
    assert not TORCH_ROOMS & {room_of(other) for other in imported(at_once)}


def test_house_stays_small_enough_to_find_ones_way() -> None:
    assert len(ROOMS) <= MOST_ROOMS
    assert len(list(SOURCE.glob("*.py"))) <= MOST_LOOSE_FILES


@each_file
def test_file_is_short_and_named_for_what_it_holds(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert path.stem not in SAY_NOTHING


def test_contributing_has_a_line_for_each_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|([^|]*)\|([^|]*)\|$", text, re.MULTILINE)
    assert [(int(floor), room) for floor, room, _, _ in rows] == [(FLOOR_OF[room], room) for room in FLOOR_OF]
    for _, room, purpose, imports in rows:
        named = set(re.findall(r"`(\w+)`", imports))
        real = {room_of(other) for path in FILES if room_of(path) == room for other in imports_of(path)}
        assert purpose.strip()
        assert named == real - {room} - set(FLOORS[0]), room


def test_tests_mirror_the_rooms() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders - {"fuzz"} == set(ROOMS)


def test_only_the_command_line_talks_to_a_terminal() -> None:
    """Below `cli` nothing imports click or rich: a server, a notebook and a cluster call the same functions."""
    found = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in FILES
        if room_of(path) not in ("cli", "__main__")
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
        if name.partition(".")[0] in ("click", "rich")
    ]
    assert not found


def test_importing_the_package_and_its_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, u2net, u2net.cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
