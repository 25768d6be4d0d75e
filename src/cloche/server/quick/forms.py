"""What one client's requests of a kind have in common, remembered from the first that went all its way.

An SDK's requests differ in date, signature and ids; everything else is the same all day: the path, the key, the content
type, the host. So what was concluded from that much (that the request is plain and may be looked at, who asks whom for
what) is kept as a ``Form``, found again by the header lines themselves. What a form does not hold is asked for every
request: that the signature is this request's, that the key still is, and that the caller may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from cloche.aws.signing.alike import Alike

if TYPE_CHECKING:
    from cloche.server.quick.heads import KnownHead

VARYING: Final = frozenset((b"x-amz-date", b"amz-sdk-invocation-id", b"amz-sdk-request", b"content-length"))
"""What an SDK sends anew with every request, and the server looks at, if at all, in every one."""
VARYING_NAMES: Final = frozenset(str(name, "ascii") for name in VARYING)
_NEVER_ALIKE: Final = b"x-amzn-sagemaker-inference-id"
SIGNATURE: Final = b", Signature="
FORMS_MAX: Final = 512
FORM_BYTES_MAX: Final = 4_096
"""Of header lines that are remembered; boto3's are 700 bytes long."""


class Sight:
    """A request's header lines, sorted into what its form is found by and what is its own."""

    __slots__ = ("end", "key", "signature", "values")

    def __init__(self, key: tuple[bytes, ...], values: dict[str, str], signature: str, end: int = 0) -> None:
        self.key = key
        self.values = values
        self.signature = signature
        self.end = end
        """Where the body begins, for who has found the head (``heads``)."""


def sight_of(target: bytes, lines: list[tuple[bytes, bytes]]) -> Sight | None:
    """``None`` for a request that has no form: unsigned, with an id of its own, with a varying header twice."""
    key = [target]
    values: dict[str, str] = {}
    signature = ""
    for name, value in lines:
        if name in VARYING:
            text = str(name, "ascii")
            if text in values:
                return None
            values[text] = str(value, "latin-1")
            key.append(name)
        elif name == b"authorization":
            front, _, signed = value.rpartition(SIGNATURE)
            signature = str(signed, "latin-1")
            key += (name, front)
        elif name == _NEVER_ALIKE:
            return None
        else:
            key += (name, value)
    return Sight(tuple(key), values, signature) if signature else None


class Form:
    """What is concluded of alike requests; a kind of request adds what it has to know of its own."""

    __slots__ = ("alike", "known", "tries")

    def __init__(self, alike: Alike) -> None:
        self.alike = alike
        self.known: KnownHead | None = None
        """Their head, cut up, once one was seen that can be."""
        self.tries = 0


F = TypeVar("F")


class Forms(Generic[F]):
    """Those seen lately: the memory is emptied when it is full, as a client makes its form anew at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], F] = {}

    def find(self, sight: Sight) -> F | None:
        return self._known.get(sight.key)

    def keep(self, sight: Sight, form: F) -> None:
        if sum(map(len, sight.key)) > FORM_BYTES_MAX:
            return
        if len(self._known) >= FORMS_MAX:
            self._known.clear()
        self._known[sight.key] = form
