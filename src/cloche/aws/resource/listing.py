"""Lists, derived from their input shape: filters, order, pages.

Of SageMaker's list inputs 96 % are a page, an order, a time range, *contains*, *equals* or a member the create
has under the same name. Those are answered from indexes; a filter of another kind is refused by name rather
than passed over, because a list that ignores a filter is a wrong answer.

``…After`` includes the moment it names and ``…Before`` does not, so that ranges laid side by side cover all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from cloche.aws.resource.family import Family
from cloche.foundation.errors import NotSupported
from cloche.storage.metadata.keyset import Walk

PAGING: Final = frozenset({"NextToken", "MaxResults", "SortBy", "SortOrder"})
# What AWS's documentation says of the 22 SageMaker lists that state a default for all but six of them.
PAGE_DEFAULT: Final = 10

_TIMES: Final = {
    "CreationTimeAfter": "created_at >= ?",
    "CreationTimeBefore": "created_at < ?",
    "CreatedAfter": "created_at >= ?",
    "CreatedBefore": "created_at < ?",
    "LastModifiedTimeAfter": "modified_at >= ?",
    "LastModifiedTimeBefore": "modified_at < ?",
    "ModifiedAfter": "modified_at >= ?",
    "ModifiedBefore": "modified_at < ?",
}
_ORDERS: Final = {
    "name": ("name",),
    "creationtime": ("created_at", "name"),
    "createdtime": ("created_at", "name"),
    "lastmodifiedtime": ("modified_at", "name"),
    "modifiedtime": ("modified_at", "name"),
    "status": ("status", "created_at", "name"),
}


@dataclass(frozen=True)
class Listing:
    """How one list operation's request becomes a walk over records."""

    operation: str
    kind: str
    filters: dict[str, str]
    """Input member → SQL condition with one argument."""
    refused: frozenset[str]
    """Input members that no condition can be derived for."""
    order: tuple[str, str]
    """SortBy and SortOrder when the request has none."""

    def question(self, account: str, region: str, request: dict[str, Any]) -> list[Any]:
        """What a page token must agree with: everything that decides which rows come, and in which order."""
        asked = {name: _argument(value) for name, value in request.items() if name in self.filters}
        return [self.operation, account, region, self._order(request), asked]

    def walk(self, account: str, region: str, request: dict[str, Any]) -> Walk:
        """Raises ``NotSupported`` for a filter or an order that Cloche does not answer."""
        if not self.refused.isdisjoint(request):
            name = next(name for name in request if name in self.refused)
            raise NotSupported(f"{self.operation} does not support the filter {name} in Cloche")
        asked = tuple(name for name in self.filters if name in request)
        sort_by, sort_order = self._order(request)
        key, conditions, columns = _scan(sort_by, tuple(self.filters[name] for name in asked))
        if not key:
            raise NotSupported(f"{self.operation} does not support SortBy {sort_by} in Cloche")
        return Walk(
            "records",
            key,
            sort_order[:4].lower() == "desc",
            conditions,
            (account, region, self.kind, *[_argument(request[name]) for name in asked]),
            columns,
        )

    def _order(self, request: dict[str, Any]) -> tuple[str, str]:
        return request.get("SortBy", self.order[0]), request.get("SortOrder", self.order[1])


@lru_cache(maxsize=512)
def _scan(sort_by: str, filters: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Key (empty for an order that is not answered), conditions and columns. Of these no more than are needed: most
    summaries are remembered under id and version."""
    key = _ORDERS.get(sort_by.lower().replace("_", ""), ())
    return key, ("account = ?", "region = ?", "kind = ?", *filters), ", ".join(("id", "version", *key))


def derive_listing(
    family: Family, operation: str, kind: str, order: tuple[str, str], own: Mapping[str, str] | None = None
) -> Listing:
    """``own`` are the noun's conditions for members that none can be derived for."""
    filters: dict[str, str] = {}
    refused: set[str] = set()
    for name in family.input_members(operation):
        if name in PAGING:
            continue
        condition = (own or {}).get(name) or _condition(name, family.create_members)
        if condition is None:
            refused.add(name)
        else:
            filters[name] = condition
    return Listing(operation, kind, filters, frozenset(refused), order)


def _condition(name: str, create_members: dict[str, Any]) -> str | None:
    if name == "NameContains":
        return "instr(name, ?) > 0"
    if name == "StatusEquals":
        return "status = ?"
    if name in _TIMES:
        return _TIMES[name]
    for suffix, form in (("Equals", "{} = ?"), ("Contains", "instr({}, ?) > 0"), ("", "{} = ?")):
        field = name.removesuffix(suffix)
        if name.endswith(suffix) and field in create_members and create_members[field].type_name == "string":
            return form.format(f"json_extract(request, '$.{field}')")
    return None


def _argument(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value
