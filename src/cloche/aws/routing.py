"""Which service, operation and protocol a request is for, told by the request alone.

One port answers for all of AWS, so the address helps little and the order of evidence matters:

1. the signature's scope (``Credential=AKID/date/region/SERVICE/aws4_request``): what the client itself signed for;
2. ``X-Amz-Target``, a smithy path, or a form's ``Action`` and ``Version``;
3. the host (``runtime.sagemaker.us-east-1.amazonaws.com``, ``bucket.localhost``);
4. the path, matched against the service's URI templates;
5. S3, for whatever is left: it alone is used without any of these (public objects, plain ``curl``).

A scope may stand for several services. SageMaker's control plane, runtime, feature store, metrics, edge and A2I
planes all sign as ``sagemaker``; they are told apart by target or path. The protocol is chosen per request, too:
the same CloudWatch answers CBOR, JSON and query clients.

JSON targets, and paths of SageMaker's runtime, take the short ways at the top: two dictionary look-ups, or one
match among a handful of patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.model import load
from cloche.aws.paths import PathTable
from cloche.aws.protocols import compression

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

_PRESIGNED: Final = re.compile(r"(?:^|&)X-Amz-Credential=([^&]*)", re.IGNORECASE)
_SMITHY: Final = re.compile(r"/service/([A-Za-z0-9_.]+)/operation/([A-Za-z0-9_]+)/?")
_S3_HOST: Final = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3"
    r"(?:[.-](?:dualstack\.|fips[.-]|website[.-]|accelerate(?:\.dualstack)?|external-1|[a-z]{2}(?:-[a-z]+)+-\d)+)?"
    r"\.(?:amazonaws\.com(?:\.cn)?|localhost)"
)
_AWS_HOST: Final = re.compile(r"(?P<front>.+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws|localhost)")
_S3_CONTROL: Final = "/v20180820/"
_REGION: Final = re.compile(r"\.[a-z]{2}(?:-[a-z]+)+-\d$")
# Of the services that share a scope, those tried first: the busy ones, and of one API published under two names
# the one that clients mean.
_PREFERRED: Final = ("s3", "sagemaker-runtime", "rds", "ses", "iot", "lambda", "dynamodb", "docdb")
_UNROUTABLE: Final = {
    # Directory buckets and object lambdas answer on hosts of their own and clash with plain paths
    # (docs.aws.amazon.com/AmazonS3/latest/API/API_ListDirectoryBuckets.html: s3express-control.*).
    ("s3", "ListDirectoryBuckets"),
    ("s3", "WriteGetObjectResponse"),
}


@dataclass(frozen=True, slots=True)
class Routed:
    """``request`` is the one to parse: for virtual-host S3 addresses its path has the bucket in front. (The
    signature is that of the request as it came.)"""

    service_name: str
    service: ServiceModel
    operation: OperationModel
    protocol: str
    request: HttpRequest


def route(request: HttpRequest) -> Routed:
    """Raises ``AwsError``: ``UnknownOperationException`` (json), ``InvalidAction`` (query), ``MethodNotAllowed``
    (S3). ``protocol_of`` tells in which form to write it."""
    scope = signed_service(request)
    target = request.headers.get("x-amz-target")
    if target:
        return _by_target(request, scope, target)
    if request.path.startswith("/service/") and (found := _SMITHY.fullmatch(request.path)):
        return _by_smithy_path(request, scope, found)
    names = services_signing_as(scope) if scope else _services_of_host(request.host)
    if "s3" in names or "s3control" in names or (scope == "s3-outposts" and request.path.startswith(_S3_CONTROL)):
        return _s3(request)
    if (action := _action(request, names)) is not None:
        return action
    if names:
        return _by_path(request, _those_of_host_first(names, request.host))
    return _s3(request)


def services_named(request: HttpRequest) -> tuple[str, ...]:
    """The services that a request may be for, told by its head alone; empty where it tells of none that is known."""
    scope = signed_service(request)
    if (target := request.headers.get("x-amz-target")) and (found := _targets().get(target.rpartition(".")[0])):
        return tuple(n for n in found if n in services_signing_as(scope)) or found
    path = _SMITHY.fullmatch(request.path) if request.path.startswith("/service/") else None
    if path is not None and (found := _targets().get(path[1].rpartition(".")[2])):
        return found
    return services_signing_as(scope) if scope else _services_of_host(request.host)


def protocol_of(request: HttpRequest) -> tuple[str, str]:
    """(service name, protocol) in which an error of ``request`` is best written when ``route`` cannot tell: by
    what the client plainly speaks."""
    scope = signed_service(request)
    names = services_signing_as(scope) if scope else _services_of_host(request.host)
    kind = request.headers.get("content-type")
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return (names[0] if names else "cloudwatch", "smithy-rpc-v2-cbor")
    if "x-amz-target" in request.headers or kind.startswith("application/x-amz-json"):
        return (names[0] if names else "sagemaker", "json")
    if not names or "s3" in names:
        return ("s3", "rest-xml")
    return (names[0], str(load.service_index()[names[0]].get("protocol", "json")))


# --- the scope -------------------------------------------------------------------------------------------------


def signed_service(request: HttpRequest) -> str:
    """The service in the signature's scope, from the header or a presigned query; empty for none."""
    authorization = request.headers.get("authorization")
    if authorization:
        return _scope_of_header(authorization)
    if request.query and (found := _PRESIGNED.search(request.query)):
        parts = unquote(found[1], errors="replace").split("/") if found[1].isascii() else []
        return parts[-2] if len(parts) >= 5 else ""
    return ""


