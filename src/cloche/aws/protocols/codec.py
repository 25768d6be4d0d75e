"""What every protocol offers, and the two ideas all of them share.

*Compiled, not interpreted.* A protocol turns a shape into a closure once: the member names, wire names,
locations and timestamp formats are looked up when the closure is built and never again. Structures resolve their
members at first use, which makes recursive shapes plain and keeps the cost of SageMaker's 3,000 shapes at the
handful that are really asked for.

*Nothing undeclared leaks.* A writer walks what the handler gave but writes only what the shape declares; ``None``
counts as absent. In strict mode, for tests, an undeclared or a missing required member is an error instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from cloche.aws.errors import AwsError
from cloche.aws.http import Body, HttpRequest, HttpResponse
from cloche.aws.operation import Members

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape

Read = Callable[[Any], Any]


class StrictError(ValueError):
    """A handler's answer does not fit its output shape (strict mode only; a programmer's error)."""


class ErrorView:
    """An ``AwsError`` beside what the model says of it."""

    __slots__ = ("code", "error", "fault", "message", "shape", "status")

    def __init__(self, service: ServiceModel, operation: OperationModel | None, error: AwsError) -> None:
        self.error = error
        self.message = error.message
        self.shape = find_error_shape(service, operation, error.code)
        declared = dict(self.shape.metadata.get("error", {})) if self.shape is not None else {}
        raw = description(service)["shapes"].get(self.shape.name, {}) if self.shape is not None else {}
        self.code: str = declared.get("code") or error.code
        self.status: int = error.status
        if error.status == 400:  # the default: the model knows better
            self.status = declared.get("httpStatusCode") or (500 if raw.get("fault") else 400)
        self.fault = "Receiver" if self.status >= 500 else "Sender"


def description(service: ServiceModel) -> dict[str, Any]:
    """The raw model: for traits that botocore's classes do not show (``fault``)."""
    raw: dict[str, Any] = vars(service)["_service_description"]
    return raw


def find_error_shape(service: ServiceModel, operation: OperationModel | None, code: str) -> Any:
    """The modelled error called ``code`` (by shape name or by wire code), the operation's own first."""
    known: dict[tuple[str, str], Any] = vars(service).setdefault("_cloche_error_shapes", {})
    key = (operation.name if operation is not None else "", code)
    if key not in known:
        found = None
        if operation is not None:
            for shape in operation.error_shapes:
                if code in (shape.name, shape.metadata.get("error", {}).get("code")):
                    found = shape
                    break
        shapes: Any = service
        if found is None:
            found = shapes.shape_for_error_code(code)
        if found is None and code in description(service)["shapes"]:
            candidate = shapes.shape_for(code)
            found = candidate if candidate.metadata.get("exception") else None
        if len(known) > 5_000:
            known.clear()
        known[key] = found
    return known[key]


class Codec(ABC):
    """One protocol for one service. Made once, shared by all threads."""

    protocol: ClassVar[str]

    def __init__(self, service: ServiceModel, strict: bool = False) -> None:
        self.service = service
        self.strict = strict

    @abstractmethod
    def parse(self, operation: OperationModel, request: HttpRequest) -> Members:
        """The members of the input shape. Raises ``AwsError`` (400) for what cannot be read."""

    @abstractmethod
    def serialize(
        self, operation: OperationModel, result: Members, request: HttpRequest, request_id: str
    ) -> HttpResponse:
        """A successful answer."""

    @abstractmethod
    def error(self, view: ErrorView, request: HttpRequest, request_id: str) -> HttpResponse:
        """An error's answer."""

    @abstractmethod
    def body_reader(self, shape: Shape) -> Callable[[bytes], Any]:
        """How an event's payload of ``shape`` is read."""

    @abstractmethod
    def body_writer(self, shape: Shape) -> Callable[[Any], bytes]:
        """How an event's payload of ``shape`` is written."""

    body_type: ClassVar[str]
    """Content type of what ``body_writer`` writes."""


OUTSIDE: Final = frozenset(("header", "headers", "statusCode"))
"""Where an output member may be bound outside the body. (``uri`` and ``querystring`` bind requests only; such a
member of an answer is in its body.)"""


class LazyMembers(dict[str, Any]):
    """Member closures by name, each built when first asked for. A name that ``build`` does not know is ``None``
    and not kept: strangers' names must not fill memory."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[[str], Any]) -> None:
        super().__init__()
        self._build = build

    def __missing__(self, name: str) -> Any:
        made = self._build(name)
        if made is not None:
            self[name] = made
        return made


def check_strict(shape: Shape, value: Members) -> None:
    """Raise ``StrictError`` for a missing required or an undeclared member."""
    undeclared = [name for name in value if name not in shape.members]
    missing = [name for name in shape.required_members if value.get(name) is None]
    if undeclared or missing:
        raise StrictError(f"{shape.name}: undeclared {undeclared}, missing {missing}")


def serialization_error(message: str = "") -> AwsError:
    return AwsError("SerializationException", message, 400)


def refuse(message: str) -> NoReturn:
    raise serialization_error(message)


def body_of(body: Body) -> bytes:
    """A payload that must be whole. Raises ``TypeError`` for one that streams."""
    if isinstance(body, bytes):
        return body
    raise TypeError("this answer cannot stream")
