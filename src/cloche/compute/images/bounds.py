"""What an image of the user's own may be: somebody else's file, whose costs are bounded before they arise."""

from __future__ import annotations

from dataclasses import dataclass

from cloche.foundation.limits import GIB, IMAGE_BYTES_MAX, IMAGE_LAYERS_MAX, IMAGE_MEMBERS_MAX


@dataclass(frozen=True, slots=True)
class Bounds:
    bytes: int = IMAGE_BYTES_MAX
    """Unpacked, all layers together; and of each blob as it is kept."""
    members: int = IMAGE_MEMBERS_MAX
    """Files, folders and links of all layers."""
    layers: int = IMAGE_LAYERS_MAX
    free_bytes: int = GIB
    """What the disk must have left."""