def _scope_of_header(authorization: str) -> str:
    at = authorization.find("Credential=")
    if at < 0:
        return ""
    credential = authorization[at + 11 : at + 600].split(",", 1)[0].split()
    parts = credential[0].split("/") if credential else []
    return parts[-2] if len(parts) >= 5 and parts[-1] == "aws4_request" else ""


@lru_cache(maxsize=1024)
def services_signing_as(scope: str) -> tuple[str, ...]:
    """The services whose requests are signed for ``scope``, likeliest first."""
    return _scopes().get(scope, ())


@cache
def _scopes() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, metadata in load.service_index().items():
        found.setdefault(str(metadata.get("signingName") or metadata.get("endpointPrefix")), []).append(name)
    return {scope: tuple(sorted(names, key=lambda n: _rank(n, scope))) for scope, names in found.items()}


def _rank(name: str, scope: str) -> tuple[bool, bool, str]:
    return (name != scope, name not in _PREFERRED, name)


# --- RPC protocols ---------------------------------------------------------------------------------------------


@cache
def _targets() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, metadata in load.service_index().items():
        if prefix := metadata.get("targetPrefix"):
            found.setdefault(str(prefix), []).append(name)
    return {prefix: tuple(sorted(names)) for prefix, names in found.items()}


def _by_target(request: HttpRequest, scope: str, target: str) -> Routed:
    found = _target(scope, target)
    if found is None:
        raise AwsError("UnknownOperationException", "", 400)
    return Routed(*found, "json", request)


@lru_cache(maxsize=4_096)
def _target(scope: str, target: str) -> tuple[str, ServiceModel, OperationModel] | None:
    prefix, _, name = target.rpartition(".")
    candidates = _targets().get(prefix, ())
    if len(candidates) > 1 and scope:
        candidates = tuple(n for n in candidates if n in services_signing_as(scope)) or candidates
    for candidate in candidates:
        if found := _operation(candidate, name):
            return (candidate, *found)
    return None


def _by_smithy_path(request: HttpRequest, scope: str, found: re.Match[str]) -> Routed:
    candidates: Iterable[str] = _targets().get(found[1].rpartition(".")[2], ())
    for candidate in (*candidates, *services_signing_as(scope)):
        if known := _operation(candidate, found[2]):
            return Routed(candidate, *known, "smithy-rpc-v2-cbor", request)
    raise AwsError("UnknownOperationException", "", 400)


@lru_cache(maxsize=8192)
def _known_operation(service: str, name: str) -> tuple[ServiceModel, OperationModel]:
    model = load.service_model(service)
    return model, model.operation_model(name)


def _operation(service: str, name: str) -> tuple[ServiceModel, OperationModel] | None:
    if name not in _operation_names(service):
        return None
    return _known_operation(service, name)


@cache
def _operation_names(service: str) -> frozenset[str]:
    return frozenset(load.service_model(service).operation_names)


_FIELD: Final = re.compile(r"(?:^|&)(Action|Version)=([^&]*)")


def _action(request: HttpRequest, names: tuple[str, ...]) -> Routed | None:
    """A query-protocol request, or ``None`` when it is not one."""
    fields: dict[str, str] = {}
    if request.method == "POST" and request.headers.get("content-type").startswith("application/x-www-form-urlencoded"):
        body = compression.unpacked(request.body) if compression.is_compressed(request) else request.body
        fields = dict(_FIELD.findall(body[:65_536].decode("latin-1")))
    if "Action" not in fields and "Action=" in request.query:
        fields = {**dict(_FIELD.findall(request.query)), **fields}
    name = fields.get("Action")
    if name is None:
        return None
    candidates = tuple(n for n in names if _query_protocol(n)) if names else _services_of_version(fields, name)
    for candidate in sorted(candidates, key=lambda n: _version(n) != fields.get("Version")):
        if found := _operation(candidate, name):
            if candidate == "sqs":
                request = _with_queue_url(request, found[1])
            return Routed(candidate, *found, _query_protocol(candidate), request)
    if names and not candidates:
        return None
    # InvalidAction, 400: docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html.
    version = fields.get("Version", "NO_VERSION_SPECIFIED")
    raise AwsError("InvalidAction", f"Could not find operation {name[:128]} for version {version[:32]}", 400)


_QUEUE_URL: Final = re.compile(rb"(?:^|&)QueueUrl=")


def _with_queue_url(request: HttpRequest, operation: OperationModel) -> HttpRequest:
    """Clients of SQS's query protocol send to the queue's URL and need not say it again in the form
    (AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html)."""
    members = operation.input_shape.members if operation.input_shape is not None else {}
    if request.path.count("/") < 2 or "QueueUrl" not in members:
        return request
    if _QUEUE_URL.search(request.body) or _QUEUE_URL.search(request.query.encode("latin-1")):
        return request
    return replace(request, query=f"{request.query}&QueueUrl={request.path}")


