"""What the HTTP side knows of a model: questions go in, answers come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class Question:
    """One request to ``/invocations``. Header names are lower case."""

    body: bytes
    headers: Mapping[str, str]

    @property
    def content_type(self) -> str | None:
        return self.headers.get("content-type")

    @property
    def accept(self) -> str | None:
        return self.headers.get("accept")


@dataclass(slots=True)
class Answer:
    """``headers`` are beside Content-Type and Content-Length."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """An answer that is sent while it is being made. ``pieces`` runs where the model does, never in the event loop;
    what it raises before its first piece is an ordinary error, after that the connection is cut off."""

    pieces: Iterator[bytes]
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class InferenceError(Exception):
    """An answer that is no prediction: ``status`` and a text for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class OneByOne:
    """For models that answer each question by itself."""

    batch_max = 1

    def answer_many(self, questions: Sequence[Question]) -> list[Answer | Stream | None]:
        return [None] * len(questions)


class Model(Protocol):
    """A loaded model."""

    body_bytes_max: int
    """Longer requests are answered with 413 before they are read."""

    inline_bytes_max: int
    """Questions up to this long are answered in the event loop itself: right for what takes microseconds; -1: never.
    All others go to the one worker thread, so that ``/ping`` is answered while they run; only there may it stream."""

    batch_max: int
    """So many questions at most that wait for the worker thread go to ``answer_many`` together; 1: none does."""

    def answer_many(self, questions: Sequence[Question]) -> list[Answer | Stream | None]:
        """The same answers that ``answer`` gives; ``None`` where it is to be asked for that one. Never raises."""
        ...

    def answer(self, question: Question) -> Answer | Stream:
        """Called by one thread at a time. Raises ``InferenceError``; any other exception becomes a 500."""
        ...

    def execution_parameters(self) -> Answer | None:
        """What ``GET /execution-parameters`` says; ``None`` where the image has no such path."""
        ...
