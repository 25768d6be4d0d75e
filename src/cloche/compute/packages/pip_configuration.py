"""pip's configuration on this machine, as pip itself would come to it, kept to where packages come from.

Source: pip.pypa.io/en/stable/topics/configuration: global files, the user's, the environment's, the one that
``PIP_CONFIG_FILE`` names, then variables; each overrides those before. What says where packages *go* (``target``,
``user``, ``prefix`` …) is the job's own affair and is left out.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cloche.compute.packages.settings import Options

ETC: Final = Path("/etc")
_SEVERAL: Final = ("extra-index-url", "find-links", "trusted-host", "constraint", "no-binary", "only-binary")
_ONE: Final = (
    "index-url",
    "no-index",
    "cert",
    "client-cert",
    "proxy",
    "timeout",
    "retries",
    "pre",
    "prefer-binary",
    "disable-pip-version-check",
    "use-feature",
    "use-deprecated",
)
_ALIASES: Final = {"pypi-url": "index-url", "default-timeout": "timeout", "i": "index-url", "f": "find-links"}
_SECTIONS: Final = ("global", "install")


def files(environment: Mapping[str, str]) -> list[Path]:
    """Where pip looks, the last word last, whether there is anything or not."""
    named = environment.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environment.get("HOME") or Path.home())
    shared = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    machine = [*(Path(folder, "pip") for folder in shared if folder), ETC]
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip")
    if sys.platform == "darwin":
        machine.insert(0, Path("/Library/Application Support/pip"))
        library = home / "Library" / "Application Support" / "pip"
        user = library if library.is_dir() else user
    folders = [*machine, home / ".pip", user, Path(sys.prefix)]
    return [*(folder / "pip.conf" for folder in folders), *([Path(named)] if named else [])]


def read(environment: Mapping[str, str]) -> Options:
    """What is set, by every way there is; an empty value sets nothing. A file that cannot be read as one is passed
    over: pip would refuse to work, but most jobs do not want it."""
    told: dict[str, str] = {}
    for path in files(environment):
        told |= _of_file(path)
    variables = {name.removeprefix("PIP_"): value for name, value in environment.items() if name.startswith("PIP_")}
    told |= {_named(name): value.strip() for name, value in variables.items() if value.strip()}
    found = {name: tuple(told[name].split()) for name in _SEVERAL if name in told}
    return found | {name: (told[name],) for name in _ONE if name in told}


def written(options: Options) -> str:
    """The same as a file of pip's."""
    lines = [f"{name} = {(chr(10) + '    ').join(words)}" for name, words in options.items()]
    return "\n".join(["[global]", *lines, ""])


def _of_file(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    with suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read_string(path.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found |= {_named(name): value.strip() for name, value in parser.items(section) if value.strip()}
    return found


def _named(name: str) -> str:
    plain = name.lower().replace("_", "-").removeprefix("--")
    return _ALIASES.get(plain, plain)
