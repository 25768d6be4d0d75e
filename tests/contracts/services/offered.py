"""All that is offered, found as the server finds it."""

from __future__ import annotations

import importlib
import inspect

from cloche.aws.resource import Resource
from cloche.server.dispatch import Dispatch, Offered

DISPATCH = Dispatch()
SERVICES = DISPATCH.names()


def offered(service: str) -> Offered:
    found = DISPATCH.offered(service)
    assert found is not None
    return found


def resources() -> list[type[Resource]]:
    """Every noun of every service, once."""
    found: dict[str, type[Resource]] = {}
    for service in SERVICES:
        for name in offered(service).service.modules:
            package = f"cloche.services.{offered(service).folder.name}"
            module = importlib.import_module(name if name.startswith("cloche.") else f"{package}.{name}")
            for value in vars(module).values():
                if inspect.isclass(value) and issubclass(value, Resource) and value.__module__ == module.__name__:
                    found[f"{value.__module__}.{value.__name__}"] = value
    return list(found.values())
