"""GetAuthorizationToken: the password for ``docker login``."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.image_registry import Holder, host
from cloche.foundation.clock import from_epoch
from cloche.services.ecr.access import registry_of


@operation("GetAuthorizationToken", reads=True)
def get_authorization_token(ctx: Context, request: Members) -> Members:
    """One for the caller's registry, or one for each that it names. The endpoint is AWS's name of the registry; the
    same registry answers at Cloche's own address, for whichever account and region the token was made."""
    caller = ctx.caller
    data = []
    for registry in dict.fromkeys(request.get("registryIds") or [ctx.account]):
        holder = Holder(ctx.account, caller.arn, caller.user_id, caller.access_key, registry, ctx.region)
        token, expires_at = registry_of(ctx).token(holder)
        data.append(
            {
                "authorizationToken": token,
                "expiresAt": from_epoch(expires_at),
                "proxyEndpoint": f"https://{host(registry, ctx.region)}",
            }
        )
    return {"authorizationData": data}
