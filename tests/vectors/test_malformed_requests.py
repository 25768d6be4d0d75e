"""What a rest-json server must refuse with 400 SerializationException, after smithy's malformed-request tests.

Rewritten by hand from what ``smithy-aws-protocol-tests/model/restJson1/malformedRequests`` (smithy-lang/smithy) asks:
for every scalar, in the body, the path, the query and a header, the values that must not be read as one. Not held,
because botocore's models do not say what is needed or because real clients profit: nulls in dense lists and maps
(no trait says which are sparse), moments in another of the three formats, 406 and 415 for media types.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.aws.protocols import parse_request

SCALARS = ("byte", "short", "integer", "long", "float", "double", "boolean", "timestamp", "blob")
MEMBERS = {kind: {"shape": kind} for kind in SCALARS}
SHAPES: dict[str, Any] = {
    **{kind: {"type": kind} for kind in (*SCALARS, "string")},
    "In": {
        "type": "structure",
        "members": {
            **MEMBERS,
            "list": {"shape": "Strings"},
            "map": {"shape": "Map"},
            "union": {"shape": "Union"},
            "nested": {"shape": "Nested"},
            **{
                f"{kind}InQuery": {**MEMBERS[kind], "location": "querystring", "locationName": f"q-{kind}"}
                for kind in SCALARS
            },
            **{
                f"{kind}InHeader": {**MEMBERS[kind], "location": "header", "locationName": f"h-{kind}"}
                for kind in SCALARS
            },
            "json": {"shape": "string", "jsonvalue": True, "location": "header", "locationName": "h-json"},
        },
    },
    "Strings": {"type": "list", "member": {"shape": "string"}},
    "Map": {"type": "map", "key": {"shape": "string"}, "value": {"shape": "string"}},
    "Union": {
        "type": "structure",
        "union": True,
        "members": {"int": {"shape": "integer"}, "string": {"shape": "string"}},
    },
    "Nested": {"type": "structure", "members": {"int": {"shape": "integer"}}},
    **{
        f"{kind}Path": {
            "type": "structure",
            "members": {"p": {**MEMBERS[kind], "location": "uri", "locationName": "p"}},
        }
        for kind in SCALARS
    },
}
BEYOND = ["-9223372000000000000", "9223372000000000000", "123000000000000000000000"]
NO_INTEGERS = ["true", "1.001", "2ABC", "0x42", "Infinity", "-Infinity", "NaN", "1_000", "\uff11", ""]
NO_FLOATS = ["true", "2ABC", "0x42", "--1", "1e", "inf", "nan", "1_0.0"]
NO_BOOLEANS = ["0", "1", "yes", "no", "on", "Y", "t", "null", "truee"]
NO_TIMESTAMPS = [
    "true",
    "0x42",
    "1.5155311811e",
    "2000-01-32T00:00:00Z",
    "2000-13-01T00:00:00Z",
    "Tue, 99 Dec 2019 00:00:00 GMT",
    "Infinity",
    "NaN",
    "1985-04-12T23:20:50.52X",
    "1e400",
]
NO_BLOBS = ["blob=", "xyz=a", "YmxvYg=", "@hsdf"]
TEXTS: dict[str, list[str]] = {
    "byte": [*BEYOND, "128", "-129", *NO_INTEGERS],
    "short": [*BEYOND, "32768", "-32769", *NO_INTEGERS],
    "integer": [*BEYOND, "2147483648", "-2147483649", *NO_INTEGERS],
    "long": ["-184467440737095500000", "184467440737095500000", "9223372036854775808", *NO_INTEGERS],
    "float": NO_FLOATS,
    "double": NO_FLOATS,
    "boolean": NO_BOOLEANS,
    "timestamp": NO_TIMESTAMPS,
}
NOT_IN_BODY: dict[str, list[Any]] = {
    "byte": ["123", True, 1.001, 128, "NaN"],
    "short": ["123", True, 1.001, 32768],
    "integer": ["123", True, 1.001, 2147483648, 123000000000000000000000, "Infinity"],
    "long": ["123", True, 1.001, 9223372036854775808, 184467440737095500000],
    "float": ["123", True, "inf", "0x1", [1.0]],
    "double": ["123", True, "-inf", {}],
    "boolean": ["true", "false", "1", 1, 0, [True]],
    "timestamp": [True, "0x42", [0], {}, "2000-13-01T00:00:00Z", 1e300],
    "blob": ["blob=", 98, [98, 108], ["b", "l"], True, "xyz"],
    "list": [{"a": "b"}, "a", 1, [1], [["a"]]],
    "map": [["a"], "a", {"a": 1}, {"a": ["b"]}],
    "union": [{"int": 2, "string": "three"}, {"int": 2, "unknownField": "three"}, {"int": None}, {}, ["int"], "int"],
    "nested": [["int"], "int", 1, {"int": {}}],
}
NO_JSON = [
    b"{[",
    b'{ "integer": 10 }abc',
    b'abc{ "integer": 10 }',
    b'{ "integer": 10 // ten\n }',
    b'{ "integer": 10 /* ten */ }',
    b'{"integer" :\x0c10}',
    b"{'integer': 10}",
    b'{"integer": 10,}',
    b'{ "list": ["a", "b" }',
    b'{ "map": { null: "a" } }',
    b'{"integer": 0x42}',
    b'{"integer": 2ABC}',
    b'{"float": Infinity}',
    b'{"float": NaN}',
    b'{"integer": 01}',
    b'{"string": "\xff"}',
    b"[10]",
    b"10",
    b'"text"',
    b"null",
    b"\xef\xbb\xbf{}",
    b'{"integer": 1, "integer": 2}',
]


def service() -> Any:
    from botocore.model import ServiceModel

    operations = {
        "Do": {"name": "Do", "http": {"method": "POST", "requestUri": "/do"}, "input": {"shape": "In"}},
        **{
            f"Do{kind}": {
                "name": f"Do{kind}",
                "http": {"method": "POST", "requestUri": f"/{kind}/{{p}}"},
                "input": {"shape": f"{kind}Path"},
            }
            for kind in SCALARS
        },
    }
    metadata = {"protocol": "rest-json", "serviceId": "Invented", "endpointPrefix": "invented"}
    return ServiceModel(
        {"version": "2.0", "metadata": metadata, "operations": operations, "shapes": SHAPES}, "invented"
    )


MODEL = service()


def parse(operation: str, path: str, query: str = "", body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
    lines = Headers([("host", "h"), *(headers or {}).items()])
    return parse_request(
        MODEL, MODEL.operation_model(operation), "rest-json", HttpRequest("POST", path, query, lines, body)
    )


def refused(*arguments: Any, **more: Any) -> None:
    with pytest.raises(AwsError) as caught:
        parse(*arguments, **more)
    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)


def escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in TEXTS.items() for value in values])
def test_texts(kind: str, value: str) -> None:
    if value:
        refused(f"Do{kind}", f"/{kind}/{escaped(value)}")
        refused("Do", "/do", f"q-{kind}={escaped(value)}")
    refused("Do", "/do", headers={f"h-{kind}": value.encode().decode("latin-1")})


@pytest.mark.parametrize("value", NO_BLOBS)
def test_blobs_and_documents_in_headers(value: str) -> None:
    refused("Do", "/do", headers={"h-blob": value})
    refused("Do", "/do", headers={"h-json": value})


@pytest.mark.parametrize(
    ("member", "value"), [(kind, value) for kind, values in NOT_IN_BODY.items() for value in values]
)
def test_bodies(member: str, value: Any) -> None:
    refused("Do", "/do", body=json.dumps({member: value}).encode())


@pytest.mark.parametrize("body", NO_JSON)
def test_no_json(body: bytes) -> None:
    refused("Do", "/do", body=body)


def test_the_sound_ones_are_read() -> None:
    body = json.dumps(
        {"byte": -128, "long": 2**63 - 1, "float": "NaN", "union": {"int": 1}, "list": ["a"], "blob": "YQ=="}
    )
    seen = parse(
        "Do", "/do", "q-short=-32768&q-boolean=true", body.encode(), {"h-integer": "2147483647", "h-double": "-1.5e3"}
    )
    assert seen["shortInQuery"] == -32768
    assert seen["booleanInQuery"] is True
    assert (seen["integerInHeader"], seen["doubleInHeader"]) == (2147483647, -1500.0)
    assert (seen["byte"], seen["long"], seen["union"], seen["blob"]) == (-128, 2**63 - 1, {"int": 1}, b"a")
    assert parse("Dointeger", "/integer/-5") == {"p": -5}
