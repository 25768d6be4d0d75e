"""Containers in a row, against toy servers on real sockets: what each is asked, and what ends the row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.connection import Unanswered, Unreachable
from cloche.engines.hosting.relay import Relay, Way
from cloche.engines.hosting.request import request_bytes, request_head

Answering = Callable[[bytes], bytes]


async def listening(path: Path, answer: Answering, asked: list[bytes]) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        asked.append(head + body)
        writer.write(answer(body))
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(serve, str(path))


def said(status: int, body: bytes, kind: bytes = b"text/csv") -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body)) + body


def passed(tmp_path: Path, answers: list[Answering | None], headers: list[tuple[bytes, bytes]]) -> Any:
    """What came of one request with the body ``x``, and what each container was asked. ``None`` does not listen."""

    async def run() -> tuple[Answer | None, Exception | None, list[list[bytes]], int]:
        ways = [Way(f"c{number}", str(tmp_path / str(number))) for number in range(len(answers))]
        asked: list[list[bytes]] = [[] for _ in answers]
        servers = [
            await listening(Path(way.path), answer, heard)
            for way, answer, heard in zip(ways, answers, asked, strict=True)
            if answer is not None
        ]
        loop = asyncio.get_running_loop()
        relay, future = Relay(ways, loop), loop.create_future()
        relay.send(request_bytes(request_head(headers), b"x"), 5.0, lambda *outcome: future.set_result(outcome))
        answer, error = await asyncio.wait_for(future, 10)
        relay.close()
        for server in servers:
            server.close()
        return answer, error, asked, relay.outstanding

    return asyncio.run(run())


def test_each_is_asked_what_the_one_before_has_said(tmp_path: Path) -> None:
    headers = [(b"content-type", b"a/b"), (b"accept", b"c/d"), (b"x-amzn-sagemaker-custom-attributes", b"mine")]
    first, second = (lambda body: said(200, body * 2, b"e/f")), (lambda body: said(200, body + b"!"))
    answer, error, asked, outstanding = passed(tmp_path, [first, second], headers)
    assert error is None and answer.body == b"xx!" and outstanding == 0
    assert b"content-type: a/b\r\n" in asked[0][0] and b"accept" not in asked[0][0]
    assert b"content-type: e/f\r\n" in asked[1][0] and b"accept: c/d\r\n" in asked[1][0]
    assert all(b"custom-attributes: mine\r\n" in heard[0] for heard in asked)
    assert [name for name, _ in answer.containers] == ["c0", "c1"]
    assert all(microseconds > 0 for _, microseconds in answer.containers)


def test_an_answer_that_is_no_success_ends_the_row(tmp_path: Path) -> None:
    answer, _, asked, _ = passed(tmp_path, [lambda body: said(422, b"no"), lambda body: said(200, body)], [])
    assert (answer.status, answer.body, asked[1]) == (422, b"no", [])
    assert [name for name, _ in answer.containers] == ["c0"]


def test_what_one_has_read_is_not_sent_again(tmp_path: Path) -> None:
    ok = lambda body: said(200, body)  # noqa: E731
    _, nobody, _, _ = passed(tmp_path, [None, ok], [])
    assert isinstance(nobody, Unreachable), "another instance may be asked"
    _, halfway, asked, outstanding = passed(tmp_path, [ok, None], [])
    assert isinstance(halfway, Unanswered) and len(asked[0]) == 1 and outstanding == 0
