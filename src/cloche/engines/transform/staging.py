"""The inputs laid out for the program that sends them, and its orders.

Objects are linked under numbers, in a folder that only that program sees: no byte is copied, and no key becomes a path.
With several instances the files are dealt out among them in turn.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloche.engines.transform.plan import Plan
from cloche.foundation.errors import NotFound
from cloche.jobs.reading import note
from cloche.jobs.sources import failed, sources
from cloche.jobs.staging import ASK_EVERY_FILES, GivenUp
from cloche.storage.objects import ObjectStore
from cloche_jobs.transform.batch import File, Orders, Server

STARTUP_SECONDS: Final = 1800.0
"""Until the first good ``/ping``; what AWS's people say of it (aws/amazon-sagemaker-examples#815)."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The folder of one job's inputs, outputs and orders."""

    folder: Path

    @property
    def orders(self) -> Path:
        return self.folder / "orders.json"

    @property
    def names(self) -> Path:
        return self.folder / "names.json"

    @property
    def log(self) -> Path:
        return self.folder / "data-log"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def input(self, number: int) -> Path:
        return self.folder / "in" / str(number)

    def output(self, number: int) -> Path:
        return self.folder / "out" / str(number)

    def read_names(self) -> list[str]:
        """Of the inputs, below their prefix, in order; none before all are laid out."""
        try:
            names: list[str] = json.loads(self.names.read_bytes())
        except FileNotFoundError:
            return []
        return names


def stage(
    plan: Plan,
    desk: Desk,
    objects: ObjectStore,
    sockets: tuple[Path, ...],
    started_at: float,
    *,
    is_wanted: Callable[[], bool],
) -> None:
    """Lay out everything the program needs, unless that was done. Raises ``Unfit`` and ``GivenUp``."""
    if desk.orders.exists():
        return
    shutil.rmtree(desk.folder, ignore_errors=True)
    desk.input(0).parent.mkdir(parents=True, mode=0o700)
    files: list[File] = []
    names: list[str] = []
    for number, source in enumerate(sources(plan.input, objects)):
        try:
            objects.link_into(source.info, desk.input(number), link=True)
            note(plan.input, source.info)
        except NotFound as error:
            raise failed(error.message) from None
        name = f"{source.info.bucket}/{source.info.key}"
        files.append(File(str(desk.input(number).resolve()), str(desk.output(number).absolute()), name))
        names.append(source.name)
        if number % ASK_EVERY_FILES == ASK_EVERY_FILES - 1 and not is_wanted():
            raise GivenUp
    if not files:
        raise failed(f"no objects are left under {plan.input.uri}")
    desk.names.write_text(json.dumps(names), encoding="utf-8")
    part = desk.orders.with_suffix(".part")
    _orders(plan, desk, files, sockets, started_at).write(part)
    part.replace(desk.orders)


def _orders(plan: Plan, desk: Desk, files: list[File], sockets: tuple[Path, ...], started_at: float) -> Orders:
    containers = len(plan.models)
    instances = [sockets[at : at + containers] for at in range(0, len(sockets), containers)]
    count = len(instances)
    marks = plan.capture is not None and plan.capture.ids
    return Orders(
        files=tuple(files),
        servers=tuple(
            Server(tuple(map(str, its)), tuple(range(number, len(files), count)))
            for number, its in enumerate(instances)
        ),
        log=str(desk.log.resolve()),
        report=str(desk.report.resolve()),
        content_type=plan.content_type,
        accept=plan.accept,
        split=plan.split,
        assemble=plan.assemble,
        gzip=plan.input.compression == "Gzip",
        strategy=plan.strategy,
        payload_mb=plan.payload_mb,
        concurrent=plan.concurrent,
        timeout_seconds=plan.timeout_seconds,
        retries=plan.retries,
        startup_seconds=STARTUP_SECONDS,
        input_filter=plan.input_filter,
        output_filter=plan.output_filter,
        join=plan.join,
        inference_time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started_at)) if marks else None,
    )
