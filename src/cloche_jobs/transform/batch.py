"""A batch's orders, as the server wrote them down for ``feed``, and a payload on its way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

MEGABYTE = 1 << 20
PAYLOAD_MB_DEFAULT = 6
SINGLE, MULTI = "SINGLE_RECORD", "MULTI_RECORD"


@dataclass(frozen=True, slots=True)
class File:
    """One input: ``path`` holds its bytes, ``out`` becomes its answers, ``name`` (``bucket/key``) is what logs say."""

    path: str
    out: str
    name: str


@dataclass(frozen=True, slots=True)
class Server:
    """The model servers of one instance, in the order in which a payload passes through them, and its share of the
    files, by number."""

    sockets: tuple[str, ...]
    files: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Orders:
    """Words are AWS's. ``None`` where the request said nothing: then the model may, at ``/execution-parameters``."""

    files: tuple[File, ...]
    servers: tuple[Server, ...]
    log: str
    """Where the job's data log is written."""
    report: str
    """Where the files that failed are told, one JSON object on each line."""
    content_type: str | None = None
    accept: str | None = None
    split: str = "None"
    assemble: str = "None"
    gzip: bool = False
    strategy: str | None = None
    payload_mb: int | None = None
    """0: as long as it may be, sent in chunks."""
    concurrent: int | None = None
    timeout_seconds: float = 600.0
    retries: int = 3
    startup_seconds: float = 1800.0
    input_filter: str = "$"
    output_filter: str = "$"
    join: bool = False
    inference_time: str | None = None
    """Where each record is to have an id and this time behind it."""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Orders:
        data: Mapping[str, Any] = json.loads(path.read_bytes())
        assert data.keys() == {field.name for field in fields(Orders)}
        servers = tuple(Server(tuple(each["sockets"]), tuple(each["files"])) for each in data["servers"])
        return Orders(**{**data, "files": tuple(File(**each) for each in data["files"]), "servers": servers})


@dataclass(frozen=True, slots=True)
class Manner:
    """How payloads are made, once request and model have been asked."""

    strategy: str = MULTI
    payload_mb: int = PAYLOAD_MB_DEFAULT
    concurrent: int = 1

    @property
    def bytes_max(self) -> int | None:
        return self.payload_mb * MEGABYTE or None

    def __str__(self) -> str:
        """As AWS's data log says it (aws/sagemaker-tensorflow-serving-container#93)."""
        limits = f"MaxConcurrentTransforms={self.concurrent}, MaxPayloadInMB={self.payload_mb}"
        return f"{limits}, BatchStrategy={self.strategy}"


@dataclass(frozen=True, slots=True)
class Payload:
    """Some records of a file, in its order."""

    body: bytes
    first: int
    """Which record of the file the first one is, counted from 1; of lines, which line."""
    stream: Iterator[bytes] | None = None
    """The whole file, read while it is sent, in place of ``body``."""


class Refused(Exception):
    """A file cannot be transformed. ``kind``: whose fault, in AWS's words; ``where``: the place in the file."""

    def __init__(self, kind: str, message: str, where: str = "", status: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.where, self.status = kind, message, where, status
