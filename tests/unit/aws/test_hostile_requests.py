"""Bodies made to hurt: refused with 400 (or 413), in bounded time, whatever the protocol."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoken import invented, operation, request

from cloche.aws.errors import AwsError
from cloche.aws.protocols import cbor, json_values, parse_request, xml_reading
from cloche.foundation.limits import LAYER_PART_BODY_BYTES_MAX

EVERYTHING = {
    "In": {
        "type": "structure",
        "members": {
            "S": {"shape": "S"},
            "I": {"shape": "I"},
            "F": {"shape": "F"},
            "T": {"shape": "T"},
            "B": {"shape": "B"},
            "Yes": {"shape": "Yes"},
            "L": {"shape": "L"},
            "M": {"shape": "M"},
            "Self": {"shape": "In"},
            "U": {"shape": "U"},
        },
    },
    "S": {"type": "string"},
    "I": {"type": "integer"},
    "F": {"type": "double"},
    "T": {"type": "timestamp"},
    "B": {"type": "blob"},
    "Yes": {"type": "boolean"},
    "L": {"type": "list", "member": {"shape": "In"}},
    "M": {"type": "map", "key": {"shape": "S"}, "value": {"shape": "I"}},
    "U": {"type": "structure", "union": True, "members": {"a": {"shape": "S"}, "b": {"shape": "S"}}},
}


def parse(protocol: str, body: bytes, **headers: str) -> Any:
    model, op = invented(EVERYTHING, protocol)
    return parse_request(model, op, protocol, request(body=body, **headers))


HOSTILE_JSON = {
    "not JSON": b"{",
    "another kind": b"[]",
    "a text": b'"x"',
    "100,000 deep": b'{"Self":' * 100_000 + b"{}" + b"}" * 100_000,
    "100 deep": b'{"Self":' * 100 + b"{}" + b"}" * 100,
    "100 unclosed": b"[" * 100,
    "lists 5,000 deep": b'{"L":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "NaN": b'{"F":NaN}',
    "Infinity": b'{"F":Infinity}',
    "bad UTF-8": b'{"S":"\xff\xfe"}',
    "half a surrogate": b'{"S":"\\ud800"}',
    "5,000 digits": b'{"I":' + b"9" * 5_000 + b"}",
    "65 bits": b'{"I":36893488147419103232}',
    "beyond its type": b'{"I":2147483648}',
    "a fraction": b'{"I":1.5}',
    "doubled": b'{"S":"a","S":"b"}',
    "doubled, with blanks": b'{"S" : "a", "S"\n: ":"}',
    "doubled by escapes": b'{"S":"a","\\u0053":"b"}',
    "doubled within": b'{"L":[{"S":"a","I":1,"S":"b"}]}',
    "a number as text": b'{"I":"5"}',
    "text as number": b'{"S":5}',
    "boolean as text": b'{"Yes":"true"}',
    "number as boolean": b'{"I":true}',
    "bad base64": b'{"B":"a*"}',
    "year 400,000": b'{"T":12622780800000}',
    "no time": b'{"T":"yesterday"}',
    "two of a union": b'{"U":{"a":"1","b":"2"}}',
    "none of a union": b'{"U":{}}',
    "trailing": b"{} {}",
    "NUL": b"{\x00}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "structure for list": b'{"L":{}}',
    "list for map": b'{"M":[]}',
}


@pytest.mark.parametrize("case", HOSTILE_JSON)
def test_json_is_refused(case: str) -> None:
    with pytest.raises(AwsError) as refused:
        parse("json", HOSTILE_JSON[case])
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


def test_what_is_too_large_is_413() -> None:
    with pytest.raises(AwsError) as refused:
        parse("json", b'{"S":"' + b"a" * LAYER_PART_BODY_BYTES_MAX + b'"}')
    assert refused.value.status == 413


def test_a_million_containers_are_refused_before_they_are_made() -> None:
    with pytest.raises(AwsError, match="Too many"):
        parse("json", b'{"L":[' + b"{}," * 1_000_001 + b"{}]}")


@pytest.mark.parametrize(
    "text",
    [
        '{"S":"a:b","I":1}',
        '{"S":"\\":\\":\\":","I":1}',
        '{"S" :":","M":{":":1,"\\":":2}}',
        '{"L":[{"S":"a"},{"S":"a"}],"Self":{"S":"a"}}',
    ],
)
def test_colons_in_texts_are_no_doubles(text: str) -> None:
    assert parse("json", text.encode()) == json.loads(text)


def test_unknown_members_are_tolerated_and_dropped() -> None:
    assert parse("json", b'{"S":"a","Future":{"x":[1]},"I":null}') == {"S": "a"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=12,
    )
)
def test_sound_json_is_never_taken_for_doubled(tree: Any) -> None:
    for text in (json.dumps(tree), json.dumps(tree, indent=1, separators=(" ,", " : "), ensure_ascii=False)):
        try:
            data = text.encode()
        except UnicodeEncodeError:
            continue
        assert json_values.load(data) == tree


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=6), min_size=1, max_size=4), st.data())
def test_a_double_is_always_found(names: dict[str, str], data: st.DataObject) -> None:
    pairs = [*names.items(), (data.draw(st.sampled_from(sorted(names))), ':"x')]
    gap = data.draw(st.sampled_from(["", " ", "\n", "\t"]))
    body = "{" + ",".join(f"{json.dumps(k)}{gap}:{json.dumps(v)}" for k, v in pairs) + "}"
    with pytest.raises(AwsError):
        json_values.load(body.encode())


@given(st.binary(max_size=60))
@pytest.mark.parametrize("protocol", ["json", "query", "smithy-rpc-v2-cbor", "ec2", "rest-xml", "rest-json"])
def test_noise_is_parsed_or_refused_by_name(protocol: str, body: bytes) -> None:
    try:
        assert isinstance(parse(protocol, body), dict)
    except AwsError as error:
        assert 400 <= error.status < 500


HOSTILE_XML = {
    "a document type": b"<!DOCTYPE x><In/>",
    "an entity bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><In><S>&b;</S></In>',
    "an external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><In><S>&a;</S></In>',
    "an undefined entity": b"<In><S>&a;</S></In>",
    "100,000 deep": b"<a>" * 100_000,
    "too many": b"<In>" + b"<S/>" * 200_001 + b"</In>",
    "not XML": b"{}",
    "unclosed": b"<In><S>",
    "two roots": b"<In/><In/>",
    "bad UTF-8": b"<In><S>\xff</S></In>",
    "a document type in UTF-16": "<!DOCTYPE x><In/>".encode("utf-16"),
    "a bad number": b"<In><I>1e3</I></In>",
    "5,000 digits": b"<In><I>" + b"1" * 5_000 + b"</I></In>",
    "bad base64": b"<In><B>a*</B></In>",
    "an entry without key": b"<In><M><entry><value>1</value></entry></M></In>",
}


@pytest.mark.parametrize("case", HOSTILE_XML)
def test_xml_is_refused(case: str) -> None:
    with pytest.raises(AwsError) as refused:
        parse("rest-xml", HOSTILE_XML[case])
    assert refused.value.status == 400


def test_s3_calls_it_malformed_xml() -> None:
    model, op = operation("s3", "DeleteObjects")
    with pytest.raises(AwsError) as refused:
        parse_request(model, op, "rest-xml", request("POST", "/b?delete", b"<!DOCTYPE x><Delete/>"))
    assert refused.value.code == "MalformedXML"


def test_a_long_text_is_joined_once() -> None:
    assert len(xml_reading.load(b"<a>" + b"x&amp;" * 500_000 + b"</a>").text) == 1_000_000


HOSTILE_CBOR = {
    "text of 2^63": b"\x7b\x80" + b"\x00" * 7,
    "bytes of 2^64-1": b"\x5b" + b"\xff" * 8,
    "list of 2^63": b"\x9b\x80" + b"\x00" * 7,
    "map of 2^32": b"\xba\xff\xff\xff\xff",
    "100 deep": b"\x81" * 100 + b"\x00",
    "100,000 deep": b"\x9f" * 100_000,
    "tags without end": b"\xc1" * 100_000,
    "indefinite forever": b"\x9f" + b"\x00" * 1_000,
    "chunks forever": b"\x7f" + b"\x61a" * 1_000,
    "a lone break": b"\xff",
    "a number as key": b"\xa1\x01\x02",
    "the same key twice": b"\xa2\x61S\x61a\x61S\x61b",
    "bad UTF-8": b"\xa1\x61S\x61\xff",
    "cut": b"\xa1\x61S",
    "trailing": b"\xa0\xa0",
    "no map": b"\x80",
    "reserved": b"\x1c",
    "a moment that is none": b"\xa1\x61T\xc1\xf9\x7e\x00",
    "a number of the wrong kind": b"\xa1\x61I\xfb\x3f\xf8" + b"\x00" * 6,
}


@pytest.mark.parametrize("case", HOSTILE_CBOR)
def test_cbor_is_refused(case: str) -> None:
    with pytest.raises(AwsError) as refused:
        parse("smithy-rpc-v2-cbor", HOSTILE_CBOR[case])
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


@given(st.binary(max_size=200))
def test_cbor_noise_is_a_value_or_malformed(data: bytes) -> None:
    try:
        cbor.loads(data)
    except cbor.MalformedCbor:
        pass


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**64), 2**64 - 1)
        | st.floats(allow_nan=False)
        | st.text()
        | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=10,
    )
)
def test_cbor_comes_back_as_it_went(value: Any) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


HOSTILE_FORMS = {
    "deep": "Action=Do&" + ".".join(["L", "member", "1"] * 50) + "=x",
    "an index of 5,000 digits": "L.member." + "1" * 5_000 + ".S=x",
    "no index": "L.member.x.S=x",
    "bad UTF-8": "S=%FF",
    "too many fields": "&".join(["S=a"] * 100_002),
    "a bad number": "I=five",
    "5,000 digits": "I=" + "1" * 5_000,
    "a map entry without key": "M.entry.1.value=3",
}


@pytest.mark.parametrize("case", HOSTILE_FORMS)
def test_forms_are_refused(case: str) -> None:
    with pytest.raises(AwsError) as refused:
        parse("query", HOSTILE_FORMS[case].encode(), content_type="application/x-www-form-urlencoded")
    assert (refused.value.code, refused.value.status) == ("MalformedInput", 400)


def test_a_form_may_be_both_value_and_branch_and_have_gaps() -> None:
    body = b"L=&L.member.7.S=b&L.member.3.S=a&Self.S=%2B+%26"
    assert parse("query", body) == {"L": [{"S": "a"}, {"S": "b"}], "Self": {"S": "+ &"}}


def put_metrics(body: bytes) -> Any:
    model, op = operation("cloudwatch", "PutMetricData")
    return parse_request(model, op, "json", request(body=body, content_encoding="gzip"))


def test_boto_compresses_metrics() -> None:
    members = {"Namespace": "n", "MetricData": []}
    assert put_metrics(gzip.compress(json.dumps(members).encode())) == members


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (gzip.compress(b"{}", mtime=0)[:-4], 400),
        (gzip.compress(b"{}", mtime=0) * 2, 400),
        (gzip.compress(b" " * (17 * 2**20)), 413),
    ],
)
def test_a_bad_or_swollen_gzip_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(AwsError) as refused:
        put_metrics(body)
    assert refused.value.status == status


@pytest.mark.parametrize("target", ["/b?list-type=2&max-keys=many", "/b/%FF?list-type=2", "/b?list-type=2&prefix=%FF"])
def test_s3_calls_an_unreadable_parameter_an_invalid_argument(target: str) -> None:
    model, op = operation("s3", "ListObjectsV2" if "/b?" in target else "GetObject")
    with pytest.raises(AwsError) as refused:
        parse_request(model, op, "rest-xml", request("GET", target))
    assert (refused.value.code, refused.value.status) == ("InvalidArgument", 400)
