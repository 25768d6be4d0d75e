"""``pattern``: what texts have in common, in one pass.

A text is cut into tokens at spaces and signs. A token that looks like a value (it has a digit, or is a word of hex
digits as long as an id) becomes a dynamic one, named after what it looks like; the rest is the template. Templates are
counted. In the end those that differ in one token only, at one place, and number more than ``VARIANTS_MAX`` there, are
one: that token is dynamic too. AWS tells the form of the answer (CWL_QuerySyntax-Pattern.html: ``<string-number>``,
``<Token-number>``, ``@ratio``, ``@sampleCount``, ``@severityLabel``) and not its method; this is Cloche's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final

Template = tuple[str, ...]
"""Pieces; a dynamic one is its kind in angle brackets."""
VARIANTS_MAX: Final = 8
TEMPLATES_MAX: Final = 5_000
"""Counted apart; when they are still so many after those alike have been joined, all others are one."""
TEXT_MAX: Final = 10_000
"""Characters of a text that are looked at."""
_TIME: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[-+]\d\d:?\d\d)?"
_TOKEN: Final = re.compile(
    rf"""
    (?P<Timestamp>{_TIME})
  | (?P<UUID>\b[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}\b)
  | (?P<IPAddress>\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}\b)
  | (?P<Number>(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]))
  | (?P<Token>(?=[A-Za-z_-]*\d|[0-9a-fA-F]{{16}})\w[\w-]*)
  | (?P<word>\w+) | (?P<rest>\W)
    """,
    re.VERBOSE | re.ASCII,
)
_SEVERITIES: Final = (
    ("Error", re.compile(r"error|fatal|critical|exception|traceback", re.IGNORECASE)),
    ("Warning", re.compile(r"warn", re.IGNORECASE)),
    ("Debug", re.compile(r"debug|trace", re.IGNORECASE)),
    ("Info", re.compile(r"info|notice", re.IGNORECASE)),
)


class Templates:
    def __init__(self) -> None:
        self.counts: dict[Template, int] = defaultdict(int)
        self._is_full = False

    def add(self, text: str | None) -> None:
        if text is not None:
            self._count(template_of(text), 1)

    def merge(self, counts: dict[Template, int]) -> None:
        for template, count in counts.items():
            self._count(template, count)

    def rows(self) -> list[tuple[Any, ...]]:
        """(pattern, how many, ratio, severity), the most frequent first."""
        total = sum(self.counts.values())
        found = sorted(generalised(self.counts).items(), key=lambda pair: (-pair[1], pair[0]))
        return [(shown(each), count, f"{count / total:.4f}", severity(each)) for each, count in found]

    def _count(self, template: Template, count: int) -> None:
        if template not in self.counts and len(self.counts) >= TEMPLATES_MAX:
            if not self._is_full:
                self.counts = defaultdict(int, generalised(self.counts))
                self._is_full = len(self.counts) > TEMPLATES_MAX // 2
            if self._is_full:
                template = ("<Token>",)
        self.counts[template] += count


def template_of(text: str) -> Template:
    pieces: list[str] = []
    for found in _TOKEN.finditer(text[:TEXT_MAX]):
        kind = found.lastgroup
        pieces.append(found[0] if kind in ("word", "rest") else f"<{kind}>")
    return tuple(pieces)


def generalised(counts: dict[Template, int]) -> dict[Template, int]:
    """Place by place: where more than ``VARIANTS_MAX`` words stand between the same others, there is a token."""
    found = dict(counts)
    for place in range(max((len(template) for template in found), default=0)):
        around: dict[Template, set[str]] = defaultdict(set)
        for template in found:
            if place < len(template) and template[place].isalnum():
                around[_without(template, place)].add(template[place])
        many = {context for context, words in around.items() if len(words) > VARIANTS_MAX}
        if not many:
            continue
        merged: dict[Template, int] = defaultdict(int)
        for template, count in found.items():
            is_many = place < len(template) and template[place].isalnum() and _without(template, place) in many
            merged[_with(template, place) if is_many else template] += count
        found = dict(merged)
    return found


def shown(template: Template) -> str:
    """With dynamic tokens numbered from 1, as they come."""
    number = 0
    pieces: list[str] = []
    for piece in template:
        if piece[0] == "<" and len(piece) > 1:
            number += 1
            piece = f"<{piece[1:-1]}-{number}>"
        pieces.append(piece)
    return "".join(pieces)


def severity(template: Template) -> str | None:
    joined = "".join(template)
    return next((name for name, words in _SEVERITIES if words.search(joined)), None)


def _without(template: Template, place: int) -> Template:
    return (*template[:place], "", *template[place + 1 :])


def _with(template: Template, place: int) -> Template:
    return (*template[:place], "<Token>", *template[place + 1 :])
