"""What a processing job finds of its inputs: which objects, as which files, and what it may do to them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from processing_requests import BUCKET, ML, Bench, sink, source

LARGE = b"0123456789abcdef" * (1 << 17)
"""Two MiB: a hard link."""


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def test_a_job_may_write_beside_its_inputs_but_not_through_them(bench: Bench) -> None:
    bench.put("in/mixed/small", "small")
    bench.put("in/mixed/deep/large", LARGE)
    job = bench.run(
        "writes-inputs",
        f"cd {ML}/input/data; echo mine > beside; echo more >> small; cat small; wc -c < deep/large;"
        " chmod u+w deep/large; echo x >> deep/large; rm -f deep/large; ls deep; touch deep/beside && echo written",
        ProcessingInputs=[source("data", "in/mixed/")],
    )
    assert job["ProcessingJobStatus"] == "Completed", job
    said = bench.lines("writes-inputs")
    assert [said[0], said[1]] == ["smallmore", str(len(LARGE))]
    assert sum("Read-only file system" in line for line in said) >= 1
    assert said[-2:] == ["large", "written"]
    assert bench.get("in/mixed/small") == b"small"
    assert bench.get("in/mixed/deep/large") == LARGE


def test_an_input_of_many_large_files_is_read_only(bench: Bench) -> None:
    bench.put("in/many/first", LARGE)
    for number in range(65):
        bench.s3.copy_object(
            Bucket=BUCKET, Key=f"in/many/sub/{number:02}", CopySource={"Bucket": BUCKET, "Key": "in/many/first"}
        )
    bench.put("in/within/x", "within")
    job = bench.run(
        "many-inputs",
        f"ls {ML}/input/data/sub | wc -l; touch {ML}/input/data/beside; cat {ML}/input/data/more/x;"
        f" touch {ML}/input/data/more/y && echo written",
        ProcessingInputs=[source("data", "in/many/"), source("more", "in/within/", f"{ML}/input/data/more")],
    )
    assert job["ProcessingJobStatus"] == "Completed", job
    said = bench.lines("many-inputs")
    assert said[0] == "65"
    assert "Read-only file system" in said[1]
    assert said[2] == "withinwritten"


def test_an_input_within_another(bench: Bench) -> None:
    bench.put("in/outer/a", "a")
    bench.put("in/inner/b", "b")
    bench.run(
        "nested",
        f"find {ML}/input/outer -type f | sort",
        ProcessingInputs=[source("inner", "in/inner/", f"{ML}/input/outer/inner/"), source("outer", "in/outer/")],
    )
    assert bench.lines("nested") == [f"{ML}/input/outer/a", f"{ML}/input/outer/inner/b"]


def test_a_manifest_names_the_objects(bench: Bench) -> None:
    bench.put("in/listed/x/1", "1")
    bench.put("in/listed/x/2", "2")
    bench.put("in/manifest", json.dumps([{"prefix": f"s3://{BUCKET}/in/listed/"}, "x/2"]))
    bench.run(
        "manifest",
        f"find {ML}/input/rows -type f",
        ProcessingInputs=[source("rows", "in/manifest", S3DataType="ManifestFile")],
    )
    assert bench.lines("manifest") == [f"{ML}/input/rows/x/2"]


def test_pipes_stream_and_unzip(bench: Bench) -> None:
    bench.put("in/piped/1", gzip.compress(b"one\n"))
    bench.put("in/piped/2", gzip.compress(b"two\n"))
    bench.run(
        "pipes",
        f"cat {ML}/input/stream_0; cat {ML}/input/stream_1",
        ProcessingInputs=[
            source("x/../y", "in/piped/", f"{ML}/input/stream", S3InputMode="Pipe", S3CompressionType="Gzip")
        ],
    )
    assert bench.lines("pipes") == ["one", "two", "one", "two"]


def test_what_the_application_manages_is_told_and_left_alone(bench: Bench) -> None:
    managed = {**source("its", "nothing/is/there/"), "AppManaged": True}
    target = {**sink("its", "out/managed"), "AppManaged": True}
    job = bench.run(
        "managed",
        f"ls {ML}/input {ML}; grep -o '\"AppManaged\": true' /opt/ml/config/processingjobconfig.json | wc -l",
        ProcessingInputs=[managed],
        ProcessingOutputConfig={"Outputs": [target]},
    )
    assert job["ProcessingJobStatus"] == "Completed"
    assert bench.lines("managed")[-1] == "2"
    assert not any("its" in line or "output" in line for line in bench.lines("managed"))


def test_objects_that_go_before_they_are_fetched(bench: Bench) -> None:
    bench.put("in/vanishing", json.dumps([{"prefix": f"s3://{BUCKET}/in/no/"}, "such"]))
    inputs = [source("rows", "in/vanishing", S3DataType="ManifestFile")]
    job = bench.run("vanished", ProcessingInputs=inputs)
    assert job["FailureReason"] == f"ClientError: Data download failed: s3://{BUCKET}/in/no/such is not there"


@pytest.mark.parametrize(("name", "rest"), [("up", "../x"), ("here", "a/./x")])
def test_keys_that_no_file_can_have(bench: Bench, name: str, rest: str) -> None:
    bench.put(f"in/odd/{rest}", "1")
    bench.put(f"in/odd-keys-{name}", json.dumps([{"prefix": f"s3://{BUCKET}/in/odd/"}, rest]))
    inputs = [source("rows", f"in/odd-keys-{name}", S3DataType="ManifestFile")]
    job = bench.run(f"odd-key-{name}", ProcessingInputs=inputs)
    assert job["FailureReason"].endswith("cannot be a file name"), job


def test_a_file_where_a_folder_is_wanted(bench: Bench) -> None:
    bench.put("in/clash/more", "a file")
    bench.put("in/clashing/x", "1")
    job = bench.run(
        "clash", ProcessingInputs=[source("a", "in/clash/"), source("b", "in/clashing/", f"{ML}/input/a/more")]
    )
    assert job["FailureReason"].startswith("ClientError: Data download failed: a file of an input is where a folder")
