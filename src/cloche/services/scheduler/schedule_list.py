"""Lists of schedules, of one group or of all."""

from __future__ import annotations

from typing import Any

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.events.scheduling import SCHEDULE
from cloche.foundation.clock import from_epoch
from cloche.services.scheduler.naming import PAGE_DEFAULT, require_group
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record


@operation("ListSchedules", reads=True)
def list_schedules(ctx: Context, request: Members) -> Members:
    reader = ctx.parts.database.reader
    group, prefix, state = (request.get(name) or "" for name in ("GroupName", "NamePrefix", "State"))
    if group:
        require_group(ctx, reader, group)
    conditions = ["account = ?", "region = ?", "kind = ?"]
    arguments: list[Any] = [ctx.account, ctx.region, SCHEDULE]
    if group:
        conditions += ["name > ?", "name < ?"]
        arguments += [f"{group}/", f"{group}0"]  # the character after the slash
    if prefix:
        conditions.append("substr(name, instr(name, '/') + 1, ?) = ?")
        arguments += [len(prefix), prefix]
    if state:
        conditions.append("status = ?")
        arguments.append(state)
    question: list[Any] = ["ListSchedules", ctx.account, ctx.region, group, prefix, state]
    secret, token = records.page_secret(reader), request.get("NextToken")
    walk = Walk("records", ("name",), conditions=tuple(conditions), arguments=tuple(arguments))
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("MaxResults") or PAGE_DEFAULT)
    answer: Members = {"Schedules": [_shown(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _shown(schedule: Record) -> Members:
    group, _, name = schedule.name.partition("/")
    return {
        "Arn": schedule.arn,
        "Name": name,
        "GroupName": group,
        "State": schedule.status,
        "CreationDate": from_epoch(schedule.created_at),
        "LastModificationDate": from_epoch(schedule.modified_at),
        "Target": {"Arn": schedule.request["Target"]["Arn"]},
    }
