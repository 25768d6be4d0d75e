"""``Resource``: one noun of AWS, of which only the behaviour is written.

From the names of its operations and botocore's model a subclass has, without a line about them: create in one
durable transaction, describe as a point read, lists with filters, order and pages, updates, deletion, tags at
creation, idempotency tokens, identification by name or ARN. What the model cannot say is a ``Fact`` with its
source, and what the noun *does* is a method. There are no flags; a noun that would have to fight the kit
writes plain ``@operation`` functions instead.

Engines publish what they know by ``records.set_status(tx, arn, status, at, state=…)`` in their own
transactions. Answers are remembered per version of the record, so **what ``shown`` and ``listed`` say may
depend on the record alone**: whatever else it needs belongs into the published state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, Final

import orjson

from cloche.aws.errors import AwsError, Fact
from cloche.aws.operation import Context, Kept, Members, Operation
from cloche.aws.resource import tagging, tokens
from cloche.aws.resource.family import Family
from cloche.aws.resource.listing import PAGE_DEFAULT, PAGING, Listing, derive_listing
from cloche.aws.resource.memory import Memories, Memory
from cloche.aws.resource.projection import Projector, projector
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Invalid, NotSupported
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import read_page
from cloche.storage.metadata.records import Record

_MEMORIES: Final = Memories()
INLINE_PAGE_MAX: Final = 25
"""Rows of a list that is answered on the event loop: their summaries are mostly remembered."""


Form = Callable[[Context, int], Members]
"""What makes an answer of the record with that id."""


class Resource:
    """Subclass with the class's facts and override the methods below where the noun has behaviour."""

    operations: ClassVar[tuple[str, ...]]
    """Wire names, the create first: ``("CreateModel", "DescribeModel", "ListModels", "DeleteModel")``."""
    arn: ClassVar[str]
    """The ARN's last part over the identifying member of the create: ``"model/{ModelName}"``."""
    status: ClassVar[str] = ""
    """The member that shows the record's status, where the noun has one."""
    missing: ClassVar[Fact]
    """Formatted with ``arn``, ``name``, ``account`` and ``region``; so is ``duplicate``."""
    duplicate: ClassVar[Fact]
    listed_by: ClassVar[tuple[str, str]] = ("CreationTime", "Descending")
    """SortBy and SortOrder of a list that asks for none, as AWS's reference documents it for the operation."""
    filters: ClassVar[Mapping[str, str]] = {}
    """Of the list, those that the model does not tell: input member → SQL condition with one argument."""
    service: ClassVar[str] = "sagemaker"
    """botocore's name of the service."""

    # -- what a noun writes ------------------------------------------------------------------------------

    def identify(self, ctx: Context, request: Members) -> str:
        """The name of the record a request is about. By default the ARN template's member, which may hold a
        name or this noun's ARN. Raises ``Invalid`` for an ARN of another region, account or noun."""
        return self._name_in(ctx, str(request[self._name_member]))

    def numbered(self, ctx: Context, tx: sqlite3.Connection, name: str, request: Members) -> str:
        """The name the new record gets where only the transaction can tell, as the next version of a group. What
        ``identify`` said then is a beginning of it. By default just that."""
        return name

    def check(self, ctx: Context, request: Members) -> None:
        """Raise what forbids a create beyond the model's constraints. Before the transaction; may read."""

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        """The record is in; what is written to ``tx`` becomes durable with it. A noun with a status sets it
        here (or has its engine set it) by ``records.set_status(tx, record.arn, …)``."""

    def updated(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> Members:
        """The request document to keep after an update; by default the members given replace those held."""
        return {**record.request, **{key: value for key, value in request.items() if key != self._name_member}}

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        """A stop is asked for. A noun that brings ``Stop…`` writes this."""
        raise NotSupported(f"{self._family.noun} cannot be stopped in Cloche")

    def deleted(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        """Remove the record. A noun that must first be taken down marks it here instead, and its engine calls
        ``records.remove(tx, arn)`` in the transaction that ends it."""
        records.remove(tx, record.arn)

    def settled(self, ctx: Context, record: Record) -> None:
        """The create, update, stop or delete is on the disk: the moment to nudge an engine. Must not fail."""

    def shown(self, ctx: Context, record: Record) -> Members:
        """Members of the description that the request does not hold; they replace those that it does, and
        ``None`` hides one. A function of ``record`` alone (module docstring). Runs on the event loop."""
        return {}

    def listed(self, ctx: Context, record: Record) -> Members:
        """The same for a summary in a list."""
        return self.shown(ctx, record)

    # -- what the kit derives ----------------------------------------------------------------------------

    @classmethod
    def operations_brought(cls) -> list[Operation]:
        """The handlers of all of ``operations``, in the form ``@operation`` gives."""
        if "operations" not in vars(cls):
            return []  # a base class
        resource = cls()
        return [resource._operation(name) for name in cls.operations]

    def _operation(self, name: str) -> Operation:
        verb = self._family.verb(name)
        handlers = {
            "Create": self.create,
            "Describe": self.describe,
            "List": self.page,
            "Update": self.update,
            "Delete": self.delete,
            "Stop": self.stop,
        }
        inline = self._lists_cheaply if verb == "List" else verb == "Describe"
        return Operation(name, handlers[verb], inline=inline, reads=verb in ("Describe", "List"))

    def _lists_cheaply(self, request: Members) -> bool:
        """A short page without a filter is a walk of a few rows along an index."""
        return request.get("MaxResults", PAGE_DEFAULT) <= INLINE_PAGE_MAX and PAGING.issuperset(request)

    def __init__(self) -> None:
        self._family = Family(self.service, self.operations)
        self.kind = f"{self.service}/{self._family.noun}"
        """How records of this noun are filed: ``records.find(connection, account, region, kind, name)``."""

    def create(self, ctx: Context, request: Members) -> Members:
        """check → (record + tags + ``created``) in one transaction → the ARN."""
        family = self._family
        name = self.identify(ctx, request)
        token = request.get(family.token_member) if family.token_member else None
        reader = ctx.parts.database.reader
        if token is not None:
            earlier = records.find_token(reader, ctx.account, ctx.region, self.kind, token)
            if earlier is not None:
                return self._created_before(earlier, name)
        if records.find_version(reader, ctx.account, ctx.region, self.kind, name) is not None:
            raise self._fact(self.duplicate, ctx, name)
        pairs = tagging.tag_pairs(request.get("Tags") or ())
        self.check(ctx, request)
        kept = {key: value for key, value in request.items() if key not in ("Tags", family.token_member)}
        kept.update(ctx.origin)

        def insert(tx: sqlite3.Connection) -> Record:
            given = self.numbered(ctx, tx, name, request)
            record = records.insert(
                tx,
                account=ctx.account,
                region=ctx.region,
                kind=self.kind,
                name=given,
                arn=self.arn_of(ctx, given),
                at=ctx.now.timestamp(),
                request=kept,
                token=token,
            )
            tagging.add_tags(tx, record.arn, pairs)
            self.created(ctx, tx, record, request)
            return record

        try:
            record = ctx.parts.database.write(insert)
        except AlreadyExists:
            raise self._fact(self.duplicate, ctx, name) from None
        self.settled(ctx, record)
        return self._answer(family.names[0], record)

    def describe(self, ctx: Context, request: Members) -> Kept:
        """One read of an index while the record has not changed, one more when it has, none while nothing has."""
        name = self.identify(ctx, request)
        database = ctx.parts.database
        memory = _MEMORIES.of(database)
        place = ctx.account, ctx.region, self.kind, name
        found = memory.place(database.moment(), place, lambda: records.find_version(database.reader, *place))
        if found is None:
            raise self._fact(self.missing, ctx, name)
        answer = self._remembered(ctx, memory, found, self._described)
        if answer is None:
            raise self._fact(self.missing, ctx, name)
        return answer

    def page(self, ctx: Context, request: Members) -> Kept:
        """A page in the order asked for, and a token where more follows."""
        listing = self._listing
        database = ctx.parts.database
        memory = _MEMORIES.of(database)
        question = listing.question(ctx.account, ctx.region, request)
        token, size = request.get("NextToken"), request.get("MaxResults", PAGE_DEFAULT)
        key = (orjson.dumps([question, token, size]), "page")
        moment = database.moment()
        make = partial(self._page, ctx, request, question, token, size)
        encoded = memory.get(key, moment)
        if encoded is not None:
            return Kept(make, encoded)
        answer = make()
        return Kept(lambda: answer, None, partial(memory.put, key, moment))

    def _page(self, ctx: Context, request: Members, question: list[Any], token: str | None, size: int) -> Members:
        reader = ctx.parts.database.reader
        memory = _MEMORIES.of(ctx.parts.database)
        walk = self._listing.walk(ctx.account, ctx.region, request)
        secret = self._page_secret(ctx, memory)
        after = tokens.unseal(secret, question, token) if token else None
        page = read_page(reader, walk, after=after, size=size)
        summaries = [self._remembered(ctx, memory, (row[0], row[1]), self._summarised) for row in page.rows]
        answer: Members = {self._family.listed_member: [summary for summary in summaries if summary is not None]}
        if page.last is not None:
            answer["NextToken"] = tokens.seal(secret, question, page.last)
        return answer

    def update(self, ctx: Context, request: Members) -> Members:
        """The members given replace those held, as ``updated`` decides, in one transaction."""

        def change(tx: sqlite3.Connection, record: Record) -> None:
            kept = self.updated(ctx, tx, record, request)
            records.replace_request(tx, record.arn, kept, ctx.now.timestamp())

        return self._change(ctx, request, "Update", change)

    def stop(self, ctx: Context, request: Members) -> Members:
        return self._change(ctx, request, "Stop", lambda tx, record: self.stopping(ctx, tx, record))

    def delete(self, ctx: Context, request: Members) -> Members:
        return self._change(ctx, request, "Delete", lambda tx, record: self.deleted(ctx, tx, record))

    # -- parts of the above ------------------------------------------------------------------------------

    def arn_of(self, ctx: Context, name: str) -> str:
        resource = self.arn.format(**{self._name_member: name})
        return f"arn:aws:{self.service}:{ctx.region}:{ctx.account}:{resource}"

    def find(self, ctx: Context, connection: sqlite3.Connection, name: str) -> Record:
        """The record called ``name``. Raises the noun's ``missing`` fact."""
        record = records.find(connection, ctx.account, ctx.region, self.kind, name)
        if record is None:
            raise self._fact(self.missing, ctx, name)
        return record

    def members_of(self, ctx: Context, record: Record) -> Members:
        """All that is known of a record, before any shape cuts it."""
        return self._members(record, self.shown(ctx, record))

    def description_of(self, ctx: Context, record: Record) -> Members:
        """What Describe answers of a record, wherever that comes from."""
        described: Members = self._description(self.members_of(ctx, record))
        return described

    @cached_property
    def _name_member(self) -> str:
        return self.arn[self.arn.index("{") + 1 : self.arn.index("}")]

    @cached_property
    def _listing(self) -> Listing:
        name = self._family.named("List")
        assert name is not None
        return derive_listing(self._family, name, self.kind, self.listed_by, self.filters)

    @cached_property
    def _description(self) -> Projector:
        name = self._family.named("Describe")
        assert name is not None
        return projector(self._family.model(name).output_shape)

    @cached_property
    def _summary(self) -> Projector:
        name = self._family.named("List")
        assert name is not None
        return projector(self._family.output_members(name)[self._family.listed_member].member)

    def _name_in(self, ctx: Context, identifier: str) -> str:
        if not identifier.startswith("arn:"):
            return identifier
        prefix = self.arn_of(ctx, "")
        if identifier.startswith(prefix):
            return identifier.removeprefix(prefix)
        parts = identifier.split(":", 5)
        if len(parts) == 6 and parts[3] != ctx.region:
            # aws/amazon-sagemaker-examples#1444
            raise Invalid(f"ARN should be scoped to correct region: {ctx.region}", field=self._name_member)
        raise Invalid(f"{identifier} is not the ARN of a {self._family.noun} here", field=self._name_member)

    def _fact(self, fact: Fact, ctx: Context, name: str) -> AwsError:
        return fact.error(arn=self.arn_of(ctx, name), name=name, account=ctx.account, region=ctx.region)

    def _created_before(self, earlier: Record, name: str) -> Members:
        if earlier.name != name and not (name.endswith("/") and earlier.name.startswith(name)):
            member = self._family.token_member or ""
            raise Invalid(f"{member} was used for another {self._family.noun}: {earlier.name}", field=member)
        return self._answer(self._family.names[0], earlier)

    def _answer(self, operation: str, record: Record) -> Members:
        member = self._family.arn_member
        return {member: record.arn} if member in self._family.output_members(operation) else {}

    def _members(self, record: Record, shown: Members) -> Members:
        members = {
            **record.request,
            self._name_member: record.name,
            self._family.arn_member: record.arn,
            "CreationTime": from_epoch(record.created_at),
            "LastModifiedTime": from_epoch(record.modified_at),
        }
        if self.status:
            members[self.status] = record.status
        members.update(shown)
        return members

    def _remembered(self, ctx: Context, memory: Memory, found: tuple[int, int], form: Form) -> Kept | None:
        """The record of that (id, version) in one of the two forms; ``None`` where it has gone meanwhile."""
        record_id, version = found
        key = (record_id, form.__name__)
        encoded = memory.get(key, version)
        if encoded is not None:
            return Kept(partial(form, ctx, record_id), encoded)
        members = form(ctx, record_id)
        if not members:
            return None
        return Kept(lambda: members, None, partial(memory.put, key, version))

    def _described(self, ctx: Context, record_id: int) -> Members:
        """Empty where there is no such record; so is ``_summarised``."""
        record = records.read_by_id(ctx.parts.database.reader, record_id)
        return {} if record is None else self.description_of(ctx, record)

    def _summarised(self, ctx: Context, record_id: int) -> Members:
        record = records.read_by_id(ctx.parts.database.reader, record_id)
        return {} if record is None else self._summary(self._members(record, self.listed(ctx, record)))

    def _page_secret(self, ctx: Context, memory: Memory) -> bytes:
        if memory.page_secret is None:
            memory.page_secret = records.page_secret(ctx.parts.database.reader)
        return memory.page_secret

    def _change(self, ctx: Context, request: Members, verb: str, change: Any) -> Members:
        name = self.identify(ctx, request)

        def apply(tx: sqlite3.Connection) -> Record:
            record = self.find(ctx, tx, name)
            change(tx, record)
            return record

        record: Record = ctx.parts.database.write(apply)
        _MEMORIES.of(ctx.parts.database).drop(record.id, (self._described.__name__, self._summarised.__name__))
        self.settled(ctx, record)
        operation = self._family.named(verb)
        assert operation is not None
        return self._answer(operation, record)
