"""Who may see the console: whoever opened the link with the token, in this browser, from these very pages.

The link's token becomes a cookie (``HttpOnly``, ``SameSite=Strict``) so that it does not stay in the address bar. A
request that changes something must also come from this origin: browsers say so in ``Sec-Fetch-Site`` and ``Origin``,
and a page elsewhere cannot forge either.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

COOKIE = "cloche_console"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}

LOCKED = (
    "<!doctype html><meta charset=utf-8><title>Cloche</title><link rel=stylesheet href=/_cloche/static/console.css>"
    "<main class=locked><h1>Cloche</h1><p>This console opens with the link that <code>cloche up</code> printed"
    " (<code>cloche status</code> prints it again).</p></main>"
)


class Door:
    def __init__(self, token: str) -> None:
        self._token = token

    def enter(self, request: Request) -> Response | None:
        """``None`` lets the request in; otherwise the answer that turns it away (or puts the cookie in place)."""
        given = request.query_params.get("token")
        if given is not None and request.method == "GET":
            return self._exchange(request, given)
        if not self._same(request.cookies.get(COOKIE, "")):
            return Response(LOCKED, 401, HEADERS, "text/html; charset=utf-8")
        if request.method not in ("GET", "HEAD") and not _from_here(request):
            return Response("This request did not come from Cloche's own pages.", 403, HEADERS)
        return None

    def _exchange(self, request: Request, given: str) -> Response:
        if not self._same(given):
            return Response(LOCKED, 401, HEADERS, "text/html; charset=utf-8")
        answer = RedirectResponse(request.url.path, 303, HEADERS)
        answer.set_cookie(COOKIE, given, httponly=True, samesite="strict", path="/")
        return answer

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _from_here(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return urlsplit(origin).netloc == request.headers.get("host", "")
