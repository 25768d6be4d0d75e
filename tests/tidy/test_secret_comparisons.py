"""Secrets are compared in constant time: no ``==`` on a signature, token, password or digest of one, anywhere.

What may be compared plainly is listed with its reason. The check reads names, so it holds whoever writes the next
comparison to choosing: ``signing.keys.same`` or ``hmac.compare_digest``, or a line below.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "aws/signing",
    "aws/resource/tokens.py",
    "engines/identity",
    "server",
    "console",
    "services/iam",
    "services/sts",
)
ROOTS = [ROOT / "src" / "cloche" / name for name in FOLDERS]
FILES = sorted(file for path in ROOTS for file in ([path] if path.is_file() else path.glob("**/*.py")))
SECRET = re.compile(r"(^|_)(signature|token|secret|secret_key|password|mac|hmac|session_token|cookie|otp)$")
PLAIN: dict[str, str] = {}
"""``file: source of the comparison`` to the reason why it may be plain."""


def compared(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue  # is there one, is it the empty one: nothing to learn by time
            if any(SECRET.search(name_of(side)) for side in sides):
                found.append(f"{path.relative_to(ROOT / 'src' / 'cloche')}: {ast.unparse(node)}")
    return found


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_secret_is_compared_plainly(path: Path) -> None:
    assert [one for one in compared(path) if one not in PLAIN] == []


def test_the_check_can_fail() -> None:
    source = ROOT / "src" / "cloche" / "aws" / "signing" / "keys.py"
    text = source.read_text()
    assert "hmac.compare_digest" in text, "the one comparison that all of signing uses"
    tree = ast.parse("def f(given, known):\n    return given.signature == known or known != given['session_token']")
    hits = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert all(any(SECRET.search(name_of(side)) for side in (node.left, *node.comparators)) for node in hits)


def test_signatures_go_through_the_constant_time_comparison() -> None:
    for name in ("sigv4.py", "chunked.py"):
        text = (ROOT / "src" / "cloche" / "aws" / "signing" / name).read_text()
        assert "same(sign(" in text or "same(computed, signature)" in text, name
