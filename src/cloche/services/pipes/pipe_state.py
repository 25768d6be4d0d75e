"""Pipes started, stopped and deleted. The answer shows what is on its way; the engine brings it about."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members, operation
from cloche.foundation.errors import Conflict
from cloche.services.pipes.pipe import enter, resting
from cloche.storage.metadata import records


@operation("StartPipe")
def start_pipe(ctx: Context, request: Members) -> Members:
    return _move(ctx, request, "RUNNING", "STARTING")


@operation("StopPipe")
def stop_pipe(ctx: Context, request: Members) -> Members:
    """A batch that is on its way arrives."""
    return _move(ctx, request, "STOPPED", "STOPPING")


@operation("DeletePipe")
def delete_pipe(ctx: Context, request: Members) -> Members:
    def delete(tx: sqlite3.Connection) -> Members:
        return enter(ctx, tx, resting(ctx, tx, request["Name"]), "DELETING")

    return ctx.parts.database.write(delete)  # type: ignore[no-any-return]


def _move(ctx: Context, request: Members, desired: str, state: str) -> Members:
    def move(tx: sqlite3.Connection) -> Members:
        found = resting(ctx, tx, request["Name"])
        if found.status == desired:
            raise Conflict(f"Pipe {found.name} is {desired} already.")
        records.replace_request(tx, found.arn, {**found.request, "DesiredState": desired}, ctx.now.timestamp())
        return enter(ctx, tx, found, state)

    return ctx.parts.database.write(move)  # type: ignore[no-any-return]
