"""Dashboards: kept and checked, not drawn. They belong to an account, not to a region."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging, tokens
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, LimitReached
from cloche.services.cloudwatch.dashboard_body import flaws_of
from cloche.services.cloudwatch.errors import invalid_value
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page

KIND: Final = "cloudwatch:dashboard"
GLOBAL: Final = "global"
# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListDashboards.html, API_DeleteDashboards.html
LIST_PAGE: Final = 1_000
DELETE_MAX: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")


def dashboard_arn(account: str, name: str) -> str:
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}"


def missing(name: str) -> AwsError:
    # The words that Terraform's users see: "ResourceNotFound: Dashboard x does not exist"
    return AwsError("ResourceNotFound", f"Dashboard {name} does not exist", 404)


@operation("PutDashboard")
def put_dashboard(ctx: Context, request: Members) -> Members:
    """Create or replace. Tags are taken when it is created only, as AWS says."""
    name, body = request["DashboardName"], request["DashboardBody"]
    if not _NAME.fullmatch(name):
        text = f"The value {name} for field DashboardName contains invalid characters. "
        raise AwsError(
            "InvalidParameterInput", text + "It can only contain alphanumerics, dash (-) and underscore (_)."
        )
    if flaws := flaws_of(body):
        raise _invalid_body(flaws)
    pairs = _tags(request)
    arn, at = dashboard_arn(ctx.account, name), ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> None:
        if records.find(tx, ctx.account, GLOBAL, KIND, name) is not None:
            records.replace_request(tx, arn, {"DashboardBody": body}, at)
            return
        records.insert(
            tx,
            account=ctx.account,
            region=GLOBAL,
            kind=KIND,
            name=name,
            arn=arn,
            at=at,
            request={"DashboardBody": body},
        )
        tagging.add_tags(tx, arn, pairs)

    try:
        ctx.parts.database.write(change)
    except LimitReached as error:
        raise invalid_value(error.message) from None
    return {"DashboardValidationMessages": []}


@operation("GetDashboard", reads=True)
def get_dashboard(ctx: Context, request: Members) -> Members:
    name = request["DashboardName"]
    found = records.find(ctx.parts.database.reader, ctx.account, GLOBAL, KIND, name)
    if found is None:
        raise missing(name)
    return {"DashboardArn": found.arn, "DashboardBody": found.request["DashboardBody"], "DashboardName": name}


@operation("ListDashboards", reads=True)
def list_dashboards(ctx: Context, request: Members) -> Members:
    prefix = request.get("DashboardNamePrefix") or ""
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = ["ListDashboards", ctx.account, prefix]
    token = request.get("NextToken")
    try:
        after = tokens.unseal(secret, question, token) if token else None
    except Invalid as error:
        raise invalid_value(f"Invalid nextToken: {error.message}") from None
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?", "name >= ?", "name < ?"),
        arguments=(ctx.account, GLOBAL, KIND, prefix, prefix + "\U0010ffff"),
    )
    page = read_page(reader, walk, after=after, size=LIST_PAGE)
    entries = [records.from_row(row) for row in page.rows]
    answer: Members = {
        "DashboardEntries": [
            {
                "DashboardName": entry.name,
                "DashboardArn": entry.arn,
                "LastModified": from_epoch(entry.modified_at),
                "Size": len(entry.request["DashboardBody"].encode()),
            }
            for entry in entries
        ]
    }
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteDashboards")
def delete_dashboards(ctx: Context, request: Members) -> Members:
    """All that are there; then an error for the first that is not: "the operation attempts to delete as many
    dashboards as possible"."""
    names: list[str] = request["DashboardNames"]
    if not 0 < len(names) <= DELETE_MAX:
        raise invalid_value(f"The collection DashboardNames must have between 1 and {DELETE_MAX} members.")

    def change(tx: sqlite3.Connection) -> list[str]:
        gone = [name for name in names if records.find(tx, ctx.account, GLOBAL, KIND, name) is None]
        for name in names:
            records.remove(tx, dashboard_arn(ctx.account, name))
        return gone

    if gone := ctx.parts.database.write(change):
        raise missing(gone[0])
    return {}


def _tags(request: Members) -> list[tuple[str, str]]:
    try:
        return tagging.tag_pairs(request.get("Tags") or ())
    except Invalid as error:
        raise invalid_value(error.message) from None


def _invalid_body(flaws: list[tuple[str, str]]) -> AwsError:
    """In CloudWatch's form, as in aws-samples/aws-eda-slurm-cluster#116: a sentence, and the list as JSON in it."""
    if flaws[0][0] == "":
        return AwsError("InvalidParameterInput", flaws[0][1])
    listed = ",\n".join(
        f'  {{\n    "dataPath": "{path}",\n    "message": "{_escaped(message)}"\n  }}' for path, message in flaws
    )
    text = f"The dashboard body is invalid, there are {len(flaws)} validation errors:\n[\n{listed}\n]"
    messages = [{"DataPath": path, "Message": message} for path, message in flaws]
    return AwsError("InvalidParameterInput", text, fields={"dashboardValidationMessages": messages})


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
