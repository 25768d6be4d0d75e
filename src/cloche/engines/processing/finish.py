"""What an ended process leaves: files in S3, an exit message, and a reason if it failed."""

from __future__ import annotations

from dataclasses import dataclass

from cloche.engines.processing.plan import Plan
from cloche.engines.processing.staging import folders_of
from cloche.foundation.errors import Invalid, NotFound
from cloche.jobs import ending
from cloche.jobs.ending import Ending
from cloche.jobs.folders import Folders
from cloche.jobs.place import Place, is_own_folder
from cloche_jobs import catalog
from cloche_jobs.contract.processing import EXIT_MESSAGE_BYTES_MAX, read_exit_message


@dataclass(frozen=True, slots=True)
class Left:
    exit_message: str | None
    failure: str | None
    """``None`` unless the job failed by itself."""


def collect(plan: Plan, place: Place, ended: Ending, folders: Folders) -> Left:
    """Store what the job wrote: all of it after a success, else what is uploaded continuously. May be repeated."""
    message = unreadable = None
    try:
        message = exit_message(plan, place)
    except ValueError:
        # The rule: docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html; the words are Cloche's own.
        unreadable = "ClientError: What the job wrote to /opt/ml/output/message is not UTF-8 text."
    said = message if plan.entrypoint == catalog.by_key(plan.image).entrypoint else None  # an image's own program
    failure = ending.reason(ended, work="processing", own_entrypoint=True, told=lambda host: said or "") or unreadable
    is_success = ended.is_success and failure is None
    try:
        folders.finish(plan.arn, folders_of(plan, place, continuous=None if is_success else True))
    except (NotFound, Invalid) as error:
        failure = failure or f"ClientError: Upload of outputs failed: {error.message}"
    return Left(message, failure)


def exit_message(plan: Plan, place: Place) -> str | None:
    """What all hosts left to say, one after the other, the first KB of it. Raises ``ValueError``."""
    said: list[str] = []
    for host in plan.hosts:
        layout = place.of_host(host.number).layout
        if is_own_folder(layout.output, layout.root):
            said.append(read_exit_message(layout.output / "message") or "")
    return "".join(said).encode()[:EXIT_MESSAGE_BYTES_MAX].decode(errors="ignore") or None
