"""Searches lines for users' regular expressions, each line within a time limit. Run, never imported.

Reads frames (eight bytes of length, then ``marshal``): first the expressions, then batches of lines. Answers each
batch with a list for each line of ``(number of the expression, text of its first group)``. An alarm interrupts
Python's matcher, which works in a process's main thread only: hence this program. An expression that was
interrupted is not searched again.
"""

from __future__ import annotations

import marshal
import re
import signal
import sys
from typing import Any, NoReturn

LINE_SECONDS_MAX = 0.2


class TooLong(Exception):
    pass


def late(*_: object) -> NoReturn:
    raise TooLong


def receive() -> Any:
    head = sys.stdin.buffer.read(8)
    if len(head) < 8:
        sys.exit(0)
    return marshal.loads(sys.stdin.buffer.read(int.from_bytes(head, "big")))  # noqa: S302 - from our own server


def send(document: Any) -> None:
    data = marshal.dumps(document)
    sys.stdout.buffer.write(len(data).to_bytes(8, "big") + data)
    sys.stdout.buffer.flush()


def search(expressions: dict[int, re.Pattern[str]], line: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for at, expression in list(expressions.items()):
        try:
            signal.setitimer(signal.ITIMER_REAL, LINE_SECONDS_MAX)
            match = expression.search(line)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except TooLong:
            del expressions[at]
            continue
        if match is not None:
            found.append((at, match.group(1) or ""))
    return found


def main() -> None:
    signal.signal(signal.SIGALRM, late)
    expressions = {at: re.compile(regex) for at, regex in enumerate(receive())}
    while True:
        send([search(expressions, line) for line in receive()])


if __name__ == "__main__":
    main()
