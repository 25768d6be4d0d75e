"""What a model says about its sessions, in the headers of an answer.

The model makes the id and the time; the answer passes both on as they came. The form is the model's
``NewSessionResponseHeader``; docs.aws.amazon.com/sagemaker/latest/dg/stateful-sessions.html tells the rest.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Final

from cloche.aws.operation import Context
from cloche.engines.hosting import Answer, AnswerStream
from cloche.services.sagemaker_runtime.asking import Asked

NEW: Final = b"x-amzn-sagemaker-new-session-id"
CLOSED: Final = b"x-amzn-sagemaker-closed-session-id"
_NEW: Final = re.compile(r"([a-zA-Z0-9](?:-*[a-zA-Z0-9])*);\s(?:Expires=)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_ID_CHARACTERS_MAX: Final = 256


class MalformedSession(Exception):
    """The model's header cannot be read; ``str()`` says which."""


async def note_sessions(ctx: Context, asked: Asked, answer: Answer | AnswerStream) -> tuple[str, str]:
    """Keep what the answer's headers say: the two headers as the caller is to see them, empty where there is none.

    What was opened is durable when this returns. Raises ``MalformedSession``.
    """
    sessions = ctx.parts.hosting.sessions
    opened, closed = (_text(answer, name) for name in (NEW, CLOSED))
    if opened:
        match = _NEW.fullmatch(opened)
        if match is None or len(opened) > _ID_CHARACTERS_MAX:
            raise MalformedSession(f"The model's {NEW.decode()} header is not of the form ID; Expires=TIME.")
        try:
            ends_at = datetime.strptime(match[2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise MalformedSession(f"The model's {NEW.decode()} header names no moment.") from None
        await asyncio.to_thread(sessions.open, asked.key, match[1], answer.instance, ends_at)
    if closed:
        await asyncio.to_thread(sessions.close, asked.key, closed)
    return opened, closed


def _text(answer: Answer | AnswerStream, name: bytes) -> str:
    return (answer.header(name) or b"").decode("latin-1")
