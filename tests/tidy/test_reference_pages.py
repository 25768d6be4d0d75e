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


def test_links_between_pages_lead_somewhere() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        page = ROOT / name
        targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()) if page.exists() else []
        for target in targets:
            assert (page.parent / target).exists(), f"{name}: {target}"
