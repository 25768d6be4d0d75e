"""What one of the installers was told about where packages come from: a few options, each with its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

Options = Mapping[str, tuple[str, ...]]
"""Each option's values, by its name with hyphens."""

_FOLDERS: Final = frozenset({"index-url", "extra-index-url", "find-links", "default-index", "index"})
_FILES: Final = frozenset({"cert", "client-cert", "constraint"})
_FILES_OF_AN_INDEX: Final = ("files", "packages")
"""Where the pages of an index in a folder ``simple`` commonly lead: ``../files/…``, ``../../packages/…``."""


def paths_named(options: Options) -> list[Path]:
    """Folders and files on this machine that the options name; those that are there. What a file names in its turn is
    not looked at."""
    found: list[Path] = []
    for name, words in options.items():
        if name in _FOLDERS:
            found += [each for word in words if (path := local_path(word)) for each in _with_its_files(path)]
        elif name in _FILES:
            found += [path for word in words if (path := local_path(word))]
    return [path for path in dict.fromkeys(found) if path.exists()]


def local_path(word: str) -> Path | None:
    """The absolute path that a URL or path names; ``None`` for what lies elsewhere or depends on where one stands."""
    name, is_url, rest = word.partition("://")
    if not is_url:
        path = Path(word).expanduser()
        return path if path.is_absolute() else None
    if name.rpartition("=")[2] != "file":  # uv writes NAME=URL
        return None
    return Path(unquote(urlsplit(f"file://{rest}").path))


def _with_its_files(path: Path) -> Iterable[Path]:
    yield path
    if path.name == "simple":
        yield from (path.with_name(name) for name in _FILES_OF_AN_INDEX)
