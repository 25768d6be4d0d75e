"""The half outside of a process that stands by: started before it is known what it will do.

Making a sandbox, an interpreter and its imports takes many times what starting costs otherwise. So one is made ahead:
this runner starts it, says ``+`` and waits for its standard input. A second document there means that the folder it
works in has become a process's: it is claimed as by any runner, ``+`` said to that, and the one who stands by is told
its job. The end of the input means that the server has gone; then this goes too, and nobody will have noticed. Both
documents come by that pipe: what would be a file for a moment costs more than reading it.

One serves one process, and what it serves is exactly as isolated, limited and watched as any other. Where it cannot
take the job over, the same runner starts it in the ordinary way.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import select
import time

from .holding import Sandboxed
from .host import Host
from .launching import NotStartedError, drain, read_sized, write_all
from .outside import Runner


class StandingBy(Runner):
    def _told(self) -> bytes:
        return read_sized(0) or os._exit(1)

    def run(self) -> None:
        self._heed_signals()
        lock = os.open(".", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # as long as this runs: nobody removes the folder
        self.asked, self.answer = os.dup(0), os.dup(1)
        self.nothing = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(self.nothing, descriptor)
        self.hosts = [Host(0, self.spec["hosts"][0], 1 << 16)]
        self.started_at, self.began = time.time(), time.monotonic()
        try:
            self._start()
            os.write(self.answer, b"+")
            if spec := self._wanted():
                self._take_over(spec)
                return
        except (NotStartedError, OSError):
            pass
        self._end_all()

    def _wanted(self) -> bytes:
        """What the folder's process is to be; nothing where there will be none."""
        host = self.hosts[0]
        assert host.process is not None
        while True:
            watched = [self.wake, self.asked, *host.process.descriptors]
            if host.source is not None:
                watched.append(host.source)
            ready, _, _ = select.select(watched, [], [])
            drain(self.wake)
            self._reap()
            host.copy()
            host.look()
            if host.ending is not None or self.stop_asked:
                return b""
            if self.asked in ready:
                return read_sized(self.asked)

    def _take_over(self, spec: bytes) -> None:
        """The folder has become a process's, under another name."""
        self.spec = marshal.loads(spec)  # noqa: S302 - from our own server
        self.started_at, self.began = time.time(), time.monotonic()
        if not self._claim(self._process()):
            self._end_all()
            return
        host = self.hosts[0]
        os.ftruncate(host.output, 0)  # what it said while it stood by is nobody's, and gone before anybody may read it
        if self.spec["notice"]:
            write_all(host.output, f"{self.spec['notice']}\n".encode())
        is_told = not self.spec["order"]["mounts"]  # whose folders have to be bound waits until they are
        if is_told:
            self._tell()
        self._bound()
        if host.groups is not None:
            host.groups.take_share()
        host.spec, host.room = self.spec["hosts"][0], int(self.spec["output_bytes_max"])
        try:
            assert isinstance(host.process, Sandboxed)
            host.process.assign(self.spec["order"])
        except (NotStartedError, OSError):
            if not is_told:
                self._tell()
            self._end_all()
            self.hosts = [Host(0, self.spec["hosts"][0], host.room)]
            self._run()
            return
        if not is_told:
            self._tell()
        self._go_on()

    def _close(self, ending: tuple[str, int, int], message: str) -> None:
        super()._close(ending, message)
        self._tell()

    def _tell(self) -> None:
        """The folder is claimed; later, the process has ended. A server that was killed hears nothing, and its process
        goes on."""
        try:
            os.write(self.answer, b"+")
        except OSError:
            pass
