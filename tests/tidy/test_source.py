"""The house rules that a text search can hold."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("tools/**/*.py")])
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 90
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES_MAX, "one subject a file"
    assert path.stem not in VAGUE, "a module is named for what it holds"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno
            assert length <= FUNCTION_LINES_MAX, f"{node.name} is {length} lines long"


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_unfinished(path: Path) -> None:
    found = re.search(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError", path.read_text())
    assert found is None, found


def test_no_address_of_a_registry_or_a_machine_is_committed() -> None:
    """The project speaks of itself alone: no download addresses, no paths of whoever built it."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    forbidden = re.compile(
        rb"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian|--index-url|--extra-index-url|\"resolved\":\s*\"http"
        rb"|/root/|/home/[a-z]|/" + rb"wor" + rb"k/"
    )
    for name in filter(None, tracked):
        path = ROOT / name.decode()
        if path.is_file() and path != Path(__file__):
            found = forbidden.search(path.read_bytes())
            assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]!r}"


def test_nothing_lies_at_the_top_by_mistake() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    names = {name.decode() for name in tracked if name and b"/" not in name}
    pages = {"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md"}
    assert names <= {".gitattributes", ".gitignore", "Makefile", "pyproject.toml", *pages}


def test_every_module_is_imported_by_something() -> None:
    """No orphans: a module that nobody names is dead (entry points and discovered modules are named as text)."""
    texts = [*PYTHON, *ROOT.glob("src/**/*.toml"), ROOT / "pyproject.toml", *ROOT.glob("tests/**/*.py")]
    words = {word for path in texts for word in re.findall(r"\w+", path.read_text())}
    orphans = [path for path in ROOT.glob("src/**/*.py") if path.stem not in {"__init__", "__main__", *words}]
    assert orphans == []


def test_names_of_test_modules_are_unique() -> None:
    """Tests are collected by their bare names, so that a folder's tests may import what lies beside them."""
    names = [path.name for path in ROOT.glob("tests/**/*.py") if path.name not in ("__init__.py", "conftest.py")]
    assert sorted(names) == sorted(set(names))
