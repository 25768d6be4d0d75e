"""``pattern``: what texts have in common, in one pass.

A part of a text that looks like a value (it has a digit, or is a word of as many hex digits as an id) is dynamic, and
named after what it looks like; the rest is the text's template. Templates are counted. In the end those that differ in
one word only, at one place, and are more than ``VARIANTS_MAX`` there, become one: that word is dynamic too. AWS tells
the form of the answer (CWL_QuerySyntax-Pattern.html: ``<string-number>``, ``<Token-number>``, ``@ratio``,
``@sampleCount``, ``@severityLabel``) and not its method; this is Cloche's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final

Pieces = tuple[str, ...]
"""Of a template: words, signs between them, and dynamic parts, which are their kind between two marks."""
MARK: Final = "\x00"
REST: Final = f"{MARK}Token{MARK}"
VARIANTS_MAX: Final = 8
TEMPLATES_MAX: Final = 5_000
"""Counted apart; when they are still so many after those alike have been joined, all others are one."""
TEXT_MAX: Final = 10_000
"""Characters of a text that are looked at."""
_DYNAMIC: Final = re.compile(
    r"""
    (?<![A-Za-z0-9_])(?:
        (?P<Timestamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)
      | (?P<UUID>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)
      | (?P<IPAddress>\d{1,3}(?:\.\d{1,3}){3}\b)
      | (?P<Number>(?<!\.)-?\d+(?:\.\d+)?(?!\w|\.\d))
      | (?P<Token>(?=[A-Za-z_-]*\d|[0-9a-fA-F]{16})\w[\w-]*)
    )
    """,
    re.VERBOSE | re.ASCII,
)
_PIECE: Final = re.compile(r"\x00\w+\x00|\w+|\W")
_DYNAMIC_PIECE: Final = re.compile(r"\x00(\w+)\x00")
_SEVERITIES: Final = (
    ("Error", re.compile(r"error|fatal|critical|exception|traceback", re.IGNORECASE)),
    ("Warning", re.compile(r"warn", re.IGNORECASE)),
    ("Debug", re.compile(r"debug|trace", re.IGNORECASE)),
    ("Info", re.compile(r"info|notice", re.IGNORECASE)),
)


class Templates:
    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self._is_full = False

    def add(self, text: str | None) -> None:
        if text is not None:
            self._count(template_of(text), 1)

    def merge(self, counts: dict[str, int]) -> None:
        for template, count in counts.items():
            self._count(template, count)

    def rows(self) -> list[tuple[Any, ...]]:
        """(pattern, how many, ratio, severity), the most frequent first."""
        total = sum(self.counts.values())
        found = sorted(generalised(self.counts).items(), key=lambda pair: (-pair[1], pair[0]))
        return [(shown(each), count, f"{count / total:.4f}", severity(each)) for each, count in found]

    def _count(self, template: str, count: int) -> None:
        if template not in self.counts and len(self.counts) >= TEMPLATES_MAX:
            if not self._is_full:
                self.counts = defaultdict(int, generalised(self.counts))
                self._is_full = len(self.counts) > TEMPLATES_MAX // 2
            if self._is_full:
                template = REST
        self.counts[template] += count


def template_of(text: str) -> str:
    return _DYNAMIC.sub(_kind, text[:TEXT_MAX].replace(MARK, ""))


def _kind(found: re.Match[str]) -> str:
    return f"{MARK}{found.lastgroup}{MARK}"


def generalised(counts: dict[str, int]) -> dict[str, int]:
    """Place by place: where more than ``VARIANTS_MAX`` words stand between the same others, there is a token."""
    by_length: dict[int, dict[Pieces, int]] = defaultdict(dict)
    for template, count in counts.items():
        pieces = tuple(_PIECE.findall(template))
        by_length[len(pieces)][pieces] = count
    found: dict[str, int] = defaultdict(int)
    for length, alike in by_length.items():
        for pieces, count in _joined(alike, length).items():
            found["".join(pieces)] += count
    return found


def _joined(counts: dict[Pieces, int], length: int) -> dict[Pieces, int]:
    for place in range(length if len(counts) > VARIANTS_MAX else 0):
        around: dict[Pieces, list[Pieces]] = defaultdict(list)
        for pieces in counts:
            if pieces[place].isalnum():
                around[(*pieces[:place], *pieces[place + 1 :])].append(pieces)
        for alike in around.values():
            if len(alike) > VARIANTS_MAX:
                total = sum(counts.pop(pieces) for pieces in alike)
                general = (*alike[0][:place], REST, *alike[0][place + 1 :])
                counts[general] = counts.get(general, 0) + total
    return counts


def shown(template: str) -> str:
    """With dynamic parts numbered from 1, as they come."""
    number = 0

    def named(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return f"<{found[1]}-{number}>"

    return _DYNAMIC_PIECE.sub(named, template)


def severity(template: str) -> str | None:
    return next((name for name, words in _SEVERITIES if words.search(template)), None)
