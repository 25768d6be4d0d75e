"""Images and layers through ECR's own operations, beside the registry protocol over the same rows."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from image_pushing import OCI_INDEX, OCI_MANIFEST, RegistryClient, SmallImage, described, digest_of

from server_process import ACCOUNT, ServerProcess

MIB = 1024 * 1024


@pytest.fixture
def ecr(client: Callable[..., Any]) -> Any:
    return client("ecr")


@pytest.fixture
def name(ecr: Any, request: pytest.FixtureRequest) -> str:
    made = "images/" + request.node.name.removeprefix("test_").replace("_", "-")
    ecr.create_repository(repositoryName=made)
    return made


def code_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def test_what_is_told_of_images(ecr: Any, name: str, server: ServerProcess) -> None:
    registry, images = RegistryClient(server), [SmallImage(f"{name} {number}") for number in range(3)]
    for number, image in enumerate(images):
        registry.push(name, image, str(number))
    registry.put_manifest(name, images[0].manifest, "more")
    registry.put_manifest(name, images[1].manifest, "2")  # leaves the third without a tag
    listed = ecr.list_images(repositoryName=name)["imageIds"]
    assert {(each["imageDigest"], each.get("imageTag")) for each in listed} == {
        (images[0].digest, "0"),
        (images[0].digest, "more"),
        (images[1].digest, "1"),
        (images[1].digest, "2"),
        (images[2].digest, None),
    }
    pages = ecr.get_paginator("list_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 2})
    assert [each for page in pages for each in page["imageIds"]] == listed
    untagged = ecr.list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert untagged == [{"imageDigest": images[2].digest}]
    details = ecr.get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 1})
    found = {each["imageDigest"]: each for page in details for each in page["imageDetails"]}
    assert list(found) == [each.digest for each in images], "in the order they came"
    first = found[images[0].digest]
    assert first["imageTags"] == ["0", "more"]
    assert first["imageSizeInBytes"] == sum(map(len, (images[0].config, *images[0].layers)))
    assert first["imageManifestMediaType"] == OCI_MANIFEST
    assert "lastRecordedPullTime" not in first
    registry.ask("GET", f"/v2/{name}/manifests/0")
    registry.upload(name)  # a pull is written in its time, and this after it
    (again,) = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "more"}])["imageDetails"]
    assert again["lastRecordedPullTime"] >= again["imagePushedAt"]
    tagged = ecr.describe_images(repositoryName=name, filter={"tagStatus": "TAGGED"})["imageDetails"]
    assert {each["imageDigest"] for each in tagged} == {images[0].digest, images[1].digest}
    with pytest.raises(ClientError) as error:
        ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "none"}])
    assert error.value.response["Error"]["Message"] == (
        f"The image with imageId {{imageDigest:'null', imageTag:'none'}} does not exist within the repository with name"
        f" '{name}' in the registry with id '{ACCOUNT}'"
    )


def test_put_image_tags_what_is_there(ecr: Any, name: str, server: ServerProcess) -> None:
    """The way to retag an image (userguide/image-retag.html): its own manifest under another tag."""
    registry, image = RegistryClient(server), SmallImage(name)
    registry.push(name, image, "1")
    got = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "1"}])["images"][0]
    put = ecr.put_image(repositoryName=name, imageTag="2", imageManifest=got["imageManifest"])["image"]
    assert put["imageId"] == {"imageDigest": image.digest, "imageTag": "2"}
    again = {"repositoryName": name, "imageManifest": got["imageManifest"]}
    assert code_of(ecr.put_image, **again, imageTag="2") == "ImageAlreadyExistsException"
    assert code_of(ecr.put_image, **again) == "ImageAlreadyExistsException"
    wrong = {**again, "imageDigest": "sha256:" + "0" * 64}
    assert code_of(ecr.put_image, **wrong) == "InvalidParameterException"
    assert code_of(ecr.put_image, **{**again, "imageManifest": "{}"}) == "InvalidParameterException"
    other = SmallImage(f"{name} other").manifest.decode()
    assert code_of(ecr.put_image, repositoryName=name, imageManifest=other) == "LayersNotFoundException"
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [described(other.encode(), OCI_MANIFEST)]}
    missing = {"repositoryName": name, "imageManifest": json.dumps(index)}
    assert code_of(ecr.put_image, **missing) == "ReferencedImagesNotFoundException"


def test_batches_tell_of_each(ecr: Any, name: str, server: ServerProcess) -> None:
    registry, one, two = RegistryClient(server), SmallImage(f"{name} one"), SmallImage(f"{name} two")
    registry.push(name, one, "1")
    registry.push(name, two, "2")
    registry.put_manifest(name, one.manifest, "one")
    index = json.dumps({"schemaVersion": 2, "manifests": [described(two.manifest, OCI_MANIFEST)]}).encode()
    assert registry.put_manifest(name, index, "list", OCI_INDEX).status == 201
    asked = [
        {"imageTag": "1"},
        {"imageTag": "none"},
        {"imageDigest": "x"},
        {"imageTag": "2", "imageDigest": one.digest},
        {},
        {"imageTag": "!"},
    ]
    got = ecr.batch_get_image(repositoryName=name, imageIds=asked)
    assert [each["imageManifest"].encode() for each in got["images"]] == [one.manifest]
    assert [each["failureCode"] for each in got["failures"]] == [
        "ImageNotFound",
        "InvalidImageDigest",
        "ImageTagDoesNotMatchDigest",
        "MissingDigestAndTag",
        "InvalidImageTag",
    ]
    picky = ecr.batch_get_image(repositoryName=name, imageIds=asked[:1], acceptedMediaTypes=[OCI_INDEX])
    assert (picky["images"], picky["failures"][0]["failureCode"]) == ([], "ImageNotFound")
    gone = ecr.batch_delete_image(
        repositoryName=name, imageIds=[{"imageTag": "1"}, {"imageTag": "one"}, {"imageDigest": two.digest}]
    )
    assert gone["imageIds"] == [
        {"imageDigest": one.digest, "imageTag": "1"},
        {"imageDigest": one.digest, "imageTag": "one"},
    ]
    assert gone["failures"][0]["failureCode"] == "ImageReferencedByManifestList"
    assert registry.ask("GET", f"/v2/{name}/manifests/{one.digest}").status == 404, "it went with its last tag"


def test_layers_in_parts(ecr: Any, name: str, server: ServerProcess) -> None:
    content = bytes(range(256)) * (6 * MIB // 256) + b"the end"
    digest, half = digest_of(content), 5 * MIB
    begun = ecr.initiate_layer_upload(repositoryName=name)
    upload = {"repositoryName": name, "uploadId": begun["uploadId"]}
    assert begun["partSize"] == 10 * MIB
    complete = {**upload, "layerDigests": [digest]}
    assert code_of(ecr.complete_layer_upload, **complete) == "EmptyUploadException"
    first = {**upload, "partFirstByte": 0, "partLastByte": half - 1, "layerPartBlob": content[:half]}
    assert ecr.upload_layer_part(**first)["lastByteReceived"] == half - 1
    with pytest.raises(ClientError) as error:
        ecr.upload_layer_part(**first)
    assert error.value.response["Error"]["Code"] == "InvalidLayerPartException"
    assert error.value.response["lastValidByteReceived"] == half - 1
    last = {"partFirstByte": half, "partLastByte": len(content) - 1, "layerPartBlob": content[half:]}
    ecr.upload_layer_part(**upload, **last)
    wrong = {**upload, "layerDigests": ["sha256:" + "0" * 64]}
    assert code_of(ecr.complete_layer_upload, **wrong) == "InvalidLayerException"
    assert ecr.complete_layer_upload(**complete)["layerDigest"] == digest
    assert code_of(ecr.complete_layer_upload, **complete) == "UploadNotFoundException"
    checked = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest, "x:0", digest_of(b"")])
    assert (checked["layers"][0]["layerSize"], checked["layers"][0]["layerAvailability"]) == (len(content), "AVAILABLE")
    assert [each["failureCode"] for each in checked["failures"]] == ["InvalidLayerDigest", "MissingLayerDigest"]
    again = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    for start in (0, 1):
        part = {"partFirstByte": start, "partLastByte": start, "layerPartBlob": b"x"}
        ecr.upload_layer_part(repositoryName=name, uploadId=again, **part)
    short = {"repositoryName": name, "uploadId": again, "layerDigests": [digest_of(b"xx")]}
    assert code_of(ecr.complete_layer_upload, **short) == "LayerPartTooSmallException"
    assert RegistryClient(server).ask("GET", f"/v2/{name}/blobs/{digest}", range="bytes=-7").body == b"the end"


def test_the_largest_part_and_no_larger(ecr: Any, name: str) -> None:
    upload = {"repositoryName": name, "uploadId": ecr.initiate_layer_upload(repositoryName=name)["uploadId"]}
    most = 20_971_520
    sent = ecr.upload_layer_part(**upload, partFirstByte=0, partLastByte=most - 1, layerPartBlob=bytes(most))
    assert sent["lastByteReceived"] == most - 1


def test_a_link_to_a_layer(ecr: Any, name: str, server: ServerProcess) -> None:
    registry, image = RegistryClient(server), SmallImage(name)
    digest = registry.push_blob(name, image.layers[0])
    asked = {"repositoryName": name, "layerDigest": digest}
    assert code_of(ecr.get_download_url_for_layer, **asked) == "LayerInaccessibleException"
    registry.push(name, image, "1")
    url = ecr.get_download_url_for_layer(**asked)["downloadUrl"]
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == image.layers[0]
    other = hashlib.sha256(b"").hexdigest()
    for changed in (url[:-1], url.replace(digest[7:], other), url.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(changed)
    assert code_of(ecr.get_download_url_for_layer, **{**asked, "layerDigest": f"sha256:{other}"}) == (
        "LayersNotFoundException"
    )


def test_referrers_by_the_api(ecr: Any, name: str, server: ServerProcess) -> None:
    registry, subject = RegistryClient(server), SmallImage(name)
    registry.push(name, subject, "1")
    for kind in ("application/x.a", "application/x.b"):
        members = {"subject": described(subject.manifest, OCI_MANIFEST), "artifactType": kind}
        registry.push(name, SmallImage(f"{name} {kind}", members))
    asked = {"repositoryName": name, "subjectId": {"imageDigest": subject.digest}}
    assert len(ecr.list_image_referrers(**asked)["referrers"]) == 2
    (found,) = ecr.list_image_referrers(**asked, filter={"artifactTypes": ["application/x.b"]})["referrers"]
    assert (found["artifactType"], found["artifactStatus"]) == ("application/x.b", "ACTIVE")
    page = ecr.list_image_referrers(**asked, maxResults=1)
    further = ecr.list_image_referrers(**asked, maxResults=1, nextToken=page["nextToken"])
    assert {page["referrers"][0]["artifactType"], further["referrers"][0]["artifactType"]} == {
        "application/x.a",
        "application/x.b",
    }
    assert "nextToken" not in further
