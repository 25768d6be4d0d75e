"""Answers as bytes, and errors as answers."""

from __future__ import annotations

import logging
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from cloche_jobs.serving.model import Answer, InferenceError, Model, Question, Stream

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

log = logging.getLogger("cloche_jobs.serving")


def answer_head(answer: Answer, *, closing: bool) -> bytes:
    """What comes before the body; header values lose whatever would end a line."""
    if not answer.headers and not closing:
        return _plain_head(answer.status, answer.content_type, len(answer.body))
    return _head(answer, _framing(answer.status, answer.content_type, len(answer.body)), closing=closing)


@lru_cache(maxsize=256)
def _plain_head(status: int, content_type: str, length: int) -> bytes:
    """Most answers of a model differ in their length alone."""
    return _head(Answer(b"", content_type, status), _framing(status, content_type, length), closing=False)


def _framing(status: int, content_type: str, length: int) -> str:
    if status == HTTPStatus.NO_CONTENT:
        return ""
    return f"Content-Type: {_clean(content_type)}\r\nContent-Length: {length}\r\n"


def stream_head(stream: Stream, *, chunked: bool, closing: bool) -> bytes:
    framing = "Transfer-Encoding: chunked\r\n" if chunked else ""
    return _head(stream, f"Content-Type: {_clean(stream.content_type)}\r\n{framing}", closing=closing)


def _head(answer: Answer | Stream, framing: str, *, closing: bool) -> bytes:
    head = f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Unknown')}\r\n{framing}"
    for name, value in answer.headers.items():
        head += f"{_clean(name)}: {_clean(value)}\r\n"
    if closing:
        head += "Connection: close\r\n"
    return head.encode("latin-1", "replace") + b"\r\n"


def _clean(value: str) -> str:
    return value if value.isprintable() else "".join(character for character in value if character.isprintable())


def answer_to(model: Model, question: Question) -> Answer | Stream:
    """The model's answer, or the one that says what went wrong. Never raises."""
    try:
        return model.answer(question)
    except Exception as error:
        return error_answer(error)


def error_answer(error: Exception) -> Answer:
    """What the caller is told of ``error``, which is being handled; the log is told all of it."""
    if isinstance(error, InferenceError):
        log.error("%d: %s", error.status, error.message, exc_info=error.__cause__)
        return Answer(error.message.encode("utf-8", "replace"), "text/plain; charset=utf-8", error.status)
    log.error("Exception on /invocations [POST]", exc_info=error)
    text = str(error) or type(error).__name__
    return Answer(text.encode("utf-8", "replace"), "text/plain; charset=utf-8", 500)
