"""Images that were put into the layout by name, without the registry, are seen in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from image_pushing import OCI_MANIFEST, RegistryClient, SmallImage, described

from cloche.compute.images.store import BlobStore
from server_process import ServerProcess


def load(store: BlobStore, image: SmallImage, reference: str) -> None:
    """As ``cloche images load`` leaves it."""
    for content in (*image.layers, image.config, image.manifest):
        store.write([content])
    index = store.root / "index.json"
    held = json.loads(index.read_text())
    entry = {**described(image.manifest, OCI_MANIFEST), "annotations": {"org.opencontainers.image.ref.name": reference}}
    held["manifests"].append(entry)
    index.write_text(json.dumps(held))


def test_a_loaded_image_is_in_its_repository(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    server.stop()
    store, image = BlobStore(server.data / "registry"), SmallImage("loaded")
    load(store, image, "mine/loaded:1.0")
    load(store, SmallImage("odd"), "no reference")
    server.start()
    ecr, deadline = server.client("ecr"), time.monotonic() + 30
    while not ecr.describe_repositories()["repositories"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ecr.list_images(repositoryName="mine/loaded")["imageIds"] == [
        {"imageDigest": image.digest, "imageTag": "1.0"}
    ]
    pulled = RegistryClient(server).ask("GET", "/v2/mine/loaded/manifests/1.0")
    assert pulled.body == image.manifest
    ecr.delete_repository(repositoryName="mine/loaded", force=True)
    server.stop()
    server.start()
    server.client("ecr").create_repository(repositoryName="later")
    found = server.client("ecr").describe_repositories()["repositories"]
    assert [each["repositoryName"] for each in found] == ["later"], "what was deleted stays deleted"
    assert all(store.has(described(layer, "x/y")["digest"]) for layer in image.layers), "and can still be run by name"


def test_an_index_that_is_none_stops_nothing(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    assert server.client("ecr").describe_repositories()["repositories"] == []
    (server.data / "registry" / "index.json").write_text('{"manifests": [7]}')
    server.turn_clock("advance", "1m")
    assert server.client("ecr").describe_repositories()["repositories"] == []
