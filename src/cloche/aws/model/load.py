"""AWS's service models, as the installed botocore publishes them, loaded when first asked for.

botocore's own loader spends most of its time and memory on two things a server never needs: the documentation
inside each model, and ordered dictionaries. So the files are read directly, the documentation is taken out by
structure (a member may itself be *named* ``documentation``), Cloche's recorded deviations (``patches.json``) are
applied, and the rest is kept in a cache folder in marshal form, where SageMaker's model loads in a few
milliseconds. A cache file says for which botocore, Python and patches it was made and carries a digest of its
content: anything that does not match, a torn write included, is ignored and made anew. marshal is no safe
format for strangers' data; the folder belongs to Cloche's private data directory.

``service_index`` answers what routing needs to know of *all* services. It reads only the first kilobytes of each
model, where the metadata stands, so that 440 services cost some tens of milliseconds once, and nothing when
cached.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import sys
import tempfile
import threading
import zlib
from functools import cache
from json import JSONDecoder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cloche.foundation.runtime_library import import_without

if TYPE_CHECKING:
    from botocore.model import ServiceModel

Raw = dict[str, Any]

_PATCHES = Path(__file__).with_name("patches.json")
_HEAD_BYTES = 16_384
_models: dict[str, ServiceModel] = {}
_lock = threading.RLock()
_cache_directory: Path | None = None


class UnknownService(LookupError):
    """botocore publishes no service of that name."""


def use_cache(directory: Path | None) -> None:
    """Keep stripped models in ``directory`` (made if need be). Called once, at start, before any model is asked."""
    global _cache_directory  # noqa: PLW0603 - the process has one cache, as it has one botocore
    _cache_directory = directory


def service_model(name: str) -> ServiceModel:
    """The model of the service botocore calls ``name``. Raises ``UnknownService``. Safe from any thread."""
    found = _models.get(name)
    if found is not None:
        return found
    with _lock:
        if name not in _models:
            made: ServiceModel = import_without("botocore.model").ServiceModel(raw_model(name), name)
            _models[name] = made
        return _models[name]


def service_names() -> tuple[str, ...]:
    """All services the installed botocore knows, sorted."""
    return tuple(sorted(_newest_files()))


def service_index() -> dict[str, Raw]:
    """Service name → the model's metadata (``endpointPrefix``, ``signingName``, ``targetPrefix`` …), for all."""
    with _lock:
        return _service_index()


def region_names() -> dict[str, str]:
    """Region → what people call it, as CloudWatch's notifications do: ``US East (N. Virginia)``, ``EU (Ireland)``."""
    published = orjson.loads((_botocore_directory() / "data" / "partitions.json").read_bytes())
    return {
        region: told["description"].replace("Europe (", "EU (")
        for partition in published["partitions"]
        for region, told in partition["regions"].items()
    }


def raw_model(name: str) -> Raw:
    """The stripped, patched model as plain dictionaries. They are shared: change nothing in them."""
    path = _newest_files().get(name)
    if path is None:
        raise UnknownService(name)
    kept: Raw | None = _read_cache(name)
    if kept is None:
        kept = patched(name, strip(_read_published(path)))
        _write_cache(name, kept)
    return kept


@cache
def _service_index() -> dict[str, Raw]:
    kept: dict[str, Raw] | None = _read_cache("_index")
    if kept is None:
        kept = {name: _read_metadata(path) for name, path in _newest_files().items()}
        _write_cache("_index", kept)
    return kept


@cache
def _newest_files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for service in os.scandir(_botocore_directory() / "data"):
        if service.is_dir():
            versions = sorted(entry.name for entry in os.scandir(service.path) if entry.is_dir())
            for version in reversed(versions):
                path = Path(service.path, version, "service-2.json.gz")
                plain = path.with_suffix("")
                if path.exists() or plain.exists():
                    found[service.name] = path if path.exists() else plain
                    break
    return found


@cache
def _botocore_directory() -> Path:
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise UnknownService("botocore is not installed")
    return Path(spec.origin).parent


def _read_published(path: Path) -> Raw:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = zlib.decompress(content, 31)
    model: Raw = orjson.loads(content)
    extras = path.parent / "service-2.sdk-extras.json"
    if extras.exists():
        _merge(model, orjson.loads(extras.read_bytes()).get("merge", {}))
    return model


def _merge(base: Raw, more: Raw) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _read_metadata(path: Path) -> Raw:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if path.suffix == ".gz":
        head = zlib.decompressobj(31).decompress(head, _HEAD_BYTES)
    text = head.decode("utf-8", "ignore")
    at = text.find('"metadata"')
    try:
        metadata: Raw = JSONDecoder().raw_decode(text, text.index("{", at))[0]
    except ValueError:
        metadata = _read_published(path)["metadata"]
    return metadata


# --- what is left out, what is changed -----------------------------------------------------------------


def strip(model: Raw) -> Raw:
    """Take the documentation out of ``model`` (in place) wherever the format has it."""
    model.pop("documentation", None)
    model.pop("examples", None)
    for operation in model.get("operations", {}).values():
        operation.pop("documentation", None)
        for part in ("input", "output"):
            operation.get(part, {}).pop("documentation", None)
        for error in operation.get("errors", ()):
            error.pop("documentation", None)
    for shape in model.get("shapes", {}).values():
        shape.pop("documentation", None)
        for reference in shape.get("members", {}).values():
            reference.pop("documentation", None)
        for part in ("member", "key", "value"):
            shape.get(part, {}).pop("documentation", None)
    return model


def patched(name: str, model: Raw) -> Raw:
    """Apply Cloche's deviations for ``name`` (in place). A patch whose place is gone is skipped."""
    for patch in orjson.loads(_PATCHES.read_bytes()):
        if patch["service"] != name:
            continue
        *way, last = patch["at"]
        place: Any = model
        for step in way:
            place = place.get(step) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[last] = patch["set"]
    return model


# --- the cache -------------------------------------------------------------------------------------------


@cache
def _stamp() -> bytes:
    version = (_botocore_directory() / "__init__.py").read_bytes()
    made_for = hashlib.sha256(version + _PATCHES.read_bytes() + sys.version.encode() + Path(__file__).read_bytes())
    return b"cloche-model-1 " + made_for.hexdigest().encode() + b"\n"


def _read_cache(name: str) -> Any:
    if _cache_directory is None:
        return None
    try:
        content = (_cache_directory / f"{name}.marshal").read_bytes()
    except OSError:
        return None
    stamp = _stamp()
    body = content[len(stamp) + 32 :]
    if not content.startswith(stamp) or content[len(stamp) : len(stamp) + 32] != hashlib.sha256(body).digest():
        return None
    return marshal.loads(body)  # noqa: S302 - our own file in our own folder, digest checked


def _write_cache(name: str, value: Any) -> None:
    if _cache_directory is None:
        return
    body = marshal.dumps(value)
    try:
        _cache_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=_cache_directory, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(_stamp() + hashlib.sha256(body).digest() + body)
        Path(temporary).replace(_cache_directory / f"{name}.marshal")
    except OSError:
        return  # a cache that cannot be written costs time, never an answer
