from __future__ import annotations

import pytest

KEYS = ["a", "b/1", "b/2", "b/sub/3", "c", "d/4", "é", "\U0001f525"]


@pytest.fixture
def filled(s3, bucket) -> str:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"12")
    return bucket


def entries(page) -> list[str]:
    found = [entry["Key"] for entry in page.get("Contents", [])]
    return sorted(found + [entry["Prefix"] for entry in page.get("CommonPrefixes", [])], key=str.encode)


@pytest.mark.parametrize("version", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_make_the_whole(s3, filled, version: str, size: int) -> None:
    def walk(**what) -> list[str]:
        pages = s3.get_paginator(version).paginate(Bucket=filled, PaginationConfig={"PageSize": size}, **what)
        return [entry for page in pages for entry in entries(page)]

    assert walk() == KEYS
    assert walk(Delimiter="/") == ["a", "b/", "c", "d/", "é", "\U0001f525"]
    assert walk(Prefix="b/") == ["b/1", "b/2", "b/sub/3"]
    assert walk(Prefix="b/", Delimiter="/") == ["b/1", "b/2", "b/sub/"]


def test_what_an_entry_says(s3, filled) -> None:
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=1, FetchOwner=True)
    entry = page["Contents"][0]
    head = s3.head_object(Bucket=filled, Key="a")
    assert {name: entry[name] for name in ("ETag", "LastModified", "Size", "StorageClass")} == {
        "ETag": head["ETag"],
        "LastModified": head["LastModified"],
        "Size": 2,
        "StorageClass": "STANDARD",
    }
    assert len(entry["Owner"]["ID"]) == 64
    assert entry["ChecksumAlgorithm"] == ["CRC32"]
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1, 1, True)
    assert "Owner" not in s3.list_objects_v2(Bucket=filled)["Contents"][0]


def test_where_a_listing_starts(s3, filled) -> None:
    assert entries(s3.list_objects_v2(Bucket=filled, StartAfter="b/2"))[0] == "b/sub/3"
    assert entries(s3.list_objects_v2(Bucket=filled, StartAfter="zzz")) == ["é", "\U0001f525"]
    first = s3.list_objects_v2(Bucket=filled, MaxKeys=2)
    following = s3.list_objects_v2(
        Bucket=filled, ContinuationToken=first["NextContinuationToken"], StartAfter="\U0001f525"
    )
    assert entries(following)[0] == "b/2"  # the token outweighs it
    marked = s3.list_objects(Bucket=filled, Marker="b/", Delimiter="/")
    assert entries(marked) == ["c", "d/", "é", "\U0001f525"]
    assert "NextMarker" not in s3.list_objects(Bucket=filled, MaxKeys=2)
    assert s3.list_objects(Bucket=filled, MaxKeys=2, Delimiter="/")["NextMarker"] == "b/"


def test_odd_arguments(s3, filled, refused) -> None:
    nothing = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert (entries(nothing), nothing["IsTruncated"]) == ([], False)
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000
    for bad in ({"MaxKeys": -1}, {"ContinuationToken": ""}, {"ContinuationToken": "made up"}, {"EncodingType": "xml"}):
        refusal = refused(s3.list_objects_v2, Bucket=filled, **bad)
        assert (refusal.code, refusal.status) == ("InvalidArgument", 400)
    assert refused(s3.list_objects_v2, Bucket="no-such-bucket").code == "NoSuchBucket"


def test_versions_are_all_null(s3, filled) -> None:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=filled, PaginationConfig={"PageSize": 3})
    found = [(v["Key"], v["VersionId"], v["IsLatest"]) for page in pages for v in page["Versions"]]
    assert found == [(key, "null", True) for key in KEYS]
