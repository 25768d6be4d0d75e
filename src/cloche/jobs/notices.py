"""What a job's log begins with where something it asked for is kept and not acted on."""

from __future__ import annotations

from typing import Final

NETWORK_NOT_CONFINED: Final = (
    "[cloche] VpcConfig is kept and shown; it does not confine the network, which reaches what this machine reaches"
)
"""See docs/decisions/0040-vpc-settings-are-kept.md."""
