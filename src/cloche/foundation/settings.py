"""What the person who starts Cloche chose. Read once, passed on, never looked up again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloche.foundation.limits import (
    GIB,
    IMAGE_BYTES_MAX,
    IMAGE_LAYERS_MAX,
    IMAGE_MEMBERS_MAX,
    STOP_GRACE_SECONDS,
)


@dataclass(frozen=True, slots=True)
class Settings:
    data: Path
    port: int = 4566
    host: str = "127.0.0.1"
    account: str = "123456789012"
    region: str = "us-east-1"
    any_credentials: bool = False
    """Accept every access key as the account's root. Only on loopback, only for throw-away use."""
    sandbox: str = "auto"
    """How jobs are kept apart: ``auto`` (bubblewrap when it works), ``bubblewrap`` or ``process``."""
    containers: str = "bubblewrap"
    """What runs images of the user's own: ``bubblewrap``, unpacked, ``podman`` or ``docker``."""
    file_systems: tuple[tuple[str, Path], ...] = ()
    """Which directories of this machine stand for file systems (EFS, FSx for Lustre) that training jobs name by their
    ids."""
    image_gib_max: int = IMAGE_BYTES_MAX // GIB
    """How much an image of the user's own may unpack to."""
    image_members_max: int = IMAGE_MEMBERS_MAX
    """How many files, folders and links it may have. One of too many small ones is refused before the first is made."""
    image_layers_max: int = IMAGE_LAYERS_MAX
    standby: bool = True
    """Have processes stand by for the images in use, in sandboxes of their own: the next job starts at once."""
    stop_grace_seconds: float = STOP_GRACE_SECONDS
    """How long a training job that is told to stop may go on. AWS gives 120 s; tests give less."""
    tls: bool = False
    """Answer HTTPS, beside plain HTTP, with a certificate made on the spot."""
    tls_certificate: Path | None = None
    """A certificate (PEM, with its chain) to answer HTTPS with instead; ``tls_key`` is its private key."""
    tls_key: Path | None = None
    tls_port: int | None = None
    """A further port to listen on."""
    fallback: str = ""
    """URL of another AWS-compatible server, for services that Cloche does not speak."""
    fallback_keys: str = "as-is"
    """``as-is``: requests are passed on as they came. ``env``: signed anew with this process's own AWS keys."""

    smtp: str = ""
    """``host:port`` of the mail server that SNS's e-mail goes to, besides the outbox."""

    s3_before_2023: bool = False
    """S3 as it was before April 2023, for suites written for it: new buckets have ACLs and no public-access block,
    owners have display names, grants go by e-mail address, and Signature Version 2 is taken in the header."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"
