"""A page's entries are one text each: it must be what the codec would have made of the same entries as members."""

from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.model.load import service_model
from cloche.aws.protocols import serialize_response
from cloche.services.s3.list_entries import Entries
from cloche.services.s3.paging import KeyEncoding
from cloche.storage.objects import Details, Listed

KEYS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
SUMS = st.dictionaries(st.sampled_from(["CRC32", "SHA256", "CRC64NVME"]), st.just("AAAA"), max_size=2)
MOMENTS = st.one_of(st.floats(0, 4e9), st.integers(0, 4_000_000_000).map(lambda second: second + 0.9999997))
DETAILS = st.builds(
    Details,
    metadata=st.just({"a": "b"}),
    storage_class=st.sampled_from(["STANDARD", "GLACIER_IR"]),
    checksums=SUMS,
    checksum_type=st.sampled_from(["", "FULL_OBJECT", "COMPOSITE"]),
    owner=st.sampled_from(["", "222222222222"]),
)
LISTED = st.builds(
    Listed, KEYS, st.integers(0, 2**43), st.sampled_from(["0cc1", "0cc1-3"]), MOMENTS, DETAILS.map(Details.to_json)
)


def written(contents: object) -> bytes:
    model = service_model("s3")
    request = HttpRequest("GET", "/bucket", "list-type=2", Headers.received([]), b"")
    answer = serialize_response(
        model,
        model.operation_model("ListObjectsV2"),
        "rest-xml",
        {"Name": "bucket", "Contents": contents},
        request,
        "1",
    )
    assert isinstance(answer.body, bytes)
    return answer.body


def owner(account: str) -> dict[str, str]:
    return {"ID": f"id of {account}", "DisplayName": "A & B"}


@settings(max_examples=60)
@given(st.lists(LISTED, max_size=4), st.sampled_from([None, "url"]), st.booleans())
def test_the_text_is_what_the_codec_writes(listed: list[Listed], encoding: str | None, owners: bool) -> None:
    entries = Entries(listed, KeyEncoding({"EncodingType": encoding}), owner if owners else None)
    assert written(entries) == written(list(entries))
    assert len(entries) == len(listed)
    assert entries[:2] == list(entries)[:2]


def test_only_what_differs_from_the_usual_is_in_a_row() -> None:
    """The text leaves out parsing ``Details``; this is what it relies on."""
    assert orjson.loads(Details().to_json()) == {}
    assert orjson.loads(Details(storage_class="STANDARD", owner="", checksums={}).to_json()) == {}
