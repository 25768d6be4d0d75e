"""The AWS Common Runtime's Python binding (``awscrt``), kept out of processes that do not compute its checksums.

botocore imports it wherever it finds it, for signing and transfers that Cloche does not do: 8 MB and a tenth of a
second in every server. So botocore is imported with the name hidden, and ``awscrt`` itself only when a checksum that
needs it is asked for. The two must not meet, hence one lock for both.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

_lock = threading.Lock()
_NAME = "awscrt"


def import_without(module: str) -> ModuleType:
    """``module``, imported as if there were no ``awscrt`` (unless either has been imported before)."""
    with _lock:
        if _NAME in sys.modules or module in sys.modules:
            return importlib.import_module(module)
        hidden: dict[str, Any] = sys.modules  # None for a name means: not found (the import system's documentation)
        hidden[_NAME] = None
        try:
            return importlib.import_module(module)
        finally:
            del hidden[_NAME]


def runtime_checksums() -> Any:
    """``awscrt.checksums``."""
    with _lock:
        return importlib.import_module(f"{_NAME}.checksums")
