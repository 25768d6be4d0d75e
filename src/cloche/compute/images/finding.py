"""Which image of the user's own an address means.

    <account>.dkr.ecr.<region>.amazonaws.com/<name>[:tag][@sha256:…]    a repository of the registry, or a loaded image
    <name>[:tag]                                                        an image loaded by ``cloche images load``

What is found is named by its digest from then on: a tag may move while an endpoint runs.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloche.compute.images.bounds import Bounds
from cloche.compute.images.loaded import LATEST, LoadedImages, parse_name
from cloche.compute.images.manifest import digests_in, is_index, parse_document, read_manifest
from cloche.compute.images.store import BlobStore
from cloche.foundation.errors import Invalid
from cloche_jobs import catalog

_ECR: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]{1,32})\.amazonaws\.com(?:\.cn)?"
    r"/(?P<name>[a-z0-9._/-]{1,256})(?::(?P<tag>[A-Za-z0-9_.-]{1,128}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class ManifestFound:
    """What a registry has under a tag or digest: the document as it was pushed."""

    digest: str
    media_type: str
    content: bytes


Registry = Callable[[str, str, str, str], ManifestFound | None]
"""(account, region, repository, tag or digest) → what is there."""


@dataclass(frozen=True, slots=True)
class Address:
    """``account`` and ``region`` are empty for a name alone. ``reference`` is a tag or a digest."""

    account: str
    region: str
    name: str
    reference: str


def parse_address(uri: str) -> Address | None:
    """``None`` for what is neither an address in Amazon ECR nor a plain name."""
    match = _ECR.fullmatch(uri)
    if match is not None:
        return Address(match["account"], match["region"], match["name"], match["digest"] or match["tag"] or LATEST)
    try:
        name, tag = parse_name(uri)
    except Invalid:
        return None
    return Address("", "", name, tag)


class ImageFinder:
    """``account`` is the one that loaded images belong to. ``registry`` is set once there is one."""

    def __init__(self, store: BlobStore, account: str, bounds: Bounds | None = None) -> None:
        self.store = store
        self._layers_max = (bounds or Bounds()).layers
        self.loaded = LoadedImages(store)
        self.account = account
        self.registry: Registry = lambda account, region, repository, reference: None

    def find(self, address: Address) -> catalog.Image | None:
        """The image as it is now, known to be whole and of this machine's kind. Raises ``NotFound``, ``Invalid`` and
        ``NotSupported`` for one that is there and cannot run."""
        digest = self._pushed(address) if address.account else None
        if digest is None and address.account in ("", self.account):
            loaded = self.loaded.find(address.name, address.reference)
            digest = loaded.digest if loaded is not None else None
        if digest is None:
            return None
        return catalog.own_image(
            read_manifest(self.store, digest, self._layers_max).digest, address.name, address.reference
        )

    def _pushed(self, address: Address) -> str | None:
        """Manifests are the registry's rows; those of an image that is to run are put beside its blobs."""
        found = self.registry(address.account, address.region, address.name, address.reference)
        if found is None:
            return None
        self._keep(found)
        document = parse_document(found.content, found.digest)
        if is_index(document):
            for digest in digests_in(document):
                each = self.registry(address.account, address.region, address.name, digest)
                if each is not None:
                    self._keep(each)
        return found.digest

    def _keep(self, found: ManifestFound) -> None:
        if not self.store.has(found.digest):
            self.store.write(io.BytesIO(found.content), found.digest)
