"""Reserved concurrency, and the account's limits."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import rows
from cloche.engines.functions.packages import BYTES_MAX, ZIPPED_BYTES_MAX
from cloche.services.lambda_.naming import unqualified

CODE_BYTES_MAX = 75 * 1024**3
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; not enforced: the disk is the user's own."""


@operation("PutFunctionConcurrency")
def put_function_concurrency(ctx: Context, request: Members) -> Members:
    count = request["ReservedConcurrentExecutions"]
    ctx.parts.functions.registry.reserve(unqualified(ctx, request), count)
    return {"ReservedConcurrentExecutions": count}


@operation("GetFunctionConcurrency", reads=True)
def get_function_concurrency(ctx: Context, request: Members) -> Members:
    count = rows.reserved(ctx.parts.database.reader, unqualified(ctx, request))
    return {} if count is None else {"ReservedConcurrentExecutions": count}


@operation("DeleteFunctionConcurrency")
def delete_function_concurrency(ctx: Context, request: Members) -> Members:
    ctx.parts.functions.registry.reserve(unqualified(ctx, request), None)
    return {}


@operation("GetAccountSettings", reads=True)
def get_account_settings(ctx: Context, request: Members) -> Members:
    reader, most = ctx.parts.database.reader, ctx.parts.functions.concurrency
    functions, code_bytes = rows.totals(reader, ctx.account, ctx.region)
    return {
        "AccountLimit": {
            "TotalCodeSize": CODE_BYTES_MAX,
            "CodeSizeUnzipped": BYTES_MAX,
            "CodeSizeZipped": ZIPPED_BYTES_MAX,
            "ConcurrentExecutions": most,
            "UnreservedConcurrentExecutions": most - rows.reserved_together(reader, ctx.account, ctx.region),
        },
        "AccountUsage": {"TotalCodeSize": code_bytes, "FunctionCount": functions},
    }
