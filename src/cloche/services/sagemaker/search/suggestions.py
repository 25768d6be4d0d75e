"""GetSearchSuggestions: names of properties that begin with a text, as the shape of what is found tells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.services.sagemaker.search.resources import resources
from cloche.services.sagemaker.search.searched import Searched

SUGGESTED_MAX: Final = 50
_KEYS_OF: Final = {"HyperParameters": "request", "Parameters": "request", "Metrics": "state", "Environment": "request"}
"""Maps whose keys are users' own: named as they occur in records."""


@operation("GetSearchSuggestions", reads=True)
def get_search_suggestions(ctx: Context, request: Members) -> Members:
    searched = resources().get(request["Resource"])
    if searched is None:
        return {"PropertyNameSuggestions": []}
    hint = ((request.get("SuggestionQuery") or {}).get("PropertyNameQuery") or {}).get("PropertyNameHint", "")
    names = sorted({*_of_shape("", searched.shape), *_in_use(ctx, searched)})
    fitting = [name for name in names if name.lower().startswith(hint.lower())]
    return {"PropertyNameSuggestions": [{"PropertyName": name} for name in fitting[:SUGGESTED_MAX]]}


def _of_shape(prefix: str, shape: Any, inside: tuple[str, ...] = ()) -> Iterator[str]:
    for name, member in shape.members.items():
        below = member.member if member.type_name == "list" else member
        yield prefix + name
        if below.type_name == "structure" and below.name not in inside:
            yield from _of_shape(f"{prefix}{name}.", below, (*inside, below.name))


def _in_use(ctx: Context, searched: Searched) -> Iterator[str]:
    reader = ctx.parts.database.reader
    scope = (ctx.account, ctx.region, searched.kind)
    for member, document in _KEYS_OF.items():
        if member not in searched.shape.members and member not in searched.keyed:
            continue
        path = f"$.{member.lower() if document == 'state' else member}"
        # A job's metrics are a list of [name, value, time], a component's an object by name.
        key = "CASE WHEN typeof(k.key) = 'integer' THEN json_extract(k.value, '$[0]') ELSE k.key END"
        rows = reader.execute(
            f"SELECT DISTINCT {key} FROM records, json_each({document}, ?) AS k"  # noqa: S608 - constants
            " WHERE account = ? AND region = ? AND kind = ?",
            (path, *scope),
        )
        yield from (f"{member}.{row[0]}" for row in rows)
    rows = reader.execute(
        "SELECT DISTINCT t.key FROM records JOIN tags t ON t.arn = records.arn"
        " WHERE records.account = ? AND records.region = ? AND records.kind = ?",
        scope,
    )
    yield from (f"Tags.{row[0]}" for row in rows)
