"""What the engine knows of functions: their configurations, aliases, layers. Wire names stay in the service."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from cloche.foundation.errors import Conflict

LATEST: Final = "$LATEST"
PENDING, ACTIVE, FAILED = "Pending", "Active", "Failed"


class RevisionChanged(Conflict):
    """It has been changed since the caller saw the revision that the request names."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose function, and what it is called."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.region, self.name


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's version as a function uses it."""

    arn: str
    code: str
    zipped_bytes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """What can differ between versions of a function."""

    runtime: str
    handler: str
    role: str
    description: str = ""
    timeout_seconds: int = 3
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    dead_letter: str = ""
    storage_mb: int = 512
    tracing: str = "PassThrough"
    architecture: str = "x86_64"
    log_group: str = ""
    kms_key: str = ""
    vpc: Mapping[str, Any] = field(default_factory=dict)
    """Kept and shown."""


@dataclass(frozen=True, slots=True)
class Code:
    """``name`` is the zip's SHA-256 in hexadecimal digits: the package's name in ``Packages``."""

    name: str
    zipped_bytes: int
    bytes: int

    @property
    def sha256(self) -> str:
        """As AWS writes it."""
        return base64.b64encode(bytes.fromhex(self.name)).decode()


@dataclass(frozen=True, slots=True)
class Version:
    """One row of ``function_versions``; ``number`` 0 is ``$LATEST``. ``revision`` changes with every update, and
    ``serial`` with those that a running environment does not survive."""

    owner: Owner
    number: int
    configuration: Configuration
    code: Code
    modified_at: float
    revision: str
    serial: str
    state: str = PENDING
    reason: str = ""

    @property
    def qualifier(self) -> str:
        return str(self.number) if self.number else LATEST

    @property
    def log_group(self) -> str:
        return self.configuration.log_group or f"/aws/lambda/{self.owner.name}"

    def document(self) -> dict[str, Any]:
        kept = asdict(self)
        del kept["owner"], kept["number"]
        return kept

    @classmethod
    def of(cls, owner: Owner, number: int, kept: Mapping[str, Any]) -> Version:
        configuration = dict(kept["configuration"])
        configuration["layers"] = tuple(Layer(**layer) for layer in configuration["layers"])
        rest = {
            **kept,
            "configuration": Configuration(**configuration),
            "code": Code(**kept["code"]),
        }
        return cls(owner, number, **rest)


@dataclass(frozen=True, slots=True)
class Alias:
    name: str
    version: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of further versions, each between 0 and 1; what is left is ``version``'s."""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class LayerVersion:
    account: str
    region: str
    name: str
    number: int
    code: Code
    created_at: float
    description: str = ""
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    license: str = ""

    @property
    def layer_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{self.name}"

    @property
    def arn(self) -> str:
        return f"{self.layer_arn}:{self.number}"


@dataclass(frozen=True, slots=True)
class EventConfig:
    """How asynchronous invocations of a function (or of one version or alias) are tried again."""

    qualifier: str
    modified_at: float
    retries: int | None = None
    age_seconds: int | None = None
    on_success: str = ""
    on_failure: str = ""


RETRIES: Final = 2
AGE_SECONDS: Final = 6 * 3600
"""Both: docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
