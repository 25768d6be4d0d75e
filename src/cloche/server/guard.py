"""Who may talk to Cloche at all: before any signature is looked at.

A server on loopback is reached by every web page in the user's browser. Three things keep them out. The ``Host``
must be a name that only this machine or AWS gives (a page that rebinds its own name to 127.0.0.1 still says its
own name). A request that says a foreign ``Origin`` or ``Sec-Fetch-Site`` is refused unless it is a plain link
followed by the user, or for a bucket whose CORS configuration is its owner's say. And everything that acts is
signed, which a page cannot do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest

AWS_SUFFIXES: Final = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".sagemaker.aws",
    ".amazonaws.eu",
    ".api.amazonwebservices.eu",
    ".on.aws",
)
"""The ends of AWS's service host names, as in botocore's endpoints.json and partitions.json."""

_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?").fullmatch


def is_aws_host(name: str) -> bool:
    """Is this (without a port) the name of an AWS service?"""
    return name.lower().rstrip(".").endswith(AWS_SUFFIXES)


class Guard:
    """``host`` is the address Cloche listens on, as the user gave it; ``names`` are those of a certificate the user
    gave (``*.`` at the front of one stands for a label)."""

    def __init__(self, host: str, names: frozenset[str] = frozenset()) -> None:
        self._own = frozenset({"localhost", host.lower(), *names} - {"0.0.0.0", "::"})  # noqa: S104 - refused as names
        self._is_allowed = lru_cache(maxsize=512)(self._judge)
        self._is_own = lru_cache(maxsize=512)(self._judge_own)
        self.lets_in: Callable[[HttpRequest], bool] | None = None
        """Whether a foreign page's request may pass all the same (``server/crossing``). Set before serving."""

    def check(self, request: HttpRequest) -> None:
        """Raises ``AwsError`` (403, or 400 for no ``Host``) for a request that must not be looked at."""
        host = request.host
        headers = request.headers
        if not _HOST(host) or (headers.repeats and len(headers.all("host")) != 1):
            raise AwsError("InvalidRequest", "A request needs one Host header that holds a host name.", 400)
        if not self._is_allowed(host):
            raise AwsError(
                "AccessDenied",
                "This host name is not one of Cloche's. Use 127.0.0.1, localhost, *.localhost or AWS's own names.",
                403,
            )
        if "origin" in headers or "sec-fetch-site" in headers:
            self._check_page(request)

    def is_own(self, host: str) -> bool:
        """Is this this machine's own name (not an AWS name, not a bucket's)? There the console is served."""
        return self._is_own(host)

    def _check_page(self, request: HttpRequest) -> None:
        origin = request.headers.get("origin")
        if origin and self.lets_in is not None and self.lets_in(request):
            return
        if origin and origin.lower() != f"{request.scheme}://{request.host}".lower():
            raise _foreign()
        site = request.headers.get("sec-fetch-site", "none")
        if site in ("none", "same-origin") or (origin and site == "same-site"):
            return
        followed = request.method in ("GET", "HEAD") and request.headers.get("sec-fetch-mode") == "navigate"
        if not followed or request.headers.get("sec-fetch-dest") not in ("document", ""):
            raise _foreign()

    def _judge(self, host: str) -> bool:
        name = _without_port(host)
        return self._judge_own(host) or name.endswith(".localhost") or is_aws_host(name)

    def _judge_own(self, host: str) -> bool:
        name = _without_port(host)
        if name in self._own or f"*.{name.partition('.')[2]}" in self._own:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return not address.is_unspecified


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1 : host.index("]")].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _foreign() -> AwsError:
    return AwsError("AccessDenied", "A web page of another origin may not use Cloche.", 403)
