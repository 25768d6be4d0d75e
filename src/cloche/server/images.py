"""Images, as the engines ask for them: what the catalog's entry stands for is built, or unpacked, when it is first
needed."""

from __future__ import annotations

from pathlib import Path

from cloche.compute.images import EnvironmentBuilder
from cloche.compute.images.own import OwnImages
from cloche.compute.images.software import BuiltIn, OwnSoftware, Software
from cloche_jobs import catalog


class Images:
    def __init__(self, builder: EnvironmentBuilder, own: OwnImages) -> None:
        self.builder = builder
        self.own = own

    def software(self, image: catalog.Image) -> Software:
        """What runs in the image. Takes seconds to minutes where it is not built or unpacked yet; raises
        ``EnvironmentFailed``, and ``ImageFailed`` for an image of the user's own."""
        if image.mode is catalog.Mode.OWN:
            return OwnSoftware(self.own.ready(image.digest))
        return BuiltIn(image.key, self.tool(image.environment), image.runs_ours)

    def tool(self, environment: str) -> Path:
        """The interpreter of an environment that need not be an image's (``catalog.DOCUMENTS``)."""
        return self.builder.ensure(environment).python

    def version(self) -> str:
        """Of the Python of all environments (``3.11.7``), told without building anything."""
        return self.builder.interpreter().tag.rpartition("-")[2]
