"""AWS STS: who am I, and temporary credentials. The rest is in ``unsupported.toml``."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import ErrorCodes
from cloche.aws.operation import Service

# docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
CODES: Final = ErrorCodes(
    not_found=("NoSuchEntity", 404),
    conflict=("Conflict", 409),
    invalid=("ValidationError", 400),
    limit_reached=("PackedPolicyTooLarge", 400),
    denied=("AccessDenied", 403),
    not_supported=("InvalidAction", 400),
    broken=("InternalFailure", 500),
    unknown_operation=("InvalidAction", 400),
)

SERVICE = Service(name="sts", modules=("cloche.services.sts.identity", "cloche.services.sts.session"), errors=CODES)
