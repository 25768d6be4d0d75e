"""The program's work with a model server that is a thread of the test: order, failures, blame, nothing done twice."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cloche_jobs.transform import asking, working
from cloche_jobs.transform.asking import manner_of, wait_until_ready
from cloche_jobs.transform.batch import File, Manner, Orders, Server
from cloche_jobs.transform.working import Journal, Work, begin_out

Answer = Callable[[bytes], tuple[int, bytes]]


@dataclass
class Model:
    """A model server on a Unix socket. ``answer`` may be replaced."""

    socket: str
    answer: Answer = lambda body: (200, body)
    asked: list[bytes] = field(default_factory=list)
    parameters: bytes = b""
    heads: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def model() -> Iterator[Model]:
    with tempfile.TemporaryDirectory() as folder:
        held = Model(f"{folder}/s")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                known = self.path == "/ping" or (self.path == "/execution-parameters" and held.parameters)
                self._send(200 if known else 404, held.parameters if self.path != "/ping" else b"")

            def do_POST(self) -> None:
                body = self._chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else b""
                body = body or self.rfile.read(int(self.headers.get("Content-Length") or 0))
                held.asked.append(body)
                held.heads.append(dict(self.headers))
                self._send(*held.answer(body))

            def _chunks(self) -> bytes:
                found = b""
                while size := int(self.rfile.readline(), 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return found

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "text/csv")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

            def address_string(self) -> str:
                return ""

        class Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Whoever asked has gone, as some tests want it."""

        with Listener(held.socket, Handler) as listener:
            thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield held
            listener.shutdown()
            thread.join()


