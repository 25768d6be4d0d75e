"""Cuts a query into tokens, one at a time: whether ``/`` divides or begins an expression only the reader knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SPACE: Final = re.compile(r"(?:\s+|#[^\n]*)*")
_TOKEN: Final = re.compile(
    r"""
    (?P<field>(?:@?[A-Za-z_][\w@]*|`[^`\n]+`)(?:\.(?:[\w@]+|`[^`\n]+`)|\[\d+\])*)
  | (?P<period>\d+(?:ms|[a-zA-Z]+)\b)
  | (?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<sign><=|>=|!=|=~|[-=<>+*/^%()\[\],|])
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX: Final = re.compile(r"/((?:[^/\\\n]|\\.)*)/")
_SEGMENT: Final = re.compile(r"`([^`]+)`|([\w@]+)|\[(\d+)\]")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
END: Final = "<EOF>"


class QueryError(Exception):
    """``start`` and ``end`` are the offsets of the first and last character that cannot be."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, end


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    """``field``, ``period``, ``number``, ``string``, ``sign``, ``regex`` or ``end``."""
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def word(self) -> str:
        """In lower case what might be a keyword; of anything else nothing."""
        return self.text.lower() if self.kind == "field" else ""


class Tokens:
    """``next`` is the one that comes; ``take`` moves on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.next = self._at(0)
        self.taken = 0
        """Where the last one taken ended."""

    def take(self) -> Token:
        token = self.next
        self.taken = token.end
        if token.kind != "end":
            self.next = self._at(token.end)
        return token

    def take_sign(self, *signs: str) -> str | None:
        if self.next.kind == "sign" and self.next.text in signs:
            return self.take().text
        return None

    def take_word(self, *words: str) -> str | None:
        if self.next.word in words:
            return self.take().word
        return None

    def need_sign(self, sign: str) -> None:
        if self.take_sign(sign) is None:
            raise self.unexpected()

    def take_text(self, text: str) -> bool:
        """Whether what comes is that text, as a whole."""
        end = self.next.start + len(text)
        if not self.text.startswith(text, self.next.start):
            return False
        after = self._at(end)
        if after.text not in (",", "|") and after.kind != "end" and after.word not in ("as", "asc", "desc"):
            return False
        self.taken, self.next = end, after
        return True

    def take_regex(self) -> str | None:
        """What stands between slashes, if a slash comes now."""
        if not (self.next.kind == "sign" and self.next.text == "/"):
            return None
        found = _REGEX.match(self.text, self.next.start)
        if found is None:
            raise self.unexpected()
        self.taken = found.end()
        self.next = self._at(found.end())
        return found[1].replace("\\/", "/")

    def unexpected(self, token: Token | None = None) -> QueryError:
        """Words of the service: "unexpected symbol found sort" and the like, quoted in public reports."""
        token = token or self.next
        line = self.text.count("\n", 0, token.start) + 1
        position = token.start - (self.text.rfind("\n", 0, token.start) + 1) + 1
        shown = token.text if len(token.text) <= 100 else f"{token.text[:100]}..."
        message = f"unexpected symbol found {shown} at line {line} and position {position}"
        return QueryError(message, token.start, min(token.end, len(self.text)))

    def _at(self, offset: int) -> Token:
        space = _SPACE.match(self.text, offset)
        start = space.end() if space else offset
        if start >= len(self.text):
            return Token("end", END, len(self.text))
        found = _TOKEN.match(self.text, start)
        if found is None or found.lastgroup is None:
            return Token("sign", self.text[start], start)
        return Token(found.lastgroup, found[0], start)


def segments(text: str) -> tuple[str, ...]:
    """Those of a field's name: between dots, in brackets. What stands in backticks is one."""
    return tuple(next(part for part in found.groups() if part is not None) for found in _SEGMENT.finditer(text))


def unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[0]), text[1:-1])
