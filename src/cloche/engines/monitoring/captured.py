"""Where the captured data of a window lies: folders of hours that hold something.

Data capture writes ``{prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh/…jsonl``, ground truth is kept by whoever knows it
under ``{uri}/yyyy/mm/dd/hh/`` (UTC). A processing job takes ten inputs: where there are more folders of hours than
inputs left, days stand for their hours, months for days; the job looks at the times of the records.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import NotFound
from cloche.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Folder:
    uri: str
    path: str
    """Below the place where all of it is wanted: ``endpoint/variant/yyyy/mm/dd/hh``."""
    is_manifest: bool = False


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``, the key without a slash at its end."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key.rstrip("/")


def folders_of_endpoint(store: ObjectStore, uri: str, endpoint: str, hours: Sequence[int], most: int) -> list[Folder]:
    """Of all its variants, whatever configuration it has by now."""
    bucket, key = split_uri(uri)
    start = f"{key}/{endpoint}/" if key else f"{endpoint}/"
    try:
        variants = store.list(bucket, start, delimiter="/").common_prefixes
    except NotFound:
        return []
    return _coarse(
        [each for variant in variants for each in _hours(store, bucket, variant, hours, variant.removeprefix(start))],
        bucket,
        start,
        f"{endpoint}/",
        most,
    )


def folders_of_hours(store: ObjectStore, uri: str, hours: Sequence[int], most: int, below: str = "") -> list[Folder]:
    """``yyyy/mm/dd/hh`` right below ``uri``; in the job they lie in the folder ``below``."""
    bucket, key = split_uri(uri)
    start = f"{key}/" if key else ""
    return _coarse(list(_hours(store, bucket, start, hours, "")), bucket, start, f"{below}/" if below else "", most)


def manifests_of_hours(store: ObjectStore, uri: str, hours: Sequence[int], below: str) -> list[Folder]:
    """What transform jobs captured: manifests, each of which is an input by itself."""
    bucket, key = split_uri(uri)
    start = f"{key}/" if key else ""
    found: list[Folder] = []
    for hour in _hours(store, bucket, start, hours, ""):
        for each in store.list(bucket, f"{start}{hour}/").objects:
            number = len(found) + 1
            found.append(Folder(f"s3://{bucket}/{each.key}", f"{below}/{hour}/{number}", is_manifest=True))
    return found


def _hours(store: ObjectStore, bucket: str, start: str, hours: Sequence[int], below: str) -> Iterable[str]:
    """Those of the hours that hold something, as ``{below}yyyy/mm/dd/hh``."""
    for hour in hours:
        folder = from_epoch(hour).strftime("%Y/%m/%d/%H")
        try:
            if store.list(bucket, f"{start}{folder}/", limit=1).objects:
                yield below + folder
        except NotFound:
            return


def _coarse(paths: list[str], bucket: str, start: str, below: str, most: int) -> list[Folder]:
    for _ in range(4):
        if len(paths) <= most:
            break
        paths = list(dict.fromkeys(path.rpartition("/")[0] for path in paths))
    return [Folder(f"s3://{bucket}/{start}{path}".rstrip("/"), f"{below}{path}".rstrip("/")) for path in paths]