@dataclass
class Desk:
    folder: Path
    model: Model

    def run(self, files: dict[str, bytes], concurrent: int = 1, payload_mb: int = 6, **orders: Any) -> Orders:
        listed = []
        for number, (name, body) in enumerate(files.items()):
            path = self.folder / f"in-{number}"
            path.write_bytes(body)
            listed.append(File(str(path), str(self.folder / "out" / str(number)), f"bucket/{name}"))
        given = {"content_type": "text/csv", "split": "Line", "assemble": "Line", "timeout_seconds": 10.0, **orders}
        made = Orders(
            tuple(listed),
            (Server((self.model.socket,), tuple(range(len(listed)))),),
            str(self.folder / "log"),
            str(self.folder / "report"),
            **given,
        )
        begin_out(made)
        manner = Manner(made.strategy or "MULTI_RECORD", payload_mb, concurrent)
        with closing(Journal(made)) as journal:
            Work(made, (self.model.socket,), manner, journal).run(made.servers[0].files)
        return made

    def out(self, number: int) -> bytes | None:
        path = self.folder / "out" / str(number)
        return path.read_bytes() if path.exists() else None

    def report(self) -> list[dict[str, Any]]:
        path = self.folder / "report"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def desk(tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(working, "RETRY_PAUSE_SECONDS", 0.0)
    return Desk(tmp_path, model)


def test_answers_are_in_the_order_of_the_records_whoever_answers_first(desk: Desk) -> None:
    def slow_first(body: bytes) -> tuple[int, bytes]:
        time.sleep(0.1 if body == b"0" else 0.0)
        return 200, b"<" + body + b">"

    desk.model.answer = slow_first
    rows = b"".join(b"%d\n" % number for number in range(40))
    desk.run({"a.csv": rows, "b.csv": b"7\n"}, concurrent=4, strategy="SINGLE_RECORD")
    assert desk.out(0) == b"".join(b"<%d>\n" % number for number in range(40))
    assert desk.out(1) == b"<7>\n"
    assert len(desk.model.asked) == 41


def test_headers_of_a_question(desk: Desk) -> None:
    desk.run({"a": b"1\n"}, accept="application/json")
    (head,) = desk.model.heads
    assert (head["Content-Type"], head["Accept"], head["Content-Length"]) == ("text/csv", "application/json", "2")


def test_without_a_limit_a_file_comes_in_chunks(desk: Desk) -> None:
    desk.run({"a": b"1\n2\n"}, payload_mb=0, split="None")
    assert desk.out(0) == b"1\n2\n"
    assert desk.model.heads[0]["Transfer-Encoding"] == "chunked"


def test_a_bad_record_costs_its_file_and_no_other(desk: Desk) -> None:
    def picky(body: bytes) -> tuple[int, bytes]:
        return (400, b"abc is no number") if b"abc" in body else (200, body)

    desk.model.answer = picky
    rows = [b"%d,1" % number for number in range(1000)]
    rows[702] = b"abc,1"
    desk.run({"bad.csv": b"\n".join(rows), "good.csv": b"1,1\n"})
    assert (desk.out(0), desk.out(1)) == (None, b"1,1\n")
    assert not list((desk.folder / "out").glob("*.part"))
    (entry,) = desk.report()
    assert entry == {"file": 0, "kind": "ClientError", "where": "line 703", "message": "abc is no number"}
    log = (desk.folder / "log").read_text()
    assert ":[sagemaker logs]: bucket/bad.csv: ClientError: 400\n" in log
    assert ":[sagemaker logs]: bucket/bad.csv: line 703: abc is no number\n" in log
    assert len(desk.model.asked) < 2 + 2 * 10, "the line was looked for by halves"


def test_a_row_that_is_no_csv_of_its_file_is_found_without_asking(desk: Desk) -> None:
    desk.model.answer = lambda body: (415, b"no")
    desk.run({"a.csv": b"1,2\n3,4\n5\n6,7\n"})
    assert desk.report()[0]["where"] == "line 3"
    assert "1 columns where the first line has 2" in desk.report()[0]["message"]
    assert len(desk.model.asked) == 1


def test_a_model_that_refuses_the_whole_alone_is_told_with_where_it_began(desk: Desk) -> None:
    desk.model.answer = lambda body: (413, b"too long") if len(body) > 8 else (200, body)
    desk.run({"a.csv": b"1,2\n3,4\n5,6\n"})
    (entry,) = desk.report()
    assert (entry["where"], entry["message"]) == ("from line 1 on", "too long")


@pytest.mark.parametrize("content_type", ["text/csv", "application/jsonlines", "text/libsvm"])
def test_in_a_file_that_is_asked_whole_the_line_is_found_where_it_has_lines(desk: Desk, content_type: str) -> None:
    desk.model.answer = lambda body: (400, b"9 is too much") if b"9" in body else (200, body)
    desk.run({"a": b"1\n2\n9\n4\n"}, split="None", content_type=content_type)
    (entry,) = desk.report()
    has_lines = content_type != "text/libsvm"
    assert (entry["where"], entry["message"]) == ("line 3" if has_lines else "", "9 is too much")


def test_the_models_own_faults_are_tried_again(desk: Desk) -> None:
    statuses = iter([500, 503, 200])
    desk.model.answer = lambda body: (next(statuses), body)
    desk.run({"a": b"1\n"}, retries=2)
    assert desk.out(0) == b"1\n"
    desk.model.answer = lambda body: (500, b"broken")
    desk.run({"b": b"2\n"} | {"c": b"3\n"}, retries=1)
    assert [entry["message"] for entry in desk.report()][-1] == "Bad HTTP status received from algorithm: 500: broken"
    assert desk.report()[-1]["kind"] == "AlgorithmError"


def test_a_model_that_breaks_on_what_is_no_json_is_told_with_the_line(desk: Desk) -> None:
    desk.model.answer = lambda body: (500, b"Expecting value")
    desk.run({"a.jsonl": b'{"x":1}\n{"x":2}\n{"x":\n'}, retries=0, content_type="application/jsonlines")
    (entry,) = desk.report()
    assert (entry["kind"], entry["where"]) == ("AlgorithmError", "line 3")
    assert entry["message"] == "Bad HTTP status received from algorithm: 500: Expecting value"


def test_no_answer_in_time(desk: Desk) -> None:
    desk.model.answer = lambda body: (time.sleep(1.0), (200, body))[1]  # type: ignore[func-returns-value]
    desk.run({"a": b"1\n"}, retries=0, timeout_seconds=0.1)
    assert desk.report()[0]["message"].startswith("Unable to get response from algorithm")


def test_an_answer_without_an_end_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_BYTES_MAX", 1000)
    desk.model.answer = lambda body: (200, b"x" * 2000)
    desk.run({"a": b"1\n"}, retries=0)
    assert "longer than 1000 bytes" in desk.report()[0]["message"]


def test_a_link_in_place_of_the_models_socket_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    """What a model puts there may lead to another's server, which the program could reach."""
    others = desk.model.socket
    desk.model.socket = str(tmp_path / "link")
    Path(desk.model.socket).symlink_to(others)
    desk.run({"a": b"1\n"}, retries=0)
    assert desk.report()[0]["message"].endswith("is no socket")
    assert desk.model.asked == []


def test_what_is_there_is_not_made_again(desk: Desk) -> None:
    (desk.folder / "out").mkdir()
    (desk.folder / "out" / "0").write_bytes(b"made before")
    (desk.folder / "out" / "1.part").write_bytes(b"half")
    desk.run({"a": b"1\n", "b": b"2\n"})
    assert (desk.out(0), desk.out(1)) == (b"made before", b"2\n")
    assert desk.model.asked == [b"2\n"]


def test_a_file_without_records_has_an_output_without_any(desk: Desk) -> None:
    desk.run({"empty": b"", "blank": b"\n\n"})
    assert (desk.out(0), desk.out(1), desk.model.asked) == (b"", b"", [])


def test_the_request_goes_before_the_model_and_that_before_the_defaults(model: Model, tmp_path: Path) -> None:
    def manner(**orders: Any) -> Manner:
        return manner_of(model.socket, Orders((), (), "", "", **orders))

    assert wait_until_ready(model.socket, 5.0)
    assert manner() == Manner("MULTI_RECORD", 6, 1)
    model.parameters = json.dumps(
        {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 20}
    ).encode()
    assert manner() == Manner("SINGLE_RECORD", 20, 8)
    assert manner(strategy="MULTI_RECORD", payload_mb=0, concurrent=3) == Manner("MULTI_RECORD", 0, 3)
    assert manner(concurrent=0) == Manner("SINGLE_RECORD", 20, 8), "0 asks the model, as AWS says"
    for nonsense in (b"[]", b"{", b'{"MaxConcurrentTransforms": 1e9, "BatchStrategy": 1, "MaxPayloadInMB": -1}'):
        model.parameters = nonsense
        assert manner() == Manner("MULTI_RECORD", 6, 1)
    assert str(Manner()) == "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    assert not wait_until_ready(str(tmp_path / "none"), 0.05)
