"""The model server's HTTP side against a model made of a few lines, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from cloche_jobs.contract import package_folder

MODEL = """
import sys, time
from cloche_jobs.serving import Answer, InferenceError, OneByOne, Stream, serve

class Echo(OneByOne):
    body_bytes_max = 1000
    inline_bytes_max = int(sys.argv[1])
    def answer(self, question):
        body = question.body
        if body == b"refuse":
            raise InferenceError(415, "no")
        if body == b"break":
            raise ZeroDivisionError("by zero")
        if body.startswith(b"sleep"):
            time.sleep(float(body[5:]))
        if body.startswith(b"stream"):
            return Stream(pieces(int(body[6:])), "text/plain", 200, {"X-Back": "streams"})
        return Answer(body, question.content_type or "text/plain", 200, {"X-Back": question.headers.get("x-give", "")})
    def execution_parameters(self):
        return None

def pieces(count):
    try:
        for number in range(abs(count)):
            if count < 0 and number == -count - 1:
                raise ZeroDivisionError("half way")
            yield b"%d;" % number * 10_000
            print("made", number, flush=True)
    finally:
        print("ended", flush=True)

serve(Echo)
"""


class End:
    """One connection, raw."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        line = self.stream.readline()
        assert line, "the connection was closed without an answer"
        headers: dict[str, str] = {}
        while (field := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode().partition(":")
            headers[name.lower()] = value.strip()
        return int(line.split()[1]), headers, self.stream.read(int(headers.get("content-length", 0)))

    def closed(self) -> bool:
        return self.stream.read() == b""

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


class Server:
    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self.process, self.path = process, path

    @contextmanager
    def end(self) -> Iterator[End]:
        end = End(self.path)
        try:
            yield end
        finally:
            end.close()


@pytest.fixture(scope="module", params=[1000, -1], ids=["inline", "worker"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("s") / "s", request.param) as server:
        yield server


@contextmanager
def started(path: Path, inline: int, output: IO[bytes] | None = None) -> Iterator[Server]:
    environment = {"PYTHONPATH": str(package_folder().parent), "CLOCHE_BIND": f"unix:{path}"}
    command = [sys.executable, "-c", MODEL, str(inline)]
    with subprocess.Popen(command, env=environment, stdout=output) as process:
        try:
            deadline = time.monotonic() + 60
            while not path.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield Server(process, path)
        finally:
            process.terminate()
            process.wait(30)


def post(body: bytes, extra: str = "") -> bytes:
    return f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def test_keep_alive_pings_and_paths(server: Server) -> None:
    with server.end() as end:
        for _ in range(3):
            end.send(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert end.answer()[0] == 200
            end.send(post(b"hello", "Content-Type: text/x\r\nX-Give: back\r\n"))
            status, headers, body = end.answer()
            assert (status, headers["content-type"], headers["x-back"], body) == (200, "text/x", "back", b"hello")
        for request, expected in (
            (b"GET /invocations", 405),
            (b"POST /ping", 405),
            (b"GET /nothing", 404),
            (b"GET /execution-parameters", 404),
            (b"GET /invocations?x=1", 405),
        ):
            end.send(request + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert end.answer()[0] == expected


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with server.end() as end:
        end.send(b"".join(post(b"%d" % number) for number in range(200)))
        assert [end.answer()[2] for _ in range(200)] == [b"%d" % number for number in range(200)]


def test_chunked_bodies_byte_by_byte(server: Server) -> None:
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
    data = start + b"Trail: er\r\n\r\n"
    with server.end() as end:
        for at in range(len(data)):
            end.send(data[at : at + 1])
        assert end.answer()[2] == b"abcde"
        end.send(start + b"\r\n" + post(b"next"))
        assert end.answer()[2] == b"abcde"
        assert end.answer()[2] == b"next"


def test_expect_is_answered_first(server: Server) -> None:
    with server.end() as end:
        head, _, body = post(b"hello", "Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        end.send(head + b"\r\n\r\n")
        assert end.answer()[0] == 100
        end.send(body)
        assert end.answer()[2] == b"hello"


def test_errors_of_the_model(server: Server) -> None:
    with server.end() as end:
        end.send(post(b"refuse") + post(b"break") + post(b"fine"))
        assert end.answer()[::2] == (415, b"no")
        assert end.answer()[::2] == (500, b"by zero")
        assert end.answer()[::2] == (200, b"fine")


HEAD = b"POST /invocations HTTP/1.1\r\n"
HOSTILE: dict[str, tuple[bytes, int]] = {
    "too long": (HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001, 413),
    "two lengths": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "negative length": (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    "length of words": (HEAD + b"Content-Length: +5\r\n\r\nhello", 400),
    "length and chunks": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "other coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
    "space before colon": (HEAD + b"Content-Length : 5\r\n\r\nhello", 400),
    "folded": (HEAD + b"A: b\r\n c\r\n\r\n", 400),
    "no name": (HEAD + b": b\r\n\r\n", 400),
    "no HTTP": (b"hello there\r\n\r\n", 400),
    "long head": (HEAD + b"A: " + b"x" * 70_000, 431),
    "many headers": (HEAD + b"A: b\r\n" * 300 + b"\r\n", 431),
    "bad chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    "huge chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
    "many chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"64\r\n" + b"x" * 100 + b"\r\n3e8\r\n", 413),
    "chunk without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", 400),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_requests_get_one_answer_and_are_cut_off(kind: str, server: Server) -> None:
    data, status = HOSTILE[kind]
    with server.end() as end:
        end.send(data)
        answered = end.answer()
        assert answered[0] == status
        assert answered[1]["connection"] == "close"
        assert end.closed()


def test_headers_of_the_model_cannot_break_lines(server: Server) -> None:
    with server.end() as end:
        end.send(post(b"x", "X-Give: a\x0bb\x00c\r\n"))
        assert end.answer()[1]["x-back"] == "abc"


def test_ping_answers_while_the_model_thinks_and_term_waits_for_it(tmp_path: Path) -> None:
    with started(tmp_path / "s", -1) as server, server.end() as busy, server.end() as other:
        busy.send(post(b"sleep1.5"))
        other.send(b"GET /ping HTTP/1.1\r\n\r\n")
        before = time.monotonic()
        assert other.answer()[0] == 200
        assert time.monotonic() - before < 1.4, "the ping waited for the model"
        server.process.terminate()
        status, headers, body = busy.answer()
        assert (status, body, headers["connection"]) == (200, b"sleep1.5", "close")
        assert server.process.wait(20) == 0


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("s") / "s", -1) as server:
        yield server


class TestStreams:
    """Only from the worker thread."""

    def test_chunks_and_then_another_request(self, streaming: Server) -> None:
        with streaming.end() as end:
            end.send(post(b"stream3") + post(b"next"))
            head = [end.stream.readline() for _ in range(5)]
            assert b"Transfer-Encoding: chunked\r\n" in head and b"X-Back: streams\r\n" in head
            chunks = []
            while size := int(end.stream.readline(), 16):
                chunks.append(end.stream.read(size))
                assert end.stream.read(2) == b"\r\n"
            assert end.stream.readline() == b"\r\n"
            assert chunks == [b"%d;" % number * 10_000 for number in range(3)]
            assert end.answer()[2] == b"next"

    def test_one_without_pieces_is_an_empty_body(self, streaming: Server) -> None:
        with streaming.end() as end:
            end.send(post(b"stream0") + post(b"next"))
            while end.stream.readline() != b"\r\n":
                pass
            assert (end.stream.readline(), end.stream.readline()) == (b"0\r\n", b"\r\n")
            assert end.answer()[2] == b"next"

    def test_to_http_1_0_the_body_ends_with_the_connection(self, streaming: Server) -> None:
        with streaming.end() as end:
            end.send(post(b"stream2").replace(b"HTTP/1.1", b"HTTP/1.0"))
            head, _, body = end.stream.read().partition(b"\r\n\r\n")
            assert b"chunked" not in head
            assert body == b"0;" * 10_000 + b"1;" * 10_000

    def test_an_error_on_the_way_cuts_it_off(self, streaming: Server) -> None:
        with streaming.end() as end:
            end.send(post(b"stream-3"))
            came = b""
            try:
                while piece := end.socket.recv(65_536):
                    came += piece
            except ConnectionResetError:
                pass
            assert not came.endswith(b"0\r\n\r\n")
        with streaming.end() as end:
            end.send(post(b"still here"))
            assert end.answer()[2] == b"still here"

    def test_an_error_before_the_first_piece_is_an_answer(self, streaming: Server) -> None:
        with streaming.end() as end:
            end.send(post(b"stream-1"))
            assert end.answer()[::2] == (500, b"half way")

    def test_a_reader_that_is_slow_is_waited_for_and_one_that_leaves_is_noticed(self, tmp_path: Path) -> None:
        output = tmp_path / "said"
        with output.open("wb") as said, started(tmp_path / "s", -1, said) as server:
            with server.end() as end:
                end.send(post(b"stream100000"))
                end.stream.readline()
                deadline = time.monotonic() + 20
                made = -1
                while made != (now := output.read_bytes().count(b"made")):
                    assert time.monotonic() < deadline, "it makes on and on"
                    made = now
                    time.sleep(0.3)
                assert made < 200, "the server made far more than anybody read"
            deadline = time.monotonic() + 20
            while b"ended" not in output.read_bytes():
                assert time.monotonic() < deadline, "it goes on for nobody"
                time.sleep(0.02)
            with server.end() as end:
                end.send(post(b"next"))
                assert end.answer()[2] == b"next"
