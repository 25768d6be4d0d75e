"""The short way of a plain ``InvokeEndpoint``: signature, authorization, then straight to the model server, whose
answer is written as it comes. A member that is unusual, or breaks a constraint, sends a request the ordinary way.
What a client's requests have in common is concluded once (``forms``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Caller
from cloche.aws.routing import route
from cloche.aws.signing.alike import DATE, Alike
from cloche.aws.signing.refusals import Family, family_of
from cloche.engines.hosting import ANY, COMPONENT, Answer, Outcome, Told, Wanted, request_bytes, request_head
from cloche.engines.hosting.router import Key
from cloche.server.app import Chain
from cloche.server.quick.alike import Alikeness, alike_cycle
from cloche.server.quick.cycle import QuickCycle, headers_of, is_plain, is_short
from cloche.server.quick.forms import VARYING_NAMES, Form, Forms, Sight, sight_of
from cloche.server.quick.heads import Lines
from cloche.services.sagemaker_runtime.outcomes import refusal

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol

SERVICE: Final = "sagemaker-runtime"
OPERATION: Final = "InvokeEndpoint"
HEADER_CHARACTERS_MAX: Final = 1024
"""Of ContentType, Accept and CustomAttributes in the model."""

_PATH: Final = re.compile(rb"/endpoints/([a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/invocations")
_VARIANT: Final = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_ID: Final = re.compile(r"[!-~][ -~]{0,63}")
_FORWARDED: Final = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes")
_ATTRIBUTES: Final = b"x-amzn-sagemaker-custom-attributes"
_TARGET_VARIANT: Final = "x-amzn-sagemaker-target-variant"
_INFERENCE_ID: Final = "x-amzn-sagemaker-inference-id"
_COMPONENT: Final = "x-amzn-sagemaker-inference-component"
_COMPONENT_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
NOTHING_TOLD: Final = ("", "", "")
_PLAIN: Final = frozenset({*_FORWARDED, _TARGET_VARIANT, _INFERENCE_ID, _COMPONENT})


class InvokeForm(Form):
    """``request`` is the first of them, without its body. ``head`` begins what the model server is sent; the length of
    the body ends it. ``asked`` is the endpoint, or the component on it, and stands in ``key``, too; ``told`` is for who
    captures the request."""

    __slots__ = ("asked", "caller", "endpoint", "head", "key", "region", "request", "told", "wanted")

    def __init__(
        self,
        request: HttpRequest,
        caller: Caller,
        alike: Alike,
        endpoint: str,
        key: Key,
        wanted: Wanted,
        head: bytes,
        told: Told,
    ) -> None:
        super().__init__(alike)
        self.request = request
        self.caller = caller
        self.endpoint = endpoint
        self.key = key
        _, self.region, self.asked = key
        self.wanted = wanted
        self.head = head
        self.told = told


class QuickInvoke:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.family: Family | None = None
        self.forms = Forms[InvokeForm]()
        self.headers: list[tuple[bytes, bytes]] = []
        self.variant = ""
        self.shown = b""
        """What was made of the last answer's headers, by that variant: models answer with alike ones, which are then
        the same object (``hosting.answer``)."""

    def takes(self, protocol: HttpProtocol, target: bytes) -> QuickCycle | None:
        lines = protocol.headers
        sight = sight_of(target, lines)
        form = None if sight is None else self.forms.find(sight)
        if form is not None and sight is not None and is_short(sight.values.get("content-length", "")):
            return alike_cycle(partial(AlikeCycle, self, form), form, protocol, sight)
        match = _PATH.fullmatch(target)
        if match is None or len(match[1]) > 63 or self.chain.dispatch.ready(SERVICE) is None:
            return None
        headers = headers_of(lines)
        if not is_plain(headers) or not _has_plain_members(headers):
            return None
        return InvokeCycle(self, protocol, str(target, "latin-1"), str(match[1], "latin-1"), headers, sight)


def _has_plain_members(headers: Headers) -> bool:
    if "/sagemaker/aws4_request" not in headers.get("authorization") or "x-amz-target" in headers:
        return False
    for name, value in headers.items:
        if name in _PLAIN:
            if not value or len(value) > HEADER_CHARACTERS_MAX or not value.isascii():
                return False
        elif name.startswith("x-amzn-sagemaker-"):
            return False
    variant, inference = headers.get(_TARGET_VARIANT), headers.get(_INFERENCE_ID)
    if inference and _ID.fullmatch(inference) is None:
        return False
    if component := headers.get(_COMPONENT):
        return not variant and _COMPONENT_NAME.fullmatch(component) is not None
    return not variant or (len(variant) <= 63 and _VARIANT.fullmatch(variant) is not None)


class InvokeCycle(QuickCycle):
    """``body``, ``id`` and ``told`` are what is captured of it (``Heard``)."""

    __slots__ = ("_asked", "_name", "_quick", "_region", "_sight", "id", "told")

    def __init__(
        self,
        quick: QuickInvoke,
        protocol: HttpProtocol,
        path: str,
        name: str,
        headers: Headers,
        sight: Sight | None,
    ) -> None:
        super().__init__(quick.chain, protocol, path, headers)
        self._quick = quick
        self._name = name
        self._asked = name
        """The endpoint, or the component on it."""
        self._region = ""
        self._sight = sight
        self.id = b""
        self.told = NOTHING_TOLD

    def names(self) -> tuple[str, str]:
        return SERVICE, OPERATION

    def begin(self, request: HttpRequest) -> None:
        chain, exchange = self.chain, self.exchange
        family = self._quick.family
        if family is None:
            target = route(request)
            family = self._quick.family = family_of(target.service_name, target.protocol)
        verified = chain.verifier.verify(request, family, chain.clock.real())
        exchange.caller = verified.caller
        get = self.headers.get
        component, variant = get(_COMPONENT), get(_TARGET_VARIANT)
        if component:
            self._asked = self._name + COMPONENT + component
        self._region = verified.region or chain.settings.region
        key = (verified.caller.account, self._region, self._asked)
        forwarded = [(name.encode(), get(name).encode("latin-1")) for name in _FORWARDED if get(name)]
        form = InvokeForm(
            replace(request, body=b""),
            verified.caller,
            Alike(chain.verifier, request, VARYING_NAMES),
            self._name,
            key,
            Wanted(variant) if variant else ANY,
            request_head(forwarded),
            (get("content-type"), get(_INFERENCE_ID), get(_FORWARDED[2])),
        )
        if self._sight is not None and DATE in self.headers:
            self._quick.forms.keep(self._sight, form)
        self.act(form, request.body)

    def act(self, form: InvokeForm, body: bytes) -> None:
        """Ask whether the caller may, then the model."""
        chain = self.chain
        chain.authorize.may(form.caller, form.region, SERVICE, OPERATION)
        self.id, self.told = self.exchange.request_id.encode(), form.told
        data = request_bytes(form.head, body)
        chain.parts.hosting.invoker.send(form.key, form.wanted, data, self._answered, self)

    def _answered(self, variant: str, outcome: Outcome) -> None:
        """The model server has answered, or will not."""
        exchange = self.exchange
        if type(outcome) is not Answer or not 200 <= outcome.status < 300:
            account = exchange.caller.account if exchange.caller is not None else ""
            self.refuse(refusal(outcome, variant, name=self._asked, account=account, region=self._region))
            return
        quick = self._quick
        if outcome.headers is not quick.headers or variant is not quick.variant:
            quick.headers, quick.variant, quick.shown = outcome.headers, variant, _shown(outcome, variant)
        self.send(200, b"x-amzn-requestid: %b\r\n%b" % (self.id, quick.shown), outcome.body)


def _shown(answer: Answer, variant: str) -> bytes:
    """What a client is told of the model's headers, and of the variant."""
    content_type = answer.header(b"content-type") or b"application/octet-stream"
    lines = b"content-type: %b\r\nx-amzn-invoked-production-variant: %b\r\n" % (content_type, variant.encode())
    attributes = answer.header(_ATTRIBUTES)
    return lines + b"%b: %b\r\n" % (_ATTRIBUTES, attributes) if attributes else lines


class AlikeCycle(Alikeness, InvokeCycle):
    __slots__ = ("_form", "_lines")
    _form: InvokeForm

    def __init__(
        self, quick: QuickInvoke, form: InvokeForm, protocol: HttpProtocol, sight: Sight, lines: Lines | None
    ) -> None:
        super().__init__(quick, protocol, form.request.path, form.endpoint, form.request.headers, sight)
        self._form = form
        self._lines = lines
        self._asked = form.asked
        self._region = form.region

    def begin_alike(self, body: bytes) -> None:
        form, exchange = self._form, self.exchange
        exchange.request, exchange.caller = form.request, form.caller
        self.act(form, body)
