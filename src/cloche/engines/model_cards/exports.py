"""``CardExports``: jobs that make a PDF of one version of a card and store it in S3.

The document is rendered by a process of its own, in an environment that has a library for it: the server has none. An
export that is interrupted begins that step again and writes the same object.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cloche.compute.images import EnvironmentFailed
from cloche.compute.runtime import Limits, Mount, ProcessSpec, Running
from cloche.engines.model_cards.machine import KIND, LIFECYCLE, status_of
from cloche.foundation.errors import Conflict, LimitReached, NotFound
from cloche.foundation.limits import MIB
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.ending import INTERNAL, ending_of, reason
from cloche.jobs.equipment import Equipment
from cloche.jobs.outside import world
from cloche.jobs.place import Place
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Outcome, Wait
from cloche.storage.metadata import records
from cloche.storage.objects import Details
from cloche_jobs.catalog import DOCUMENTS
from cloche_jobs.contract import PACKAGE_ROOT, package_folder
from cloche_jobs.contract.failure import REASON_CHARACTERS_MAX
from cloche_jobs.documents.places import card_file, document_file

MARK: Final = "cards-"
LOOK_SECONDS: Final = 0.5
SECONDS_MAX: Final = 120.0
ATTEMPTS_MAX: Final = 3
MEMORY_BYTES: Final = 1024 * MIB
DOCUMENT_BYTES_MAX: Final = 64 * MIB
PDF: Final = "application/pdf"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """One export. ``arn`` is the job's."""

    arn: str
    account: str
    name: str
    card: str
    version: int
    status: str
    content: str
    written_at: float
    """When the version was written, in seconds since 1970."""
    bucket: str
    prefix: str

    @property
    def key(self) -> str:
        name = f"{self.card}-{self.version}-{self.name}.pdf"
        return f"{self.prefix}/{name}" if self.prefix else name


