"""The way of a request of the registry protocol: who asks, what for, and the answer or its refusal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.operation import Context
from cloche.foundation.errors import ClocheError
from cloche.server.receiving import Arriving, Disconnected
from cloche.server.registry import refusals
from cloche.server.registry.addresses import Asked, asked
from cloche.server.registry.callers import Asking, Callers
from cloche.server.registry.pulling import Pulling
from cloche.server.registry.pushing import Pushing
from cloche.server.registry.refusals import Refused, not_allowed

if TYPE_CHECKING:
    from cloche.server.app import Chain

log = logging.getLogger(__name__)
_VERSION: Final = ("docker-distribution-api-version", "registry/2.0")


class Registry:
    """Made once, when the engines are there; answers what ``addresses.is_for_registry`` says is its own."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        parts = chain.parts
        self._callers = Callers(parts.image_registry, chain.clock, parts, self._authorize)
        self._pulling = Pulling(parts.image_registry, parts.database)
        self._pushing = Pushing(parts.image_registry)

    async def answer(self, request: HttpRequest, request_id: str, arriving: Arriving) -> HttpResponse:
        """Raises nothing but ``Disconnected``."""
        try:
            asking = await self._chain.runner.in_thread(self._callers.asking, request, request_id)
            response = await self._answer(asking, asked(request.path), arriving)
        except Disconnected:
            raise
        except Exception as error:
            if not isinstance(error, (Refused, AwsError, ClocheError)):
                log.error("request %s failed", request_id, exc_info=error)
            response = refusals.response(refusals.refused(error))
        response.headers.extend((_VERSION, ("x-amzn-requestid", request_id)))
        return response

    async def _answer(self, asking: Asking, wanted: Asked, arriving: Arriving) -> HttpResponse:
        pulling, pushing, method = self._pulling, self._pushing, asking.context.http.method
        in_thread = self._chain.runner.in_thread
        match wanted.kind, method:
            case "base", "GET" | "HEAD":
                return HttpResponse(200, [("content-type", "application/json")], b"{}")
            case "manifest", "PUT":
                return await pushing.put_manifest(asking, wanted, arriving)
            case "uploads", "POST":
                return await pushing.begin(asking, wanted, arriving)
            case "upload", "PATCH":
                return await pushing.append(asking, wanted, arriving)
            case "upload", "PUT":
                return await pushing.complete(asking, wanted, arriving)
            case "catalog", "GET":
                return await in_thread(pulling.catalog, asking)
        plain: dict[tuple[str, str], Callable[[Asking, Asked], HttpResponse]] = {
            ("manifest", "GET"): pulling.manifest,
            ("manifest", "HEAD"): pulling.manifest,
            ("manifest", "DELETE"): pushing.delete_manifest,
            ("blob", "GET"): pulling.blob,
            ("blob", "HEAD"): pulling.blob,
            ("blob", "DELETE"): pushing.delete_blob,
            ("tags", "GET"): pulling.tags,
            ("referrers", "GET"): pulling.referrers,
            ("upload", "GET"): pushing.status,
            ("upload", "DELETE"): pushing.cancel,
        }
        handler = plain.get((wanted.kind, method))
        if handler is None:
            allowed = sorted(verb for kind, verb in plain if kind == wanted.kind)
            raise not_allowed(*allowed)
        return await in_thread(handler, asking, wanted)

    def _authorize(self, context: Context, action: str) -> None:
        offered = self._chain.dispatch.offered("ecr")
        assert offered is not None
        self._chain.authorize(context, "ecr", offered.operation(action), {})
