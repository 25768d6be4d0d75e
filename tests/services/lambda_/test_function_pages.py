"""The console's pages of functions, as they come: the list, invocations, their log; how REPORT lines are read."""

from __future__ import annotations

import http.cookiejar
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from function_requests import ask, make_function

from cloche.console.functions import invocations


def _opener(server: Any) -> urllib.request.OpenerDirector:
    token = (server.data / "keys" / "console.token").read_text().strip()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    opener.open(f"{server.url}/?token={token}").close()
    return opener


def test_a_function_and_its_invocations_are_shown(server: Any) -> None:
    code = "def lambda_handler(event, context):\n    print('<b>seen</b>')\n    return 1 / event\n"
    make_function(server.client, "shown-here", code, Environment={"Variables": {"COLOUR": "<green>"}})
    requests = [ask(server.client, "shown-here", event)[0]["ResponseMetadata"]["RequestId"] for event in (1, 0)]
    opener = _opener(server)
    with opener.open(f"{server.url}/_cloche/functions") as answer:
        assert 'href="/_cloche/functions/shown-here"' in answer.read().decode()
    deadline, page = time.monotonic() + 30, ""
    while time.monotonic() < deadline and not all(f'data-key="{each}"' in page for each in requests):
        with opener.open(f"{server.url}/_cloche/functions/shown-here") as answer:
            page = answer.read().decode()
    rows = page.split('<tr data-key="')[1:]
    assert [requests.index(row.partition('"')[0]) for row in rows] == [1, 0]
    assert ">error<" in rows[0] and ">answered<" in rows[1]
    assert "warm" in rows[0] and "cold, " in rows[1]
    assert "&lt;b&gt;seen&lt;/b&gt;" in page and "<b>seen" not in page
    assert "&lt;green&gt;" in page and "ZeroDivisionError" in page
    with pytest.raises(urllib.error.HTTPError, match="404"):
        opener.open(f"{server.url}/_cloche/functions/nobody")


def test_reports_are_read_with_and_without_what_may_be_missing() -> None:
    head = "REPORT RequestId: r\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t"
    events = [
        {"timestamp": 1000, "message": head + "Max Memory Used: 30 MB\tInit Duration: 9.10 ms\t"},
        {"timestamp": 2000, "message": head + "Status: timeout\t"},
        {"timestamp": 3000, "message": "REPORT nonsense"},
    ]
    newest, oldest = invocations(events)
    assert (newest["status"], newest["used"], newest["init"]) == ("timeout", None, None)
    assert (oldest["status"], oldest["used"], oldest["init"], oldest["at"]) == ("", "30", "9.10", 1.0)
