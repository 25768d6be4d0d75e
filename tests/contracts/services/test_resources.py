"""One suite for every noun: what the kit derives for it from the model works, whatever the noun adds.

The noun's own behaviour (its ``check``, its engine) is silenced: this is about names, pages, filters, tags and the
noun's facts. The behaviour has its stories in ``tests/services``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Caller, Context, Members
from cloche.aws.resource import Resource
from cloche.aws.resource.listing import PAGE_DEFAULT, PAGING
from cloche.foundation.errors import Invalid, NotSupported
from cloche.server.wiring import MIGRATIONS
from cloche.storage.metadata import records, tags
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metadata.records import Record

from .offered import resources

START = datetime(2026, 11, 25, tzinfo=UTC)
NOUNS = resources()


def silenced(noun: type[Resource]) -> Resource:
    """The noun without its engine."""

    def created(self: Resource, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        if noun.status:
            records.set_status(tx, record.arn, statuses(self)[0])

    def nothing(self: Resource, *_: Any) -> Any:
        return {}

    def stopping(self: Resource, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        records.set_status(tx, record.arn, statuses(self)[-1])

    body = {
        "operations": noun.operations,
        "created": created,
        "check": nothing,
        "settled": nothing,
        "shown": nothing,
        "listed": nothing if _is_listed_by_name(noun) else noun.listed,
        "stopping": stopping,
        "updated": Resource.updated,
        "deleted": Resource.deleted,
        "identify": Resource.identify,
        "numbered": Resource.numbered,
    }
    return type(noun.__name__, (noun,), body)()


def _is_listed_by_name(noun: type[Resource]) -> bool:
    """Else its summaries have another member for the name, which only the noun knows."""
    made = noun()
    name = made._family.named("List")
    if name is None:
        return True
    return made._name_member in made._family.output_members(name)[made._family.listed_member].member.members


def statuses(noun: Resource) -> list[str]:
    describe = noun._family.named("Describe")
    assert describe is not None
    return list(noun._family.output_members(describe)[noun.status].enum)


class Desk:
    def __init__(self, noun: type[Resource], database: Database) -> None:
        self.noun = silenced(noun)
        self.family = self.noun._family
        self.database = database
        self.member = self.noun._name_member
        self.handlers = {name: self.noun._operation(name).handler for name in noun.operations}
        self.seconds = 0

    def call(self, verb: str, request: Members | None = None, *, region: str = "us-east-1") -> Any:
        name = self.family.named(verb)
        if name is None:
            pytest.skip(f"{self.family.noun} has no {verb}")
        self.seconds += 1
        caller = Caller("123456789012", "arn:aws:iam::123456789012:root", "123456789012", "AKIATEST")
        now = START + timedelta(seconds=self.seconds)
        parts = SimpleNamespace(database=self.database)
        ctx = Context(caller, region, "request", now, HttpRequest("POST", "/", "", Headers()), parts)
        return self.handlers[name](ctx, request or {})

    def named(self, name: str, **members: Any) -> Members:
        return {self.member: name, **members}

    def listed(self, **request: Any) -> list[str]:
        names: list[str] = []
        while True:
            answer = self.call("List", request)
            names += [_named_in(summary, self.member) for summary in answer[self.family.listed_member]]
            if "NextToken" not in answer:
                return names
            request["NextToken"] = answer["NextToken"]


def _named_in(summary: Any, member: str) -> str:
    """``MonitoringJobDefinitionName`` is where a summary has what everybody else calls ``JobDefinitionName``."""
    name: str = summary[next(key for key in (member, f"Monitoring{member}") if key in summary)]
    return name


@pytest.fixture(params=NOUNS, ids=lambda noun: noun.__name__)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS)
    yield Desk(request.param, database)
    database.close()


@pytest.fixture
def dozen(desk: Desk) -> Desk:
    for number in range(12):
        desk.call("Create", desk.named(f"{'even' if number % 2 == 0 else 'odd'}-{number:02d}"))
    return desk


def refused(call: Callable[[], Any]) -> AwsError:
    with pytest.raises(AwsError) as error:
        call()
    return error.value


def test_facts_have_sources(desk: Desk) -> None:
    for fact in (desk.noun.missing, desk.noun.duplicate):
        assert fact.source.strip(), "no source, no fact"
        fact.error(arn="a", name="n", account="c", region="r")


def test_create_answers_the_arn_that_describe_shows(desk: Desk) -> None:
    made = desk.call("Create", desk.named("one"))
    (arn,) = made.values()
    assert arn.startswith("arn:aws:sagemaker:us-east-1:123456789012:") and arn.endswith("/one")
    described = desk.call("Describe", desk.named("one"))
    assert described[desk.family.arn_member] == arn
    assert described[desk.member] == "one"
    assert described["CreationTime"] == START + timedelta(seconds=1)


def test_all_that_create_and_describe_share_comes_back(desk: Desk) -> None:
    describe = desk.family.named("Describe")
    if describe is None:
        pytest.skip("no Describe")
    outputs = desk.family.output_members(describe)
    sent = {
        name: "text"
        for name, shape in desk.family.create_members.items()
        if shape.type_name == "string" and name in outputs and outputs[name].type_name == "string"
        if name != desk.noun.status
    }
    sent[desk.member] = "one"
    desk.call("Create", sent)
    described = desk.call("Describe", desk.named("one"))
    assert {name: described.get(name) for name in sent} == sent
    assert None not in described.values()
    assert {} not in [value for name, value in described.items() if outputs[name].type_name == "structure"]


def test_duplicate_and_missing(desk: Desk) -> None:
    desk.call("Create", desk.named("one"))
    error = refused(lambda: desk.call("Create", desk.named("one")))
    assert error.code == desk.noun.duplicate.code
    desk.call("Create", desk.named("one"), region="eu-west-1")
    for verb in ("Describe", "Update", "Stop", "Delete"):
        if desk.family.named(verb):
            error = refused(lambda verb=verb: desk.call(verb, desk.named("two")))
            assert error.code == desk.noun.missing.code
            assert "{" not in error.message


def test_delete_then_create_again(desk: Desk) -> None:
    desk.call("Create", desk.named("one", Tags=[{"Key": "a", "Value": "b"}]))
    record = records.find(desk.database.reader, "123456789012", "us-east-1", desk.noun.kind, "one")
    assert record is not None
    assert tags.read(desk.database.reader, record.arn) == [("a", "b")]
    desk.call("Delete", desk.named("one"))
    assert tags.read(desk.database.reader, record.arn) == []
    assert refused(lambda: desk.call("Describe", desk.named("one"))).code == desk.noun.missing.code
    desk.call("Create", desk.named("one"))


def test_tags_that_break_the_rules(desk: Desk) -> None:
    if "Tags" not in desk.family.create_members:
        pytest.skip("takes no tags")
    with pytest.raises(Invalid):
        desk.call("Create", desk.named("one", Tags=[{"Key": "aws:a", "Value": ""}]))
    assert refused(lambda: desk.call("Describe", desk.named("one"))).code == desk.noun.missing.code


def test_the_default_page_and_its_order(dozen: Desk) -> None:
    first = dozen.call("List")
    assert len(first[dozen.family.listed_member]) == PAGE_DEFAULT
    names = dozen.listed()
    key, order = dozen.noun.listed_by
    as_made = sorted(names, key=lambda name: name if key == "Name" else name[-2:])
    assert names == as_made[:: -1 if order == "Descending" else 1] and len(names) == 12


def test_every_order(dozen: Desk) -> None:
    inputs = dozen.family.input_members(str(dozen.family.named("List")))
    whole = sorted(dozen.listed())
    for sort_by in inputs["SortBy"].enum:
        for sort_order in inputs["SortOrder"].enum:
            names = dozen.listed(SortBy=sort_by, SortOrder=sort_order, MaxResults=5)
            assert sorted(names) == whole, (sort_by, sort_order)
            if sort_by == "Name":
                assert names == (whole if sort_order == "Ascending" else whole[::-1])


def test_every_filter_filters_or_is_refused_by_name(dozen: Desk) -> None:
    middle = START + timedelta(seconds=7)  # the seventh was made then
    names = sorted(dozen.listed())
    odd = [name for name in names if name.startswith("odd")]
    early = sorted(names, key=lambda name: name[-2:])[:6]
    late = sorted(set(names) - set(early))
    expected = {
        "NameContains": ("odd", odd),
        "CreationTimeAfter": (middle, late),
        "CreationTimeBefore": (middle, sorted(early)),
        "LastModifiedTimeAfter": (middle, late),
        "LastModifiedTimeBefore": (middle, sorted(early)),
        "CreatedAfter": (middle, late),
        "CreatedBefore": (middle, sorted(early)),
    }
    members = set(dozen.family.input_members(str(dozen.family.named("List")))) - PAGING
    if "StatusEquals" in members:
        expected["StatusEquals"] = (statuses(dozen.noun)[0], names)
        assert dozen.listed(StatusEquals=statuses(dozen.noun)[-1]) == []
    for member in members:
        if member in expected:
            value, wanted = expected[member]
            assert sorted(dozen.listed(**{member: value})) == wanted, member
        elif member in dozen.noun._listing.refused:
            with pytest.raises(NotSupported, match=member):
                dozen.listed(**{member: "x"})
        else:
            try:
                assert dozen.listed(**{member: "nothing has this"}) == [], member
            except AwsError as error:  # a filter by another noun, of which AWS says that it is not there
                assert error.code == "ResourceNotFound", member


def test_tokens_belong_to_their_question(dozen: Desk) -> None:
    token = dozen.call("List", {"MaxResults": 2})["NextToken"]
    filtered = {"NameContains": "odd"} if "NameContains" in dozen.noun._listing.filters else {"SortOrder": "Ascending"}
    another = "CreationTime" if dozen.noun.listed_by[0] == "Name" else "Name"
    for other in (filtered, {"SortBy": another}):
        with pytest.raises(Invalid):
            dozen.call("List", {"NextToken": token, **other})
    with pytest.raises(Invalid):
        dozen.call("List", {"NextToken": "A" + token})


def test_the_defaults_of_the_list_are_those_documented(desk: Desk) -> None:
    """botocore's own documentation, which the server does not load, states them."""
    import re

    import botocore.session

    name = desk.family.named("List")
    if name is None:
        pytest.skip("no List")
    model = botocore.session.Session().get_service_model(desk.noun.service)
    inputs = model.operation_model(name).input_shape.members
    for member, ours in zip(("SortBy", "SortOrder"), desk.noun.listed_by, strict=True):
        text = re.sub(r"<[^>]+>", "", inputs[member].documentation)
        stated = re.search(r"default(?: value)? is (\w+)", text)
        assert stated is None or stated[1] == ours, f"{name}.{member}: {text}"
