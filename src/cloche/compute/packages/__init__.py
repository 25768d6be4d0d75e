"""How a job with a network comes by packages: as the person at this machine does (decision 32)."""

from __future__ import annotations

from cloche.compute.packages.sources import NONE, Found, PackageSources

__all__ = ["NONE", "Found", "PackageSources"]