def _query_protocol(name: str) -> str:
    metadata = load.service_index()[name]
    spoken = [metadata.get("protocol"), *metadata.get("protocols", ())]
    if "awsQueryCompatible" in metadata:  # it spoke query once (SQS), and clients of that time are still about
        spoken.append("query")
    return next((p for p in spoken if p in ("query", "ec2")), "")


def _version(name: str) -> Any:
    return load.service_index()[name].get("apiVersion")


def _services_of_version(fields: dict[str, str], action: str) -> tuple[str, ...]:
    """For unsigned calls (``AssumeRoleWithWebIdentity``): whoever has that API version and that action."""
    wanted = fields.get("Version")
    found = [n for n in load.service_index() if _version(n) == wanted and _query_protocol(n)]
    return tuple(sorted(n for n in found if action in _operation_names(n)))


# --- hosts -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _services_of_host(host: str) -> tuple[str, ...]:
    """The services that answer on ``host``; empty for an address that tells nothing (``127.0.0.1:4566``)."""
    host = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    host = host.lower().rstrip(".")
    if bucket_of_host(host):
        return ("s3",)
    found = _AWS_HOST.fullmatch(host)
    if found is None:
        return ()
    front = _REGION.sub("", found["front"])
    prefixes = _endpoint_prefixes()
    while front:
        if names := prefixes.get(front):
            return names
        _, dot, front = front.partition(".")
        if not dot:
            return ()
    return ()


@lru_cache(maxsize=1024)
def _those_of_host_first(names: tuple[str, ...], host: str) -> tuple[str, ...]:
    """Bedrock's agent services share a scope and the paths of their tags; only the host tells them apart."""
    here = _services_of_host(host) if len(names) > 1 else ()
    return tuple(sorted(names, key=lambda name: name not in here)) if here else names


@cache
def _endpoint_prefixes() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, metadata in load.service_index().items():
        found.setdefault(str(metadata.get("endpointPrefix")), []).append(name)
    return {prefix: tuple(sorted(names, key=lambda n: _rank(n, prefix))) for prefix, names in found.items()}


@lru_cache(maxsize=4096)
def bucket_of_host(host: str) -> str:
    """The bucket in a virtual-host S3 address (``name.localhost``, ``name.s3.eu-west-1.amazonaws.com``); empty
    when the host names none. Ports are ignored."""
    name, _, port = host.rpartition(":")
    host = (name if port.isdigit() and name else host).lower().rstrip(".")
    if found := _S3_HOST.fullmatch(host):
        return found["bucket"] or ""
    if host.endswith(".localhost"):
        front = host.removesuffix(".localhost")
        if front.endswith(".s3"):
            return front.removesuffix(".s3")
        if front == "s3" or front.endswith("s3-control"):
            return ""
        known = _endpoint_prefixes()
        if _REGION.sub("", front) in known or front in known:
            return ""
        return front
    return ""


# --- paths -----------------------------------------------------------------------------------------------------


def _by_path(request: HttpRequest, names: tuple[str, ...]) -> Routed:
    for name in names:
        if not _has_paths(name):
            continue
        found = _table(name).find(request.method, request.path, request.query, request.headers)
        if found is not None:
            model, operation = _known_operation(name, found)
            return Routed(name, model, operation, _path_protocol(name), request)
    raise AwsError("UnknownOperationException", "", 404)


@cache
def _has_paths(name: str) -> bool:
    return _path_protocol(name) in ("rest-json", "rest-xml")


@cache
def _path_protocol(name: str) -> str:
    metadata = load.service_index()[name]
    spoken = [*metadata.get("protocols", ()), metadata.get("protocol")]
    return next((str(p) for p in spoken if p in ("rest-json", "rest-xml")), "")


@cache
def _table(name: str) -> PathTable:
    model = load.service_model(name)
    left_out = {operation for service, operation in _UNROUTABLE if service == name}
    return PathTable(model, left_out)


def _bucket_like_a_service(request: HttpRequest) -> str:
    """``logs.localhost`` is CloudWatch Logs, unless what is sent there was signed for S3: then it is a bucket."""
    host = request.host.partition(":")[0].lower()
    if not host.endswith(".localhost") or _S3_HOST.fullmatch(host) or signed_service(request) != "s3":
        return ""
    front = host.removesuffix(".localhost")
    return front if not front.endswith("s3-control") else ""


def _s3(request: HttpRequest) -> Routed:
    if request.path.startswith(_S3_CONTROL):
        return _by_path(request, ("s3control",))
    if bucket := bucket_of_host(request.host) or _bucket_like_a_service(request):
        request = replace(request, path=f"/{bucket}{request.path}")
    found = _table("s3").find(request.method, request.path, request.query, request.headers)
    if found is None:
        # docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: MethodNotAllowed, 405.
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    model, operation = _known_operation("s3", found)
    return Routed("s3", model, operation, "rest-xml", request)
