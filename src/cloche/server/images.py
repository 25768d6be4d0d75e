"""Images, as the engines ask for them: the catalog's entry gives the environment, built when it is first needed."""

from __future__ import annotations

from pathlib import Path

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog


class Images:
    def __init__(self, builder: EnvironmentBuilder) -> None:
        self.builder = builder

    def python(self, image: catalog.Image) -> Path:
        """The interpreter of the image's environment. Takes seconds to minutes where it is not built yet; raises
        ``EnvironmentFailed``."""
        return self.tool(image.environment)

    def tool(self, environment: str) -> Path:
        """The interpreter of an environment that need not be an image's (``catalog.DOCUMENTS``)."""
        return self.builder.ensure(environment).python

    def version(self) -> str:
        """Of the Python of all environments (``3.11.7``), told without building anything."""
        return self.builder.interpreter().tag.rpartition("-")[2]
