"""The default bus, as the one that the image registry tells of pushes and deletions.

Forms: docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html; ``manifest-media-type`` and
``artifact-media-type`` as the CDK's ECRImageActionProps has them.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from cloche.engines.events import Events, Happening
from cloche.engines.events.rules import DEFAULT_BUS
from cloche.engines.image_registry import Repository
from cloche.engines.image_registry.images import Image

SOURCE: Final = "aws.ecr"
DETAIL_TYPE: Final = "ECR Image Action"


class ImageEvents:
    """Owed in the transaction of what they tell; where no rule could match, nothing is made."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def tell(self, tx: sqlite3.Connection, repository: Repository, action: str, image: Image, tag: str) -> None:
        """``action`` is ``PUSH`` or ``DELETE``; ``tag`` may be empty."""
        account, region = repository.account, repository.region
        if not self._events.is_wanted(tx, account, region, SOURCE, DETAIL_TYPE):
            return
        detail = {
            "result": "SUCCESS",
            "repository-name": repository.name,
            "image-digest": image.digest,
            "action-type": action,
            "manifest-media-type": image.media_type,
            **({"artifact-media-type": image.artifact_type} if image.artifact_type else {}),
            **({"image-tag": tag} if tag else {}),
        }
        bus = (account, region, DEFAULT_BUS)
        self._events.accept(tx, bus, self._events.envelope(bus, Happening(SOURCE, DETAIL_TYPE, detail)))
