"""The computed pages of the reference say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEASURED = {"durability.md"}
"""Pages of figures that were measured on a day: nothing can compute them again."""
TOOLS = sorted(path.name for path in (ROOT / "tools").glob("*_page.py") if path.name != "reference_page.py")


@pytest.mark.parametrize("tool", TOOLS)
def test_the_page_is_up_to_date(tool: str) -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "tools" / tool), "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_reference_is_computed() -> None:
    pages = {path.name for path in (ROOT / "docs" / "reference").glob("*.md")} - MEASURED
    assert {name.replace(".md", "_page.py") for name in pages} == set(TOOLS)
