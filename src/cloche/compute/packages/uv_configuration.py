"""uv's configuration on this machine, kept to where packages come from, for scripts that install with it.

Source: docs.astral.sh/uv/concepts/configuration-files: the machine's file, the user's, or the one that
``UV_CONFIG_FILE`` names alone; lists of both are joined, the user's first. Variables go to the job as they are.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cloche.compute.packages.settings import Options

_KEPT: Final = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "offline",
    "native-tls",
    "system-certs",
    "allow-insecure-host",
    "index-strategy",
    "index",
)
VARIABLES: Final = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_OFFLINE",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "UV_INSECURE_HOST",
    "UV_INDEX_STRATEGY",
    "UV_HTTP_TIMEOUT",
)
Document = dict[str, Any]


def files(environment: Mapping[str, str]) -> list[Path]:
    """Where uv looks, the last word last, whether there is anything or not."""
    found = places(environment)
    if len(found) < 3:
        return found
    *shared, machine, user = found
    return [next((path for path in shared if path.is_file()), machine), user]


def places(environment: Mapping[str, str]) -> list[Path]:
    """All that ``files`` are chosen from: none, the one that is named, or those of the machine and the user's."""
    if environment.get("UV_NO_CONFIG", "").lower() in ("1", "true"):
        return []
    if named := environment.get("UV_CONFIG_FILE"):
        return [Path(named)]
    home = Path(environment.get("HOME") or Path.home())
    shared = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "uv", "uv.toml")
    return [*(Path(folder, "uv/uv.toml") for folder in shared), Path("/etc/uv/uv.toml"), user]


def read(environment: Mapping[str, str]) -> Document:
    told: Document = {}
    for path in files(environment):
        for name, value in _of_file(path).items():
            told[name] = [*value, *told.get(name, [])] if isinstance(value, list) else value
    return told


def written(document: Document) -> str:
    """The same as a file of uv's: tables come last, as TOML wants them."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in document.items() if name != "index"]
    for table in document.get("index", []):
        lines += ["[[index]]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    return "\n".join([*lines, ""])


def options(document: Document, environment: Mapping[str, str]) -> Options:
    """Where packages come from, of the files and the variables, in pip's words."""
    found: dict[str, tuple[str, ...]] = {
        name: _words(document[name]) for name in _KEPT if name in document and name != "index"
    }
    found["index"] = tuple(str(table["url"]) for table in document.get("index", []) if "url" in table)
    for variable in VARIABLES:
        name = variable.removeprefix("UV_").lower().replace("_", "-")
        found[name] = (*found.get(name, ()), *environment.get(variable, "").replace(",", " ").split())
    return found


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in VARIABLES if name in environment}


def _of_file(path: Path) -> Document:
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
        return _kept_of(whole) | _kept_of(whole.get("pip"))
    return {}


def _kept_of(section: object) -> Document:
    """Of the file itself, or of its ``[pip]``, which says the same to ``uv pip`` alone: that is what a script has."""
    told: Document = section if isinstance(section, dict) else {}
    return {name: told[name] for name in _KEPT if name in told and _is_plain(name, told[name])}


def _is_plain(name: str, value: object) -> bool:
    if name != "index":
        return isinstance(value, str | bool) or (isinstance(value, list) and all(isinstance(v, str) for v in value))
    tables = value if isinstance(value, list) else []
    return all(isinstance(t, dict) and all(isinstance(v, str | bool) for v in t.values()) for t in tables)


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else (str(value),)
