"""Environments that stand in for images: built once by ``uv`` from a lock file, shared by every data directory."""

from __future__ import annotations

from cloche.compute.images.builder import Environment, EnvironmentBuilder, EnvironmentFailed, EnvironmentStatus
from cloche.compute.images.own import ImageFailed

__all__ = ["Environment", "EnvironmentBuilder", "EnvironmentFailed", "EnvironmentStatus", "ImageFailed"]