class CardExports:
    """A driver of the reconciler's, and what the service calls."""

    lifecycle = LIFECYCLE

    def __init__(self, folder: Path, equipment: Equipment) -> None:
        self._root = folder
        self._equipment = equipment
        self._reconciler = equipment.reconciler
        self._cleaner = Cleaner(MARK, folder, equipment.runtime, lambda process: None)
        self._processes: dict[str, str] = {}
        equipment.reconciler.add(self)

    def start(self) -> None:
        """Remove what a former server could not, and hear of processes that end. Before the reconciler starts."""
        active = self._reconciler.items(KIND, active_only=True)
        self._processes.update({item.data["process"]: item.id for item in active})
        self._cleaner.sweep({item.data["process"] for item in active})
        self._equipment.runtime.on_change(self._process_ended)

    def close(self) -> None:
        self._cleaner.close()

    # -- what the service calls --------------------------------------------------------------------------

    def submit(self, tx: sqlite3.Connection, plan: ExportPlan) -> None:
        """Begin the job in the transaction that inserts its record."""
        self._reconciler.submit(tx, KIND, plan.arn, {"plan": asdict(plan), "process": _new_process(), "attempt": 1})

    def delete(self, tx: sqlite3.Connection, arn: str) -> None:
        """Drop the job's history. Raises ``Conflict`` while it has not ended."""
        item = rows.read(tx, arn)
        if item is not None and item.state not in LIFECYCLE.terminal:
            raise Conflict(f"{arn} is in progress")
        self._reconciler.forget(tx, arn)

    def abandon(self, account: str) -> None:
        """End the account's exports at once and drop them. Their records are the caller's."""
        mine = [item for item in self._reconciler.items(KIND) if item.data["plan"]["account"] == account]
        self._reconciler.abandon([item.id for item in mine])
        for item in mine:
            self._processes.pop(item.data["process"], None)
            self._cleaner.remove(item.data["process"])

    # -- the driver --------------------------------------------------------------------------------------

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        state = {name: item.data[name] for name in ("failure", "artifact") if name in item.data}
        if item.state == "Failed" and "failure" not in state:
            state["failure"] = INTERNAL
        records.set_status(tx, item.id, status_of(item.state), item.entered_at, state=state)
        left = item.data["process"] if item.state in LIFECYCLE.terminal else item.data.get("left")
        if left is not None:
            self._equipment.after_commit(lambda: self._cleaner.later(left))

    def work(self, item: Item) -> Outcome:
        steps: dict[str, Callable[[Item, ExportPlan], Outcome]] = {
            "Submitted": self._begin,
            "Rendering": self._follow,
            "Uploading": self._upload,
        }
        return steps[item.state](item, ExportPlan(**item.data["plan"]))

    def _begin(self, item: Item, plan: ExportPlan) -> Outcome:
        process = item.data["process"]
        if self._equipment.runtime.observe(process) is None:
            try:
                python = self._equipment.images.tool(DOCUMENTS)
                layout = Place(self._root / process).make_afresh().make()
                card_file(layout).write_text(json.dumps(_told(plan)), encoding="utf-8")
                self._processes[process] = item.id
                self._equipment.runtime.start(self._process(process, python))
            except (EnvironmentFailed, LimitReached) as error:
                return _gave_up(f"{INTERNAL} ({error.message})")
        return Event("Started")

    def _process(self, process: str, python: Path) -> ProcessSpec:
        able = self._equipment.runtime.capabilities
        found = world(able, None, {}, request={})
        layout = Place(self._root / process).layout
        environment = {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "PYTHONPATH": str(found.package_root),
            "PYTHONIOENCODING": "utf-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "VIRTUAL_ENV": str(python.parent.parent),
            "CLOCHE_ML_ROOT": "/opt/ml" if able.ml_root_at_opt_ml else str(layout.root),
        }
        return ProcessSpec(
            id=process,
            argv=(str(python), "-P", "-m", "cloche_jobs.documents.model_card"),
            environment=environment,
            ml_root=layout.root,
            mounts=(Mount(package_folder(), str(PACKAGE_ROOT / "cloche_jobs")),),
            directory="/opt/ml" if able.ml_root_at_opt_ml else str(layout.root),
            network=False,
            limits=Limits(memory_bytes=MEMORY_BYTES, processes=16, file_bytes=DOCUMENT_BYTES_MAX),
            max_runtime_seconds=SECONDS_MAX,
            stop_grace_seconds=1.0,
        )

    def _follow(self, item: Item, plan: ExportPlan) -> Outcome:
        process = item.data["process"]
        observed = self._equipment.runtime.observe(process)
        if isinstance(observed, Running):
            return Wait(LOOK_SECONDS)
        ending = ending_of(observed)
        if ending.is_success:
            return Event("Rendered")
        if item.data["attempt"] < ATTEMPTS_MAX:
            # Nothing of the user's runs there, so it was ours: a process that was killed, or begun twice by a server
            # that was.
            again = {"process": _new_process(), "left": process, "attempt": item.data["attempt"] + 1}
            return Event("Again", again)
        told = Place(self._root / process).layout.failure
        why = reason(ending, work="export", own_entrypoint=False, told=lambda host: _read(told))
        return _gave_up(why or f"{INTERNAL} (The export took longer than {SECONDS_MAX:.0f} s.)")

    def _upload(self, item: Item, plan: ExportPlan) -> Outcome:
        document = document_file(Place(self._root / item.data["process"]).layout)
        if document.is_symlink() or not document.is_file():
            return _gave_up(f"{INTERNAL} (The export left no document.)")
        try:
            self._equipment.objects.put_file(plan.bucket, plan.key, document, Details(content_type=PDF), move=False)
        except NotFound as error:
            return _gave_up(f"ClientError: {error.message}")
        return Event("Stored", {"artifact": f"s3://{plan.bucket}/{plan.key}"})

    def _process_ended(self, process: str) -> None:
        arn = self._processes.pop(process, None)
        if arn is not None:
            self._reconciler.wake(arn)


def _new_process() -> str:
    return f"{MARK}{uuid.uuid4().hex}"


def _told(plan: ExportPlan) -> dict[str, Any]:
    return {
        "name": plan.card,
        "version": plan.version,
        "status": plan.status,
        "written_at": plan.written_at,
        "content": json.loads(plan.content),
    }


def _read(path: Path) -> str:
    try:
        return "" if path.is_symlink() else path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _gave_up(why: str) -> Event:
    return Event("GaveUp", {"failure": why[:REASON_CHARACTERS_MAX]})
