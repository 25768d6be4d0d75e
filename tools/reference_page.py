"""A page of docs/reference that is computed from the code: written, or held against what is there.

Each page's own tool makes the text; this is the command line they share.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


def main(name: str, text: str, tool: str) -> int:
    """Write ``docs/reference/<name>``; with ``--check``, say whether it is up to date (exit code 1 where not)."""
    arguments = argparse.ArgumentParser(description=f"Write docs/reference/{name} from the code.")
    arguments.add_argument("--check", action="store_true", help="only say whether it is up to date")
    page = REFERENCE / name
    if arguments.parse_args().check:
        if not page.exists() or page.read_text() != text:
            sys.stderr.write(f"docs/reference/{name} is out of date: run python tools/{tool}\n")
            return 1
        return 0
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    return 0


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return [*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)]
