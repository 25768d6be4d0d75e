"""Start a fresh Cloche for the demo, as a person would: by its command line."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

CLOCHE = str(Path(sys.executable).with_name("cloche"))


class Stage:
    """A fresh server on ``data`` (emptied first), listening on the first free port from ``port``."""

    def __init__(self, data, port=4566):
        self.data = Path(data).resolve()
        self.port = port
        self.process = None
        self.log = self.data / "server.log"

    def up(self):
        if self.data.exists():
            self._cloche("down", check=False)
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700, parents=True)
        while not _free(self.port):
            self.port += 1
        command = [CLOCHE, "up", "--data", str(self.data), "--port", str(self.port)]
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        while True:
            if self.process.poll() is not None:
                sys.exit(f"cloche up ended with {self.process.returncode}:\n{self.log.read_text()}")
            if not _free(self.port) and "ready" in self.log.read_text().lower():
                return time.perf_counter() - began
            time.sleep(0.01)

    def down(self):
        self._cloche("down")

    def environment(self):
        """What `cloche env` would have a shell export."""
        return json.loads(self._cloche("env", "--format", "json"))

    def console(self):
        for line in self.log.read_text().splitlines():
            for word in line.split():
                if word.startswith("http") and "token" in word:
                    return word
        return f"http://127.0.0.1:{self.port}/"

    def image_python(self, image):
        """The interpreter of an image's environment, built now if it is not there; its progress is shown."""
        found = subprocess.run(
            [CLOCHE, "images", "python", image], stdout=subprocess.PIPE, text=True, check=True, env=os.environ
        )
        return found.stdout.strip().splitlines()[-1]

    def _cloche(self, *arguments, check=True):
        command = [CLOCHE, *arguments, "--data", str(self.data)]
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True).stdout


def _free(port):
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) != 0
