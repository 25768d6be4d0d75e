"""Event frames: bytes, checksums, and what botocore makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import EventStreamJSONParser
from hypothesis import given
from hypothesis import strategies as st
from spoken import invented, operation, request

from cloche.aws.errors import AwsError
from cloche.aws.protocols import eventstream, parse_request, serialize_response


def stream(events: list[Any]) -> AsyncIterator[Any]:
    async def give() -> AsyncIterator[Any]:
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event

    return give()


def answered(events: list[Any]) -> tuple[Any, bytes]:
    model, op = operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")
    result = {"Body": stream(events), "ContentType": "text/csv"}
    made = serialize_response(model, op, "rest-json", result, request(), "id")

    async def drain() -> bytes:
        return b"".join([chunk async for chunk in made.body])  # type: ignore[union-attr]

    return made, asyncio.run(drain())


def test_a_frame_to_the_byte() -> None:
    # smithy.io/2.0/aws/amazon-eventstream.html: an empty frame is 16 bytes with these two checksums.
    assert eventstream.encode_frame({}, b"").hex() == "000000100000000005c248eb7d98c8ff"


def test_botocore_reads_a_streamed_answer() -> None:
    made, data = answered([{"PayloadPart": {"Bytes": b"0.1\n"}}, {"PayloadPart": {"Bytes": b"\x00\xff" * 5_000}}])
    assert ("Content-Type", "application/vnd.amazon.eventstream") in made.headers
    assert ("X-Amzn-SageMaker-Content-Type", "text/csv") in made.headers
    _, op = operation("sagemaker-runtime", "InvokeEndpointWithResponseStream")
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    parser = EventStreamJSONParser()
    seen = [parser.parse(event.to_response_dict(), op.output_shape.members["Body"]) for event in buffer]
    assert seen == [{"PayloadPart": {"Bytes": b"0.1\n"}}, {"PayloadPart": {"Bytes": b"\x00\xff" * 5_000}}]


def test_a_failure_midway_is_the_last_frame() -> None:
    _, data = answered([{"PayloadPart": {"Bytes": b"a"}}, AwsError("ModelStreamError", "gone")])
    frames = list(eventstream.FrameDecoder().feed(data))
    assert frames[1].headers[":message-type"] == "exception"
    assert frames[1].headers[":exception-type"] == "ModelStreamError"
    assert frames[1].payload == b'{"Message":"gone"}'
    _, data = answered([AwsError("Odd", "x")])
    assert next(eventstream.FrameDecoder().feed(data)).headers == {
        ":message-type": "error",
        ":error-code": "Odd",
        ":error-message": "x",
    }


def test_an_event_has_one_declared_member() -> None:
    with pytest.raises(ValueError, match="exactly one member"):
        answered([{"Nope": {}}])


SPEECH = {
    "In": {"type": "structure", "members": {"Events": {"shape": "Events"}}, "payload": "Events"},
    "Events": {
        "type": "structure",
        "eventstream": True,
        "members": {"Audio": {"shape": "Audio"}, "Setting": {"shape": "Setting"}},
    },
    "Audio": {
        "type": "structure",
        "event": True,
        "members": {"Chunk": {"shape": "Blob", "eventpayload": True}, "Rate": {"shape": "Int", "eventheader": True}},
    },
    "Setting": {"type": "structure", "event": True, "members": {"Name": {"shape": "Text"}}},
    "Blob": {"type": "blob"},
    "Int": {"type": "integer"},
    "Text": {"type": "string"},
}


def heard(body: bytes) -> list[Any]:
    model, do = invented(SPEECH, "rest-json")
    events = parse_request(model, do, "rest-json", request(body=body))["Events"]

    async def drain() -> list[Any]:
        return [event async for event in events]

    return asyncio.run(drain())


def event(name: str, payload: bytes, **headers: Any) -> bytes:
    return eventstream.encode_frame({":message-type": "event", ":event-type": name, **headers}, payload)


def test_requests_that_are_events() -> None:
    frames = [event("Audio", b"\x00\x01", Rate=16_000), event("Setting", b'{"Name": "n"}'), event("Future", b"{}")]
    wrapped = eventstream.encode_frame({":chunk-signature": b"s"}, event("Setting", b'{"Name": "m"}'))
    assert heard(b"".join([*frames, wrapped])) == [
        {"Audio": {"Chunk": b"\x00\x01", "Rate": 16_000}},
        {"Setting": {"Name": "n"}},
        {"Setting": {"Name": "m"}},
    ]


@pytest.mark.parametrize(
    "body", [event("Setting", b"{}")[:-1], b"\x00" * 40, event("Setting", b"[1]"), event("Setting", b"{")]
)
def test_requests_that_are_no_events(body: bytes) -> None:
    with pytest.raises(AwsError) as refused:
        heard(body)
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


def test_envelopes_hold_no_envelopes() -> None:
    frame = event("Setting", b'{"Name": "deep"}')
    for _ in range(2_000):
        frame = eventstream.encode_frame({":chunk-signature": b"s"}, frame)
    assert heard(frame) == []


HEADERS = st.dictionaries(
    st.text("abc:-", min_size=1, max_size=8),
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=9) | st.text(max_size=9),
    max_size=4,
)


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=50)), max_size=4), st.integers(1, 7))
def test_frames_come_back_however_they_are_cut(frames: list[tuple[Any, bytes]], size: int) -> None:
    data = b"".join(eventstream.encode_frame(*frame) for frame in frames)
    decoder = eventstream.FrameDecoder()
    seen = [frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])]
    decoder.close()
    assert [(frame.headers, frame.payload) for frame in seen] == frames


@given(st.binary(min_size=1, max_size=20), st.data())
def test_any_flipped_bit_is_noticed(payload: bytes, data: st.DataObject) -> None:
    frame = bytearray(eventstream.encode_frame({":a": "b"}, payload))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    decoder = eventstream.FrameDecoder()
    with pytest.raises(eventstream.MalformedFrame):
        list(decoder.feed(bytes(frame)))
        decoder.close()


@given(st.binary(max_size=80))
def test_noise_is_malformed_or_unfinished(data: bytes) -> None:
    try:
        list(eventstream.FrameDecoder().feed(data))
    except eventstream.MalformedFrame:
        pass
