"""Lists: filters, orders, pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_noun import START

from cloche.foundation.errors import Invalid, NotSupported
from cloche.storage.metadata import records

NAMES = [f"{kind}-{number}" for number in range(4) for kind in ("b", "a", "c")]


@pytest.fixture
def filled(desk: Any) -> Any:
    """Twelve jobs, one a second; every third is Completed, and modified a minute later."""
    for at, name in enumerate(NAMES):
        made = desk("CreateTrainingJob", {"TrainingJobName": name})
        if at % 3 == 0:
            arn, moment = made["TrainingJobArn"], START + timedelta(seconds=60 + at)
            desk.database.write(
                lambda tx, arn=arn, moment=moment: records.set_status(tx, arn, "Completed", moment.timestamp())
            )
    return desk


def listed(desk: Any, **request: Any) -> list[str]:
    """All pages."""
    names: list[str] = []
    while True:
        answer = desk("ListTrainingJobs", request)
        names += [summary["TrainingJobName"] for summary in answer["TrainingJobSummaries"]]
        if "NextToken" not in answer:
            return names
        request["NextToken"] = answer["NextToken"]


def test_the_default_is_ten_newest_first(filled: Any) -> None:
    answer = filled("ListTrainingJobs")
    assert [summary["TrainingJobName"] for summary in answer["TrainingJobSummaries"]] == NAMES[:1:-1]
    assert answer["TrainingJobSummaries"][0] == {
        "TrainingJobName": NAMES[-1],
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{NAMES[-1]}",
        "CreationTime": START + timedelta(seconds=12),
        "LastModifiedTime": START + timedelta(seconds=12),
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
    }


def test_filters(filled: Any) -> None:
    assert set(listed(filled, NameContains="b-")) == {"b-0", "b-1", "b-2", "b-3"}
    assert set(listed(filled, StatusEquals="Completed")) == set(NAMES[::3])
    assert listed(filled, StatusEquals="Failed") == []
    moment = START + timedelta(seconds=5)  # the fifth was made then
    after, before = listed(filled, CreationTimeAfter=moment), listed(filled, CreationTimeBefore=moment)
    assert set(after) == set(NAMES[4:])
    assert set(before) == set(NAMES[:4])
    assert set(listed(filled, LastModifiedTimeAfter=START + timedelta(seconds=60))) == set(NAMES[::3])
    assert set(listed(filled, LastModifiedTimeBefore=START + timedelta(seconds=60))) == set(NAMES) - set(NAMES[::3])
    assert listed(filled, StatusEquals="Completed", NameContains="-3", CreationTimeAfter=moment) == ["b-3"]


def test_orders(filled: Any) -> None:
    assert listed(filled, SortBy="Name", SortOrder="Ascending") == sorted(NAMES)
    assert listed(filled, SortBy="Name", SortOrder="Descending") == sorted(NAMES, reverse=True)
    assert listed(filled, SortBy="CreationTime", SortOrder="Ascending") == NAMES
    by_status = listed(filled, SortBy="Status", SortOrder="Ascending", MaxResults=5)
    assert set(by_status[:4]) == set(NAMES[::3])
    assert sorted(by_status) == sorted(NAMES)


def test_owners_do_not_see_each_other(filled: Any) -> None:
    assert filled("ListTrainingJobs", region="eu-west-1") == {"TrainingJobSummaries": []}
    assert filled("ListTrainingJobs", account="999999999999") == {"TrainingJobSummaries": []}


def test_a_filter_that_cannot_be_answered_is_refused_by_name(filled: Any) -> None:
    with pytest.raises(NotSupported, match="WarmPoolStatusEquals"):
        filled("ListTrainingJobs", {"WarmPoolStatusEquals": "InUse"})


def test_a_token_is_good_for_its_own_question_alone(filled: Any) -> None:
    token = filled("ListTrainingJobs", {"MaxResults": 3})["NextToken"]
    assert len(filled("ListTrainingJobs", {"MaxResults": 5, "NextToken": token})["TrainingJobSummaries"]) == 5
    with pytest.raises(Invalid, match="other parameters"):
        filled("ListTrainingJobs", {"NextToken": token, "NameContains": "a"})
    with pytest.raises(Invalid, match="other parameters"):
        filled("ListTrainingJobs", {"NextToken": token, "SortOrder": "Ascending"})
    with pytest.raises(Invalid, match="other parameters"):
        filled("ListTrainingJobs", {"NextToken": token}, account="999999999999")
    flipped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for bad in (flipped, "", "x", "é", token[:-4], token + "AAAA"):
        if bad:
            with pytest.raises(Invalid):
                filled("ListTrainingJobs", {"NextToken": bad})


def test_a_page_is_a_walk_of_an_index_whatever_the_table_holds(filled: Any) -> None:
    """No order sorts, and no page visits rows before it: SQLite's own plan says so."""
    from cloche.aws.resource.family import Family
    from cloche.aws.resource.listing import derive_listing

    names = ("CreateTrainingJob", "ListTrainingJobs")
    listing = derive_listing(
        Family("sagemaker", names), names[1], "sagemaker/TrainingJob", ("CreationTime", "Ascending")
    )
    for request in (
        {},
        {"SortBy": "Name"},
        {"SortBy": "Status"},
        {"StatusEquals": "Completed"},
        {"CreationTimeAfter": START},
    ):
        walk = listing.walk("1", "r", request)
        order = ", ".join(walk.key)
        sql = (
            f"EXPLAIN QUERY PLAN SELECT * FROM records WHERE {' AND '.join(walk.conditions)}"
            f" AND ({order}) > ({', '.join('?' * len(walk.key))}) ORDER BY {order} LIMIT 11"
        )
        plan = filled.database.reader.execute(sql, (*walk.arguments, *[0] * len(walk.key))).fetchall()
        text = "\n".join(row["detail"] for row in plan)
        assert "USING INDEX" in text and "TEMP B-TREE" not in text, (request, text)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(1, 15),
    sort_by=st.sampled_from(["Name", "CreationTime", "Status"]),
    order=st.sampled_from(["Ascending", "Descending"]),
    status=st.sampled_from([None, "Completed", "InProgress"]),
)
def test_pages_together_are_the_whole(filled: Any, size: int, sort_by: str, order: str, status: str | None) -> None:
    request = {"SortBy": sort_by, "SortOrder": order}
    if status:
        request["StatusEquals"] = status
    whole = listed(filled, **request, MaxResults=100)
    assert listed(filled, **request, MaxResults=size) == whole
    assert len(whole) == len(set(whole)) == {"Completed": 4, "InProgress": 8, None: 12}[status]


def test_rows_that_come_and_go_between_pages_neither_repeat_nor_hide_others(filled: Any) -> None:
    request = {"SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": 5}
    first = filled("ListTrainingJobs", request)
    filled("DeleteTrainingJob", {"TrainingJobName": NAMES[4]})  # the very row the token speaks of
    filled("DeleteTrainingJob", {"TrainingJobName": NAMES[0]})
    filled("CreateTrainingJob", {"TrainingJobName": "new"})
    rest = listed(filled, **request, NextToken=first["NextToken"])
    assert rest == [*NAMES[5:], "new"]
