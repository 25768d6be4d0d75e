"""What time does to images: tokens end, lifecycle policies let go, layers that nobody needs give back the disk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from image_pushing import RegistryClient, SmallImage, digest_of

from server_process import ServerProcess


def policy(**selection: Any) -> str:
    rule = {"rulePriority": 1, "description": "of a test", "selection": selection, "action": {"type": "expire"}}
    return json.dumps({"rules": [rule]}, indent=1)


def test_a_token_is_good_for_twelve_hours(still_server: ServerProcess) -> None:
    registry = RegistryClient(still_server)
    assert registry.ask("GET", "/v2/").status == 200
    still_server.turn_clock("advance", "12h")
    ended = registry.ask("GET", "/v2/")
    assert (ended.status, ended.code) == (403, "DENIED")
    assert ended.json["errors"][0]["message"].startswith("Your authorization token has expired.")


def test_a_policy_lets_images_go(still_server: ServerProcess) -> None:
    ecr, registry, name = still_server.client("ecr"), RegistryClient(still_server), "time/policy"
    ecr.create_repository(repositoryName=name)
    images = [SmallImage(f"{name} {number}") for number in range(3)]
    for number, image in enumerate(images):
        registry.push(name, image, f"v{number}")
        still_server.turn_clock("advance", "1h")
    text = policy(tagStatus="tagged", tagPrefixList=["v"], countType="imageCountMoreThan", countNumber=1)
    previewed = ecr.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=text)
    assert previewed["status"] == "COMPLETE"
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=name)
    preview = ecr.get_lifecycle_policy_preview(repositoryName=name)
    assert [each["imageTags"] for each in preview["previewResults"]] == [["v0"], ["v1"]]
    assert preview["previewResults"][0]["action"] == {"type": "EXPIRE"}
    assert preview["summary"] == {"expiringImageTotalCount": 2}
    page = ecr.get_lifecycle_policy_preview(repositoryName=name, maxResults=1)
    rest = ecr.get_lifecycle_policy_preview(repositoryName=name, maxResults=1, nextToken=page["nextToken"])
    assert page["previewResults"] + rest["previewResults"] == preview["previewResults"]
    with pytest.raises(ClientError, match="LifecyclePolicyNotFoundException"):
        ecr.get_lifecycle_policy(repositoryName=name)
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
    still_server.turn_clock("advance", "23h")
    assert len(ecr.describe_images(repositoryName=name)["imageDetails"]) == 3
    still_server.turn_clock("advance", "1h")
    (kept,) = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert kept["imageTags"] == ["v2"]
    assert "lastEvaluatedAt" in ecr.get_lifecycle_policy(repositoryName=name)
    assert ecr.delete_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == text
    with pytest.raises(ClientError, match="Lifecycle policy validation failure"):
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text.replace("tagged", "togged"))


def test_layers_that_nobody_needs_are_collected(still_server: ServerProcess) -> None:
    ecr, registry = still_server.client("ecr"), RegistryClient(still_server)
    names, image = ("time/one", "time/two"), SmallImage("time/shared")
    for name in names:
        ecr.create_repository(repositoryName=name)
        registry.push(name, image, "1")
    stray = digest_of(b"never in an image")
    registry.push_blob(names[0], b"never in an image")
    blobs = still_server.data / "registry" / "blobs" / "sha256"
    layer = blobs / digest_of(image.layers[0])[7:]
    ecr.batch_delete_image(repositoryName=names[0], imageIds=[{"imageDigest": image.digest}])
    still_server.turn_clock("advance", "23h")
    registry = RegistryClient(still_server)
    assert registry.ask("HEAD", f"/v2/{names[0]}/blobs/{digest_of(image.layers[0])}").status == 200, "and is kept on"
    still_server.turn_clock("advance", "2h")
    registry = RegistryClient(still_server)
    assert not (blobs / stray[7:]).exists()
    assert registry.ask("HEAD", f"/v2/{names[0]}/blobs/{digest_of(image.layers[1])}").status == 404
    assert layer.exists(), "the other repository needs it"
    waiting = registry.upload(names[0])  # somebody is pushing
    still_server.turn_clock("advance", "23h")
    registry = RegistryClient(still_server)
    assert registry.ask("HEAD", f"/v2/{names[0]}/blobs/{digest_of(image.layers[0])}").status == 200
    ecr.delete_repository(repositoryName=names[1], force=True)
    still_server.turn_clock("advance", "25h")
    assert not layer.exists()
    assert RegistryClient(still_server).ask("GET", waiting).code == "BLOB_UPLOAD_UNKNOWN", "it ended after a day"
    left = {path.name for path in blobs.iterdir()}
    assert left.isdisjoint({digest_of(each)[7:] for each in (image.config, *image.layers)})
