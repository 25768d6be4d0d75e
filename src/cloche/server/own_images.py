"""Images of the user's own, put together: what ECR has and what was loaded, as jobs find it and as ECR shows it."""

from __future__ import annotations

import logging

from cloche.compute.images.finding import ImageFinder, ManifestFound
from cloche.compute.images.manifest import read_document, read_manifest
from cloche.engines.image_registry import ImageRegistry
from cloche.foundation.errors import ClocheError
from cloche.foundation.limits import IMAGE_DOCUMENT_BYTES_MAX

log = logging.getLogger(__name__)


def join(finder: ImageFinder, registry: ImageRegistry, region: str) -> None:
    """Have jobs find what was pushed, and ECR show what was loaded before."""

    def found(account: str, where: str, repository: str, reference: str) -> ManifestFound | None:
        held = registry.found(account, where, repository, reference)
        return None if held is None else ManifestFound(held.digest, held.media_type, held.content)

    finder.registry = found
    for each in finder.loaded.all():
        try:
            digest = read_manifest(finder.store, each.digest).digest
            held = registry.found(finder.account, region, each.name, each.tag)
            if held is None or held.digest != digest:
                content = finder.store.read(digest, IMAGE_DOCUMENT_BYTES_MAX)
                media_type = str(read_document(finder.store, digest).get("mediaType", ""))
                registry.keep_loaded(finder.account, region, each.name, each.tag, content, media_type)
        except ClocheError as error:
            log.warning("the loaded image %s is not shown in ECR: %s", each.reference, error.message)
