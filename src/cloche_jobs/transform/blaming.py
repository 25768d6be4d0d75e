"""Which record of a payload is at fault, when the model has refused it.

First the payload is read as what its type says it is: a line that is none, or a row with another number of columns
than the first, is told without asking anybody. Where all of that is right, the model is asked again, with halves of
what it refused, until one record is left: some twenty questions for a million records. A model that refuses the whole
and takes both halves leaves it at where the payload begins.
"""

from __future__ import annotations

from collections.abc import Callable

from cloche_jobs.transform.batch import Payload
from cloche_jobs.transform.records import CSV, READERS, Malformed, lines_of

QUESTIONS_MAX = 40


def badly_formed(body: bytes, form: str | None) -> tuple[int, str] | None:
    """The first record that is not what its type says, counted from 0, and why."""
    if form is None:
        return None
    try:
        rows = READERS[form](body, True)
    except Malformed as error:
        return max(error.line, 0), error.message
    if form == CSV:
        for number, row in enumerate(rows):
            if len(row) != len(rows[0]):
                return number, f"{len(row)} columns where the first line has {len(rows[0])}"
    return None


def first_refused(payload: Payload, refuses: Callable[[bytes], bool]) -> int | None:
    """The first record the model refuses by itself, counted from 0; ``None`` where there is no such one."""
    lines = lines_of(payload.body)
    first, count = 0, len(lines)
    for _ in range(QUESTIONS_MAX):
        if count <= 1:
            return first
        half = count // 2
        if refuses(b"\n".join(lines[first : first + half]) + b"\n"):
            count = half
        else:
            first, count = first + half, count - half
            if not refuses(b"\n".join(lines[first : first + count]) + b"\n"):
                return None
    return None
