"""The clock in the console: shown, turned, and said on every page while it is untouched."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import Browser

HOSTILE = (
    "",
    "an hour",
    "1",
    "-1h",
    "1e9d",
    "nan",
    "<b>1h</b>",
    "\u0661d",
    "9" * 5000 + "w",
    "999999999w",
    "0.s",
    "1h\x00",
)


class Turning:
    """The page's own requests, without its scripts."""

    def __init__(self, server: Any) -> None:
        self.url = server.url
        self.link = f"{server.url}/?token={(server.data / 'keys' / 'console.token').read_text().strip()}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self._opener.open(self.link).close()

    def page(self, path: str = "/_cloche/time") -> str:
        with self._opener.open(self.url + path) as answer:
            return str(answer.read().decode())

    def turn(self, origin: str = "", **form: str) -> str:
        data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(f"{self.url}/_cloche/time", data, {"Origin": origin or self.url})
        with self._opener.open(request) as answer:
            assert answer.headers["hx-trigger"] == "moved, turned"
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def untouched(server: Any) -> Turning:
    """The session's server, whose clock nobody may turn."""
    return Turning(server)


def test_the_head_is_silent_while_the_clock_is_the_machines(untouched: Turning) -> None:
    assert "Cloche&#39;s clock" not in untouched.page("/") and "Cloche's clock" not in untouched.page("/")
    page = untouched.page()
    assert ">runs</span>" in page and ">Freeze<" in page and ">Resume<" not in page
    assert "housekeeping" in page.partition("What falls due next")[2]


@pytest.mark.parametrize("span", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_span_is_said_and_nothing_moves(untouched: Turning, span: str) -> None:
    said = untouched.turn(do="advance", span=span)
    assert "is no span of time" in said or "50 years at most" in said
    assert "<b>" not in said and len(said) < 300
    assert ">runs</span>" in untouched.page()


def test_only_the_consoles_own_pages_turn_it(untouched: Turning) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        untouched.turn(origin="http://elsewhere.example", do="freeze")
    refused.value.close()
    assert refused.value.code == 403
    assert "do is freeze, resume, advance or stop" in untouched.turn(do="set")
    assert ">runs</span>" in untouched.page()


@pytest.mark.slow
def test_a_reader_turns_it_and_every_page_says_so(
    browser: Browser, start_server: Callable[..., Any], screenshots: Path
) -> None:
    turned = Turning(start_server())
    browser.resize(1280, 900)
    browser.wear("light")
    browser.open(turned.link)
    browser.open(f"{turned.url}/_cloche/time")
    browser.complaints()

    def press(label: str) -> None:
        script = "return [...document.querySelectorAll('button')].findIndex(b => b.innerText === arguments[0])"
        browser.wait(f"a button {label}", lambda: browser.run(script, label) >= 0)
        browser.run("[...document.querySelectorAll('button')].find(b => b.innerText === arguments[0]).click()", label)

    assert browser.text("#turned").strip() == ""
    press("Freeze")
    browser.wait_text("stands still", "#clock")
    browser.wait_text("stands still", "#turned")
    stood = browser.text("#clock .tile b")
    press("7 days")
    browser.wait("seven days later", lambda: "7 d ahead" in browser.text("#clock"))
    assert browser.text("#clock .tile b")[10:] == stood[10:]
    browser.fill("#clock input[name=span]", "1 day")
    press("Advance")
    browser.wait_text("1 day is no span of time", "#said")
    assert browser.run("return document.querySelector('#clock input[name=span]').value") == "1 day"
    browser.fill("#clock input[name=span]", "+1d12h")
    press("Advance")
    browser.wait("a day and a half later", lambda: "8 d 12 h ahead" in browser.text("#clock"))
    assert browser.text("#said").strip() == ""
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 400)):
        browser.wear(scheme)
        browser.resize(width, 900)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        browser.screenshot(screenshots / f"clock-{scheme}-{width}.png")
    browser.resize(1280, 900)
    browser.open(turned.url)
    browser.wait_text("stands still, 8 d 12 h ahead of the machine's", "#turned")
    nav = "const nav = document.querySelector('header nav'); return nav.scrollWidth - nav.clientWidth"
    assert browser.run(nav) <= 0
    browser.screenshot(screenshots / "clock-head.png")
    turned.turn(do="resume")
    browser.wait_text("runs, 8 d 12 h ahead of the machine's", "#turned")
    browser.open(f"{turned.url}/_cloche/time")
    browser.fill("#clock input[name=span]", "9000d")
    press("Advance")  # housekeeping has something to do in every hour of it
    browser.wait_text("of 9000 d have passed", "#clock")
    browser.wait_text("is on its way to", "#turned")
    far = browser.text("#clock .tile b")
    browser.wait("the way it goes", lambda: browser.text("#clock .tile b") > far)
    browser.screenshot(screenshots / "clock-on-its-way.png")
    assert "is being advanced already" in turned.turn(do="advance", span="1h")
    press("Stop here")
    browser.wait_text("a second each second", "#clock")
    browser.wait("the buttons", lambda: "Freeze" in browser.texts("#clock button"))
    assert browser.complaints() == []
    browser.open("about:blank")
