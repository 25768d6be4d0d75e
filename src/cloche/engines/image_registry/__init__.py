"""Container images of an account: repositories, layers, manifests, tags, and what becomes of them in time.

``registry`` is the whole; ``manifests`` and ``lifecycle_rules`` are pure. ECR's operations (``services/ecr``) and the
registry protocol (``server/registry``) are two doors to the same rows; blobs lie in ``compute/images/store``.
"""

from cloche.engines.image_registry.registry import ImageRegistry
from cloche.engines.image_registry.repositories import REPOSITORY, Repository, host, registry_of_host
from cloche.engines.image_registry.schema import MIGRATIONS
from cloche.engines.image_registry.tokens import Holder

__all__ = [
    "MIGRATIONS",
    "REPOSITORY",
    "Holder",
    "ImageRegistry",
    "Repository",
    "host",
    "registry_of_host",
]
