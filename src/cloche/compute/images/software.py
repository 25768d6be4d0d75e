"""What a job's process runs: the environment that stands in for one of AWS's images, or an image of the user's own.

An engine asks for the software of an image and makes its process of what that answers; which of the two it is, it need
not know. Facts about own images (the commands, the port, what is overridden by what) are those of
docs.aws.amazon.com/sagemaker/latest/dg: your-algorithms-training-algo-dockerfile.html,
your-algorithms-inference-code.html and build-your-own-processing-container.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from cloche.compute.images.own import OwnImage
from cloche.compute.runtime import Inlet, Mount, Root, Standby
from cloche_jobs.contract import PACKAGE_ROOT, Layout, command, package_folder
from cloche_jobs.contract import environment as contract
from cloche_jobs.contract.own_environment import ENVIRONMENT, make_environment

Verb = Literal["train", "serve"]
PORT: Final = 8080
"""A container of a model listens there."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Docker's, for an image that says nothing of it."""


class Software(Protocol):
    @property
    def root(self) -> Root | None:
        """What the process has as its ``/``, unless that is this machine's."""
        ...

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What it needs to see besides."""
        ...

    def argv(self, verb: Verb, entrypoint: Sequence[str] = (), arguments: Sequence[str] = ()) -> tuple[str, ...]:
        """The command line of a job or model server; the request's ``entrypoint`` and ``arguments`` win."""
        ...

    def program(self, entrypoint: Sequence[str], arguments: Sequence[str]) -> tuple[str, ...]:
        """The command line of a processing job."""
        ...

    def directory(self, usual: str) -> str:
        """Where the process begins."""
        ...

    def training_environment(self, **given: Any) -> dict[str, str]:
        """``given`` is what ``contract.environment``'s function of that name takes besides image and interpreter."""
        ...

    def processing_environment(self, **given: Any) -> dict[str, str]: ...

    def serving_environment(self, **given: Any) -> dict[str, str]: ...

    def own_programs(self, layout: Layout, root: Path, programs: Sequence[tuple[str, str]] = ()) -> Path | None:
        """Make the job's own environment on the image's, where it has one; see ``own_environment``."""
        ...

    def inlet(self, socket: Path) -> Inlet | None:
        """How requests find its model server; ``None`` for one that listens at ``socket`` itself."""
        ...

    def standby(self, modules: tuple[str, ...], later: frozenset[str], ml_root: Path, seen: str) -> Standby | None:
        """How one who stands by may become the process; ``seen`` is where it finds ``ml_root``."""
        ...


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An environment built from a lock, beside this machine's own system folders."""

    key: str
    """The catalog's."""
    python: Path
    runs_ours: bool = True
    """Whether that is new enough for the programs of ``cloche_jobs``: else nobody stands by."""

    @property
    def root(self) -> Root | None:
        return None

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return (Mount(package_folder(), str(PACKAGE_ROOT / "cloche_jobs")),)

    def argv(self, verb: Verb, entrypoint: Sequence[str] = (), arguments: Sequence[str] = ()) -> tuple[str, ...]:
        return (*entrypoint, *arguments) if entrypoint else tuple(command(self.python, verb, arguments))

    def program(self, entrypoint: Sequence[str], arguments: Sequence[str]) -> tuple[str, ...]:
        return (*entrypoint, *arguments)

    def directory(self, usual: str) -> str:
        return usual

    def training_environment(self, **given: Any) -> dict[str, str]:
        return contract.training_environment(image=self.key, python=self.python, **given)

    def processing_environment(self, **given: Any) -> dict[str, str]:
        return contract.processing_environment(image=self.key, python=self.python, **given)

    def serving_environment(self, **given: Any) -> dict[str, str]:
        return contract.serving_environment(image=self.key, python=self.python, **given)

    def own_programs(self, layout: Layout, root: Path, programs: Sequence[tuple[str, str]] = ()) -> Path | None:
        return make_environment(layout, self.python, root, programs)

    def inlet(self, socket: Path) -> Inlet | None:
        return None

    def standby(self, modules: tuple[str, ...], later: frozenset[str], ml_root: Path, seen: str) -> Standby | None:
        if not self.runs_ours:
            return None
        prefix = f"{seen}/{ENVIRONMENT}" if (ml_root / ENVIRONMENT).is_dir() else ""
        return Standby(modules, later, python=str(self.python), prefix=prefix)


@dataclass(frozen=True, slots=True)
class OwnSoftware:
    """A container: the image's files are all it sees, and what the image says of itself is what runs."""

    image: OwnImage

    @property
    def root(self) -> Root | None:
        user = self.image.user
        return Root(
            self.image.root,
            self.image.in_use,
            user.uid,
            user.gid,
            self.image.config.stop_signal,
            self.image.stored,
            user.groups,
        )

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return ()

    def argv(self, verb: Verb, entrypoint: Sequence[str] = (), arguments: Sequence[str] = ()) -> tuple[str, ...]:
        """As ``docker run IMAGE train``: the word takes the place of the image's ``CMD``."""
        if entrypoint:
            return (*entrypoint, *arguments)
        return (*self.image.config.entrypoint, *(arguments or (verb,)))

    def program(self, entrypoint: Sequence[str], arguments: Sequence[str]) -> tuple[str, ...]:
        """As ``docker run --entrypoint``: one given drops the image's ``CMD``, arguments take its place."""
        if entrypoint:
            return (*entrypoint, *arguments)
        return (*self.image.config.entrypoint, *(arguments or self.image.config.command))

    def directory(self, usual: str) -> str:
        return self.image.config.directory

    def training_environment(self, **given: Any) -> dict[str, str]:
        named = {"TRAINING_JOB_NAME": given["job_name"], "TRAINING_JOB_ARN": given["job_arn"]}
        return self._environment({**named, "CURRENT_HOST": given["host"]}, given)

    def processing_environment(self, **given: Any) -> dict[str, str]:
        return self._environment({"CURRENT_HOST": given["host"]}, given)

    def serving_environment(self, **given: Any) -> dict[str, str]:
        return self._environment({"SAGEMAKER_REGION": given["region"]}, given)

    def _environment(self, named: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
        """The image's own, the platform's, the request's: the later win."""
        return {
            "PATH": _PATH,
            **({"HOME": self.image.user.home} if self.image.user.home else {}),
            **dict(self.image.config.environment),
            **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), given["region"]),
            **named,
            **given["request"],
            **given["extra"],
        }

    def own_programs(self, layout: Layout, root: Path, programs: Sequence[tuple[str, str]] = ()) -> Path | None:
        return None

    def inlet(self, socket: Path) -> Inlet | None:
        return Inlet(socket, PORT)

    def standby(self, modules: tuple[str, ...], later: frozenset[str], ml_root: Path, seen: str) -> Standby | None:
        return None
