"""A browser's form that uploads an object (``services/s3/form``): its way through the chain.

It is a PutObject in other clothes: who signed its policy is the caller, what the policy lets through is put, after the
same authorization and by the same handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.model.load import service_model
from cloche.aws.protocols import parse_request, serialize_response
from cloche.aws.routing import Routed, bucket_of_host
from cloche.aws.signing.post_policy import verify_form
from cloche.aws.signing.sigv2 import decoded_policy
from cloche.aws.validation import validate
from cloche.foundation.clock import from_epoch

if TYPE_CHECKING:
    from cloche.aws.operation import Operation
    from cloche.server.app import Chain, Exchange
    from cloche.services.s3.form.reader import Form


def takes(request: HttpRequest) -> bool:
    """Is this a form for a bucket?"""
    kind = request.headers.get("content-type")
    if request.method != "POST" or kind[:19].lower() != "multipart/form-data":
        return False
    return "authorization" not in request.headers and "x-amz-target" not in request.headers and bool(_bucket(request))


def _bucket(request: HttpRequest) -> str:
    """Forms go to the bucket itself: ``/bucket``, or ``/`` under its own name."""
    name = request.path.strip("/")
    if of_host := bucket_of_host(request.host):
        return "" if name else of_host
    return "" if "/" in name or "%" in name else name


async def answer_form(chain: Chain, exchange: Exchange, request: HttpRequest) -> HttpResponse:
    """Raises ``AwsError`` for all that is wrong with it."""
    from cloche.services.s3.form.reader import Form

    assert exchange.arriving is not None
    model = service_model("s3")
    exchange.target = Routed("s3", model, model.operation_model("PutObject"), "rest-xml", request)
    handler = await chain.operation(exchange.target)
    form = Form(request, aiter(exchange.arriving))
    try:
        return await _put(chain, exchange, request, form, handler)
    except AwsError:
        await form.drain()
        raise


async def _put(chain: Chain, exchange: Exchange, request: HttpRequest, form: Form, handler: Operation) -> HttpResponse:
    from cloche.services.s3.errors import s3_error
    from cloche.services.s3.form.policy import SizeRange, check_policy
    from cloche.services.s3.form.upload import FormFile, answer, meant_fields, put_request

    bucket, model = _bucket(request), service_model("s3")
    operation = model.operation_model("PutObject")
    await form.read_fields()
    verified = verify_form(chain.verifier, form.fields, chain.clock.real())
    exchange.caller = verified.caller
    fields = meant_fields(form)
    size = SizeRange()
    if "policy" in fields:
        try:
            document = decoded_policy(form.fields["policy"])
        except ValueError:
            raise s3_error("InvalidPolicyDocument", "Invalid Policy: Invalid Base64 Encoding.") from None
        size = check_policy(document, fields, bucket, from_epoch(chain.clock.real()))
    put = put_request(request, bucket, fields, FormFile(form, size))
    members = parse_request(model, operation, "rest-xml", put)
    validate(model, operation, members)
    context = chain.context(exchange.request_id, verified.caller, verified.region, put)
    done = await chain.act(context, "s3", handler, members)
    response = serialize_response(model, operation, "rest-xml", done.members, put, exchange.request_id)
    return answer(response, request, bucket, fields)
