"""A headless Chromium, driven over chromedriver's own protocol (W3C WebDriver): a dozen calls, so no library for them.

Nothing is downloaded and nothing outside this machine is asked: the browser has an empty profile of its own, and its
background services are off.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element reference, by the W3C recommendation
ENTER, ESCAPE = "\ue007", "\ue00c"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
]
WAIT_SECONDS_MAX = 40.0


class Refused(Exception):
    """What the driver said it cannot do."""


class Browser:
    """One window. ``close`` ends the browser and its driver."""

    def __init__(self, profile: Path) -> None:
        driver, chromium = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("chromium-browser")
        if driver is None or chromium is None:
            pytest.skip("the console is tested in headless Chromium: neither chromium nor chromedriver is on this PATH")
        self._process = subprocess.Popen(
            [driver, "--port=0", "--allowed-ips=127.0.0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._url = f"http://127.0.0.1:{self._port()}"
        options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
            "unhandledPromptBehavior": "ignore",
        }
        try:
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self._url += f"/session/{made['sessionId']}"
        self.downloads = profile.parent / "downloads"
        self.downloads.mkdir(exist_ok=True)
        self.devtools("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def _port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "started successfully on port" in line:
                return int(line.rstrip().rstrip(".").rpartition(" ")[2])
        raise AssertionError("chromedriver ended without a port")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(json.loads(error.read())["value"]["message"]) from None

    def close(self) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._process.terminate()
            self._process.wait(20)
            assert self._process.stdout is not None
            self._process.stdout.close()

    # -- going and looking --------------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._ask("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript function body in the page."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str = "body") -> str:
        """The shown text of the first match; empty where there is none."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        return list(self.run(script, selector))

    def wait(self, what: str, holds: Callable[[], Any]) -> Any:
        """The first truthy answer of ``holds``."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                if found := holds():
                    return found
            except Refused:  # the page is changing
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not on {self.url}, which shows:\n{self.text()[:3000]}")
            time.sleep(0.05)

    def wait_text(self, text: str, selector: str = "body") -> None:
        self.wait(f"{text!r} in {selector}", lambda: text in self.text(selector))

    # -- acting --------------------------------------------------------------------------------------------------

    def _element(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._element(selector)}/click", {})

    def click_link(self, text: str) -> None:
        found = self._ask("POST", "/element", {"using": "link text", "value": text})
        self._ask("POST", f"/element/{found[ELEMENT]}/click", {})

    def fill(self, selector: str, text: str) -> None:
        element = self._element(selector)
        self._ask("POST", f"/element/{element}/clear", {})
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Keys one after the other, wherever the focus is."""
        for key in keys:
            steps = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
            self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def accept_question(self) -> None:
        """Say yes to the page's ``confirm``."""
        self.wait("a question", lambda: self._ask("GET", "/alert/text"))
        self._ask("POST", "/alert/accept", {})

    # -- this browser's own ----------------------------------------------------------------------------------------

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def wear(self, scheme: str) -> None:
        """``light`` or ``dark``, as the reader's system would say."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def resize(self, width: int, height: int) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700
        )

    def screenshot(self, path: Path) -> None:
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """What the page logged since the last look, as errors or warnings: script errors, policy violations."""
        entries = self._ask("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
