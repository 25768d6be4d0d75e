"""The coverage page says what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_coverage_page_is_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "coverage_page.py"), "--check"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
