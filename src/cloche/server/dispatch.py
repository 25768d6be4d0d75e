"""From a wire name to the function that answers it. A service is offered by its folder being there.

Nothing is imported until its service is first asked: a start costs nothing for services nobody uses.
"""

from __future__ import annotations

import importlib
import keyword
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from cloche import services
from cloche.aws.errors import AwsError, ErrorCodes
from cloche.aws.operation import Operation, Service, operations_of
from cloche.foundation.errors import Broken

_REMEMBERED_MAX: Final = 1_024


@dataclass(frozen=True)
class Offered:
    """A service with the operations that its modules hold."""

    service: Service
    folder: Path
    operations: Mapping[str, Operation] = field(default_factory=dict)

    @cached_property
    def unsupported(self) -> Mapping[str, str]:
        """Operations that are known and left out, each with its reason."""
        path = self.folder / "unsupported.toml"
        if not path.exists():
            return {}
        with path.open("rb") as file:
            return {name: reason for name, reason in tomllib.load(file).items() if isinstance(reason, str)}

    def operation(self, name: str) -> Operation:
        """Raises ``AwsError`` by name where Cloche does not offer it."""
        found = self.operations.get(name)
        if found is None:
            raise not_offered(self.service.name, name, self.service.errors, self.unsupported.get(name, ""))
        return found


def not_offered(service: str, operation: str, codes: ErrorCodes, reason: str = "") -> AwsError:
    text = f"Cloche does not offer {operation} of {service}" + (f": {reason}" if reason else ".")
    if service == "s3":
        return AwsError("NotImplemented", text, 501)
    return AwsError(codes.unknown_operation[0], text, codes.unknown_operation[1])


def folder_of(service: str) -> str:
    """The name of its folder, which Python can import: ``lambda`` is in ``lambda_``."""
    name = service.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


class Dispatch:
    """``root`` is the folder of services (Cloche's own unless a test says otherwise)."""

    def __init__(self, root: Path | None = None, package: str = "cloche.services") -> None:
        self._root = root or Path(next(iter(services.__path__)))
        self._package = package
        self._offered: dict[str, Offered | None] = {}
        self._has: dict[str, bool] = {}
        self._importing = threading.Lock()
        """One at a time: of two threads that import what leads to each other's, one may be given half a module."""

    def folders(self) -> list[str]:
        return sorted(path.parent.name for path in self._root.glob("*/service.py"))

    def names(self) -> list[str]:
        """botocore's names of the services that are offered (all are imported for this)."""
        return [found.service.name for name in self.folders() if (found := self.offered(name)) is not None]

    def has(self, service: str) -> bool:
        """Is there a folder of that service? Never imports."""
        known = self._has.get(service)
        if known is None:
            known = (self._root / folder_of(service) / "service.py").exists()
            if len(self._has) < _REMEMBERED_MAX:
                self._has[service] = known
        return known

    def ready(self, service: str) -> Offered | None:
        """The service if it has been asked before; never imports."""
        return self._offered.get(service)

    def offered(self, service: str) -> Offered | None:
        """The service of that botocore name, imported now if need be; ``None`` where there is none."""
        if service not in self._offered:
            with self._importing:
                if service not in self._offered:
                    self._offered[service] = self._load(service)
        return self._offered[service]

    def _load(self, service: str) -> Offered | None:
        folder = self._root / folder_of(service)
        if not (folder / "service.py").exists():
            return None
        package = f"{self._package}.{folder.name}"
        found: Service = importlib.import_module(f"{package}.service").SERVICE
        operations: dict[str, Operation] = {}
        for name in found.modules:
            module = importlib.import_module(name if name.startswith(self._package) else f"{package}.{name}")
            for operation in operations_of(module):
                if operations.setdefault(operation.name, operation) is not operation:
                    raise Broken(f"{operation.name} is answered twice in {package}")
        return Offered(found, folder, operations)
