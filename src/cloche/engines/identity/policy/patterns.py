"""Wildcards of policy documents, compiled once.

``*`` stands for any run of characters and ``?`` for one. A pattern with many stars is the classic way to make a
matcher backtrack for ever, so each piece between stars is taken at its first place and never given back: an
atomic group per star. That is right for globs (a later place of a piece can never help what follows), and it
makes the work proportional to the text times the longest piece, whatever the number of stars.

In an ARN the first five fields are matched each by itself: there a star does not run over a colon. An ARN with
fewer than six fields means a star for each of those that are missing.

Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html and
reference_policies_elements_condition_operators.html (Arn operators), reference_policies_variables.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Matcher = Callable[[str], object]
"""Answers something true for a text that matches."""

_VARIABLE_OR_WILD: Final = re.compile(r"\$\{[^}]*\}|\*|\?")
_WILD: Final = re.compile(r"[*?]")
_VARIABLE: Final = re.compile(r"\s*(?P<key>[^,\s]+)\s*(?:,\s*'(?P<default>[^']*)'\s*)?")


@dataclass(frozen=True, slots=True)
class Variable:
    """``${aws:username}`` or ``${aws:username, 'default'}``; ``key`` is in lower case."""

    key: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Wild:
    sign: str
    """``*`` or ``?``."""


Token = str | Wild | Variable


def tokens(text: str, *, variables: bool = True, wildcards: bool = True) -> tuple[Token, ...]:
    """Cut ``text`` into literals, wildcards and variables. ``${*}``, ``${?}`` and ``${$}`` are literals."""
    if not variables and not wildcards:
        return (text,) if text else ()
    found: list[Token] = []
    end = 0
    for match in (_VARIABLE_OR_WILD if variables else _WILD).finditer(text):
        found.append(text[end : match.start()])
        found.append(_token(match, wildcards))
        end = match.end()
    found.append(text[end:])
    return tuple(_joined(found))


def _token(match: re.Match[str], wildcards: bool) -> Token:
    sign = match[0]
    if sign in "*?":
        return Wild(sign) if wildcards else sign
    name = sign[2:-1]
    if name in ("*", "?", "$"):
        return name
    parsed = _VARIABLE.fullmatch(name)
    return sign if parsed is None else Variable(parsed["key"].lower(), parsed["default"])


def _joined(found: Sequence[Token]) -> list[Token]:
    joined: list[Token] = []
    for token in found:
        if isinstance(token, str) and joined and isinstance(joined[-1], str):
            joined[-1] += token
        elif token != "":
            joined.append(token)
    return joined


def variables_of(parts: Sequence[Token]) -> frozenset[str]:
    return frozenset(token.key for token in parts if isinstance(token, Variable))


def resolve(parts: Sequence[Token], lookup: Callable[[str], str | None]) -> tuple[str | Wild, ...] | None:
    """Put the variables' values in, as literals. ``None`` where one has neither value nor default."""
    done: list[Token] = []
    for token in parts:
        if isinstance(token, Variable):
            value = lookup(token.key)
            if value is None:
                value = token.default
            if value is None:
                return None
            done.append(value)
        else:
            done.append(token)
    return tuple(_joined(done))  # type: ignore[arg-type]


@lru_cache(maxsize=8192)
def matcher(parts: tuple[str | Wild, ...], *, arn: bool = False) -> Matcher:
    """A matcher of whole texts for a pattern without variables."""
    if not parts:
        return lambda text: text == ""
    if len(parts) == 1 and isinstance(parts[0], str) and not arn:
        return parts[0].__eq__
    if parts == (Wild("*"),):
        return lambda text: True
    if arn:
        return re.compile(_arn_expression(parts), re.DOTALL).fullmatch
    if len(parts) == 2 and isinstance(parts[0], str) and parts[1] == Wild("*"):
        prefix = parts[0]
        return lambda text: text.startswith(prefix)
    return re.compile(_expression(parts, "."), re.DOTALL).fullmatch


def matches(pattern: str, text: str, *, arn: bool = False) -> bool:
    """Whether ``pattern`` (no variables in it) matches the whole of ``text``."""
    return bool(matcher(tokens(pattern, variables=False), arn=arn)(text))


def _expression(parts: Sequence[str | Wild], any_one: str) -> str:
    """Each star with the piece after it is an atomic group, but for the last star, which is anchored by the end."""
    pieces: list[str] = [""]
    for token in parts:
        if isinstance(token, str):
            pieces[-1] += re.escape(token)
        elif token.sign == "?":
            pieces[-1] += any_one
        else:
            pieces.append("")
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>{any_one}*?{piece})" for piece in pieces[1:-1] if piece)
    # The last piece must end the text: run to the end, then give back exactly that piece's length.
    return f"{pieces[0]}{middle}{any_one}*{pieces[-1]}"


def _arn_expression(parts: Sequence[str | Wild]) -> str:
    fields = _fields(parts)
    if fields is None:
        return _expression(parts, ".")
    fields += [[Wild("*")]] * (6 - len(fields))
    return ":".join(_expression(each, "[^:]") for each in fields[:5]) + ":" + _expression(fields[5], ".")


def _fields(parts: Sequence[str | Wild]) -> list[list[str | Wild]] | None:
    """The up to six fields of an ARN pattern, or ``None`` for a pattern that does not begin as an ARN does."""
    if not (isinstance(parts[0], str) and parts[0].startswith("arn:")):
        return None
    fields: list[list[str | Wild]] = [[]]
    for token in parts:
        if isinstance(token, Wild):
            fields[-1].append(token)
            continue
        pieces = token.split(":", 6 - len(fields)) if len(fields) < 6 else [token]
        for number, piece in enumerate(pieces):
            if number:
                fields.append([])
            if piece:
                fields[-1].append(piece)
    return fields
