"""One host of a process: the job's tree on it, and what it prints on its way to the host's own file."""

from __future__ import annotations

import os

from .groups import Groups
from .holding import Plain, Sandboxed
from .launching import COPY_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .contained import Contained


class Host:
    """``number`` counts from 0; it is what the server knows the host by."""

    def __init__(self, number: int, spec: dict[str, Any], room: int) -> None:
        self.number = number
        self.spec = spec
        self.room = room
        self.process: Sandboxed | Plain | Contained | None = None
        self.groups: Groups | None = None
        self.ending: tuple[int, int] | None = None
        self.source: int | None = None
        self.is_expected = False
        self.output = os.open(output_name(number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.before = os.fstat(self.output).st_size
        """How much is there that no process has printed."""

    def network(self) -> int:
        """A descriptor of the network that is there for it; -1 where one has to be made."""
        if not self.spec["container"]:
            return -1
        from .contained import network_of

        self.is_expected = True
        return network_of(self.spec["container"])

    def kill(self) -> None:
        """Its process; or what was made for that, where it came to none."""
        if self.process is not None:
            self.process.kill()
        elif self.is_expected:
            from .contained import remove

            self.is_expected = False
            remove(self.spec["container"])

    def begin(self) -> None:
        """Start the process; 1 and 2, which it inherits, are the way into its output until the next host's turn."""
        self.source, sink = os.pipe()
        os.set_blocking(self.source, False)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(sink)
        if self.spec["groups"]:
            self.groups = Groups(self.spec["groups"])
        if self.spec["container"]:
            from .contained import Contained

            self.process = Contained(self.spec)
        else:
            is_boxed = self.spec["command"] or self.spec["enclosed"]
            self.process = Sandboxed(self.spec, self.groups) if is_boxed else Plain(self.spec)

    def look(self) -> None:
        """Note whether it has ended."""
        if self.process is not None and self.ending is None:
            self.ending = self.process.ended()
            if self.ending is not None:
                self.process.kill()

    @property
    def failed(self) -> bool:
        return self.ending is not None and self.ending != (0, -1)

    @property
    def memory_ran_out(self) -> bool:
        if not self.failed:
            return False
        if self.spec["container"]:
            return bool(getattr(self.process, "memory_ran_out", False))
        return self.groups is not None and self.groups.memory_ran_out()

    def copy(self) -> None:
        """Move what was printed into the file; once that is full, read on and drop."""
        while self.source is not None:
            try:
                data = os.read(self.source, COPY_BYTES)
            except BlockingIOError:
                return
            if not data:
                os.close(self.source)
                self.source = None
                return
            if self.room > 0:
                self._keep(data[: self.room])
                self.room -= len(data)
                if self.room <= 0:
                    self._keep(b"\n[cloche] the log of this process is full; what follows is not kept\n")

    def _keep(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.output, view) :]
        except OSError:
            self.room = 0  # the disk is full: the process goes on, its log does not

    def printed(self) -> str:
        with open(output_name(self.number), "rb") as file:  # noqa: PTH123
            file.seek(self.before)
            return file.read(4096).decode("utf-8", "replace").strip()


def output_name(number: int) -> str:
    return f"output-{number}" if number else "output"
