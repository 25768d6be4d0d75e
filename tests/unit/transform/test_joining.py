"""Filters and joins: AWS's own examples, and what neither may do to the data."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloche_jobs.transform.batch import Orders, Payload, Refused
from cloche_jobs.transform.joining import Joining


def joining(**orders: Any) -> Joining:
    given = {"content_type": "text/csv", "accept": "text/csv", "split": "Line", "assemble": "Line", **orders}
    return Joining(Orders((), (), "", "", **given))


def done(payload: bytes, answer: bytes, told: str = "text/csv", **orders: Any) -> tuple[bytes, bytes]:
    """(what the model is asked, what is written)."""
    job = joining(**orders)
    given = Payload(payload, 1)
    return job.question(given).body, job.finished(given, answer, told)


def test_nothing_asked_for_leaves_every_byte() -> None:
    assert done(b"1,0.10\n", b'{"a": 1}', "application/json", assemble="None") == (b"1,0.10\n", b'{"a": 1}')
    assert done(b"1\n", b"0.5")[1] == b"0.5\n", "assembled by line, it ends a line"
    assert done(b"1\n", b"0.5\n")[1] == b"0.5\n"
    assert done(b"1\n", b"0.5\r\n", assemble="None")[1] == b"0.5\r\n"


def test_aws_example_of_an_id_column() -> None:
    asked, written = done(b"7,0.10,2\n8,0.20,3\n", b"0.5\n0.25\n", input_filter="$[1:]", join=True)
    assert asked == b"0.10,2\n0.20,3"
    assert written == b"7,0.10,2,0.5\n8,0.20,3,0.25\n", "texts stay as they were"
    assert done(b"7,1,2\n8,2,3\n", b"0.5\n0.25\n", join=True, output_filter="$[0,-1]")[1] == b"7,0.5\n8,0.25\n"


def test_aws_example_of_a_joined_row() -> None:
    """ "if the record is [1,2,3], and the label result is [1], then the output file would contain [1,2,3,1]"."""
    assert done(b"1,2,3\n", b"1\n", join=True)[1] == b"1,2,3,1\n"


def test_quoted_columns() -> None:
    payload = b'"Smith, John",1,"say ""hi"""\n'
    asked, written = done(payload, b"0.5", input_filter="$[1]", join=True, output_filter="$[0,2,3]")
    assert (asked, written) == (b"1", b'"Smith, John","say ""hi""",0.5\n')
    assert done(payload, b"0.5", join=True)[1] == payload[:-1] + b",0.5\n", "a line that is joined is not rewritten"


def test_aws_example_of_an_id_attribute() -> None:
    kind = {"content_type": "application/jsonlines", "accept": "application/jsonlines"}
    payload = b'{"id":1,"features":[1,2]}\n{"id":2,"features":[3,4]}\n'
    asked, written = done(
        payload,
        b'{"label":1}\n{"label":0}\n',
        "application/jsonlines",
        input_filter="$.features",
        join=True,
        output_filter="$['id','SageMakerOutput']",
        **kind,
    )
    assert asked == b"[1,2]\n[3,4]"
    assert [json.loads(line) for line in written.splitlines()] == [
        {"id": 1, "SageMakerOutput": {"label": 1}},
        {"id": 2, "SageMakerOutput": {"label": 0}},
    ]


def test_aws_example_of_a_join_of_objects_and_of_others() -> None:
    kind = {"content_type": "application/json", "accept": "application/json", "split": "None", "assemble": "None"}
    found = done(b'{\n"key":1\n}', b'{"label":1}', "application/json", join=True, **kind)[1]
    assert json.loads(found) == {"key": 1, "SageMakerOutput": {"label": 1}}
    found = done(b'{"id":1,"content":["a","b"]}', b"[[0.5]]", "application/json", join=True, **kind)[1]
    assert found == b'{"SageMakerOutput":[[0.5]],"content":["a","b"],"id":1}', "in the order of its keys"
    found = done(b"[1,2]", b'{"label":1}', "application/json", join=True, **kind)[1]
    assert json.loads(found) == {"SageMakerInput": [1, 2], "SageMakerOutput": {"label": 1}}


def test_ids_as_in_the_recorded_case() -> None:
    time = "2023-01-19T05:40:55Z"
    written = done(b"1,2\n3,4\n", b"0.5\n0.25\n", join=True, inference_time=time)[1].decode()
    ids = re.findall(r",([0-9a-f-]{36})," + time + "\n", written)
    assert len(set(ids)) == 2
    assert re.sub(r"[0-9a-f-]{36}", "ID", written) == f"1,2,0.5,ID,{time}\n3,4,0.25,ID,{time}\n"
    kind = {"content_type": "application/jsonlines", "accept": "application/jsonlines"}
    marked = json.loads(done(b"{}\n", b'{"output":0}', "application/jsonlines", inference_time=time, **kind)[1])
    assert marked.pop("SageMakerInferenceId").count("-") == 4
    assert marked == {"output": 0, "SageMakerInferenceTime": time}


@pytest.mark.parametrize(
    ("payload", "answer", "orders", "kind", "where", "words"),
    [
        (b"1\n2\n", b"0.5\n", {"join": True}, "AlgorithmError", "line 1", "answered 1 lines to 2 records"),
        (b'1\n\n"2\n', b"", {"input_filter": "$[0]"}, "ClientError", "line 3", "Failed to parse input as CSV"),
        (b"1,2\n3\n", b"", {"input_filter": "$[1]"}, "ClientError", "line 2", "index 1 is beyond the 1"),
        (b"1\n\xff\n", b"", {"input_filter": "$[0]"}, "ClientError", "line 2", "no text in UTF-8"),
        (b"1\n", b"0.5", {"output_filter": "$[3]"}, "ClientError", "line 1", "output filter $[3]"),
        (
            b'{"a":1}\nnot json\n',
            b"",
            {"content_type": "application/jsonlines", "input_filter": "$.a"},
            "ClientError",
            "line 2",
            "Failed to parse input as JSON Lines",
        ),
    ],
)
def test_what_cannot_be_done_is_told_with_its_line(
    payload: bytes, answer: bytes, orders: dict[str, Any], kind: str, where: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        done(payload, answer, **orders)
    assert (refused.value.kind, refused.value.where) == (kind, where)
    assert words in refused.value.message


def test_an_answer_that_is_no_csv_is_not_joined_to_csv() -> None:
    with pytest.raises(Refused, match="Failed to parse output from the algorithm as CSV: it is application/json"):
        done(b"1\n", b'{"a":1}', "application/json", join=True)
