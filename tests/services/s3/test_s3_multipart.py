from __future__ import annotations

import hashlib
import io
import os

import pytest
from boto3.s3.transfer import TransferConfig

MIB = 1024 * 1024


def send(s3, bucket: str, upload: str, bodies: dict[int, bytes], **more) -> list[dict[str, object]]:
    sent = []
    for number, body in bodies.items():
        part = s3.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=number, Body=body, **more)
        sent.append({"PartNumber": number, "ETag": part["ETag"]})
    return sent


def test_the_parts_become_the_object(s3, bucket, refused) -> None:
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="key", ContentType="text/csv", Metadata={"a": "b"}, Tagging="t=1"
    )["UploadId"]
    bodies = {1: os.urandom(5 * MIB), 2: os.urandom(5 * MIB + 1), 4: b"tail"}
    sent = send(s3, bucket, upload, bodies)
    listed = s3.list_parts(Bucket=bucket, Key="key", UploadId=upload, MaxParts=2)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(1, 5 * MIB), (2, 5 * MIB + 1)]
    assert (listed["IsTruncated"], listed["NextPartNumberMarker"]) == (True, 2)
    assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    done = s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": sent})
    digests = b"".join(hashlib.md5(body).digest() for body in bodies.values())
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    got = s3.get_object(Bucket=bucket, Key="key")
    assert got["Body"].read() == b"".join(bodies.values())
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/csv", {"a": "b"}, 1)
    second = s3.get_object(Bucket=bucket, Key="key", PartNumber=2)
    assert second["Body"].read() == bodies[2]
    assert (second["PartsCount"], second["ContentRange"]) == (
        3,
        f"bytes {5 * MIB}-{10 * MIB}/{10 * MIB + 5}",
    )
    assert refused(s3.get_object, Bucket=bucket, Key="key", PartNumber=4).status == 416
    parts = s3.get_object_attributes(Bucket=bucket, Key="key", ObjectAttributes=["ObjectParts", "ObjectSize"])
    assert (parts["ObjectParts"]["TotalPartsCount"], parts["ObjectSize"]) == (3, 10 * MIB + 5)
    assert refused(s3.list_parts, Bucket=bucket, Key="key", UploadId=upload).code == "NoSuchUpload"
    again = s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": sent})
    assert again["ETag"] == done["ETag"]  # a client that lost the answer asks again
    s3.put_object(Bucket=bucket, Key="key", Body=b"other")
    lost = refused(
        s3.complete_multipart_upload, Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": sent}
    )
    assert lost.code == "NoSuchUpload"


def test_completions_that_are_refused(s3, bucket, refused) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    sent = send(s3, bucket, upload, {1: b"small", 2: b"small too"})

    def complete(parts, **more):
        return refused(
            s3.complete_multipart_upload,
            Bucket=bucket,
            Key="key",
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            **more,
        )

    small = complete(sent)
    assert (small.code, small.fields["ProposedSize"], small.fields["PartNumber"]) == ("EntityTooSmall", "5", "1")
    assert complete([{"PartNumber": 1, "ETag": '"nonsense"'}]).code == "InvalidPart"
    assert complete([{"PartNumber": 3, "ETag": sent[0]["ETag"]}]).code == "InvalidPart"
    assert complete(sent[::-1]).code == "InvalidPartOrder"
    assert complete([]).code == "MalformedXML"
    assert complete(sent[:1], MpuObjectSize=6).code == "InvalidRequest"
    s3.put_object(Bucket=bucket, Key="key", Body=b"there")
    assert complete(sent[:1], IfNoneMatch="*").code == "PreconditionFailed"
    s3.complete_multipart_upload(
        Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": sent[:1]}, MpuObjectSize=5
    )
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"small"


def test_an_aborted_upload_is_gone(s3, bucket, refused) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    send(s3, bucket, upload, {1: b"x"})
    s3.abort_multipart_upload(Bucket=bucket, Key="key", UploadId=upload)
    for call in (s3.list_parts, s3.abort_multipart_upload):
        assert refused(call, Bucket=bucket, Key="key", UploadId=upload).code == "NoSuchUpload"
    refusal = refused(s3.upload_part, Bucket=bucket, Key="key", UploadId=upload, PartNumber=1, Body=b"")
    assert (refusal.code, refusal.status) == ("NoSuchUpload", 404)


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers(s3, bucket, refused, number: int) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    refusal = refused(s3.upload_part, Bucket=bucket, Key="key", UploadId=upload, PartNumber=number, Body=b"")
    assert (refusal.code, refusal.message) == (
        "InvalidArgument",
        "Part number must be an integer between 1 and 10000, inclusive",
    )


def test_parts_copied_from_an_object(s3, bucket, refused) -> None:
    data = os.urandom(6 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=data)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    source = {"Bucket": bucket, "Key": "source"}
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload, "CopySource": source}
    first = s3.upload_part_copy(**where, PartNumber=1)["CopyPartResult"]
    second = s3.upload_part_copy(**where, PartNumber=2, CopySourceRange="bytes=10-19")["CopyPartResult"]
    for bad in ("bytes=0-", "0-3", f"bytes=0-{6 * MIB}"):
        refusal = refused(s3.upload_part_copy, **where, PartNumber=3, CopySourceRange=bad)
        assert (refusal.code, refusal.status) == ("InvalidArgument", 400)
    parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": second["ETag"]}]
    s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == data + data[10:20]


def test_uploads_are_listed_by_pages_and_prefixes(s3, bucket) -> None:
    made = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("b", "a/1", "b", "é ?")]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    found = [
        entry
        for page in pages
        for entry in [u["UploadId"] for u in page.get("Uploads", [])]
        + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    ]
    assert found == ["a/", made[0], made[2], made[3]]


def test_boto3s_own_transfers(s3, bucket, tmp_path) -> None:
    data = os.urandom(11 * MIB)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    for algorithm in ("CRC32", "SHA256"):
        s3.upload_fileobj(io.BytesIO(data), bucket, "key", ExtraArgs={"ChecksumAlgorithm": algorithm}, Config=config)
        head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
        assert (head["ChecksumType"], head[f"Checksum{algorithm}"][-2:]) == ("COMPOSITE", "-3")
        s3.download_file(bucket, "key", str(tmp_path / "got"), Config=config)
        assert (tmp_path / "got").read_bytes() == data
        s3.copy({"Bucket": bucket, "Key": "key"}, bucket, "copied", Config=config)
        assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == data
