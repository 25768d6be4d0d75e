"""Start a fresh Cloche for the demo, as a person would: by its command line."""

import json
import queue
import socket
import subprocess
import sys
import threading
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
        if (self.data / "cloche.db").exists():
            self._cloche("reset", "--yes")
        elif self.data.exists() and any(self.data.iterdir()):
            sys.exit(f"{self.data} is not empty and holds no Cloche: choose another folder with --data")
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        while not _free(self.port):
            self.port += 1
        command = [CLOCHE, "up", "--data", str(self.data), "--port", str(self.port)]
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while True:
            if self.process.poll() is not None:
                sys.exit(f"cloche up ended with {self.process.returncode}:\n{self.log.read_text()}")
            if not _free(self.port) and "ready" in self.log.read_text().lower():
                return time.perf_counter() - began
            time.sleep(0.01)

    def down(self):
        """Stop the server, and the model servers that would outlive it."""
        if self.process is None:
            return
        self._cloche("down", "--all", check=False)
        if self.process.poll() is None:  # it had not come so far as to write down where it is
            self.process.terminate()
        self.process.wait()

    def environment(self):
        """What `cloche env` would have a shell export."""
        return json.loads(self._cloche("env", "--format", "json"))

    def console(self):
        for line in self.log.read_text().splitlines():
            for word in line.split():
                if word.startswith("http") and "token" in word:
                    return word
        return f"http://127.0.0.1:{self.port}/"

    def image_python(self, image, tell):
        """The interpreter of an image's environment, built now if it is not there.

        ``tell(line, seconds)`` is called with each line of progress, and with the last one again every second.
        """
        command = [CLOCHE, "images", "python", image]
        began, line, lines = time.perf_counter(), "", queue.SimpleQueue()
        building = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=lambda: [lines.put(each) for each in (*building.stderr, None)], daemon=True).start()
        while line is not None:
            try:
                line = lines.get(timeout=1)
            except queue.Empty:
                pass
            if line:
                tell(line.strip(), time.perf_counter() - began)
        found = building.stdout.read()
        if building.wait():
            sys.exit(f"the environment of {image} could not be built")
        return found.strip().splitlines()[-1]

    def _cloche(self, *arguments, check=True):
        command = [CLOCHE, *arguments, "--data", str(self.data)]
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True).stdout


def _free(port):
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) != 0
