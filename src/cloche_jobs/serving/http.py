"""HTTP/1.1, the part of it that SageMaker's contract uses, read and written by hand.

One object a connection. Requests are answered in the order they came, one at a time: a pipelined request waits in
the buffer, and the transport is paused when the buffer grows past what one request may hold. Heads are read by hand
(``heads``): a general parser costs more than predicting a row does. What is doubtful is refused and the connection
closed. Nearly every request comes in one piece; that case is looked at first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Final

from cloche_jobs.serving.answers import answer_head, answer_to, stream_head
from cloche_jobs.serving.chunks import ChunkReader
from cloche_jobs.serving.door import Door
from cloche_jobs.serving.heads import KNOWN_BYTES_MAX, BadRequest, Head, head_of
from cloche_jobs.serving.model import Answer, Model, Question, Stream
from cloche_jobs.serving.streaming import Outflow

HEAD_BYTES_MAX: Final = 64 * 1024
READ_BYTES_MAX: Final = 64 * 1024
"""At a time, of what may be a request's beginning; of the rest of a long body four times that."""
LINGER_BYTES_MAX: Final = 256 * 1024 * 1024
APART_BYTES_MIN: Final = 64 * 1024
"""Bodies from here on are written as they are, not joined to their head first."""
LINGER_SECONDS: Final = 2.0
_PING: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

log = logging.getLogger("cloche_jobs.serving")


class Connection(asyncio.Protocol):
    """It enters the door's set of open connections, and leaves it, by itself."""

    def __init__(self, model: Model, door: Door, *, access_log: bool) -> None:
        self.model, self.door, self.access_log = model, door, access_log
        self.buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.descriptor = -1
        self.busy = False
        self.draining = False
        self.paused = False
        self.keep_alive = True
        self.chunks_go = True
        """The client speaks HTTP/1.1: it can be answered in chunks."""
        self.method = b""
        self.target = b""
        self.headers: dict[str, str] | None = None
        self.length = 0
        self.pieces: list[bytes] = []
        """Of a body of known length that came in more than one read: joined once, when all are there."""
        self.missing = 0
        self.chunks: ChunkReader | None = None
        self.began = 0.0
        self.refused = -1
        """Bytes thrown away since the connection was refused; -1: it was not."""
        self.outflow: Outflow | None = None
        """The answer that is being streamed."""

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.door.connections.add(self)
        self.descriptor = transport.get_extra_info("socket").fileno()
        self.door.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.door.connections.discard(self)
        if self.outflow is not None:
            self.outflow.lost()

    def pause_writing(self) -> None:
        if self.outflow is not None:
            self.outflow.pause()

    def resume_writing(self) -> None:
        if self.outflow is not None:
            self.outflow.resume()

    def serve(self) -> bool:
        """Read what has come, and deal with it. ``False``: the transport is to look, or the loop has to do with it."""
        transport = self.transport
        if transport is None:
            return False
        try:
            data = os.read(self.descriptor, READ_BYTES_MAX * 4 if self.missing else READ_BYTES_MAX)
        except OSError:
            return False
        if not data:
            return False
        try:
            self.data_received(data)
        except Exception:
            log.exception("A request could not be dealt with")
            transport.abort()
            return False
        return self.refused < 0 and not transport.is_closing()

    def data_received(self, data: bytes) -> None:
        if self.refused >= 0:
            self.refused += len(data)
            if self.refused > LINGER_BYTES_MAX and self.transport is not None:
                self.transport.abort()
            return
        if self.missing:
            self.take_piece(data)
            return
        if not (self.buffer or self.busy or self.headers is not None) and self.take_whole(data):
            return
        self.buffer += data
        if self.busy:
            if len(self.buffer) > HEAD_BYTES_MAX and self.transport and not self.paused:
                self.paused = True
                self.transport.pause_reading()
            return
        self.advance()

    def eof_received(self) -> bool:
        return self.busy

    def drain(self) -> None:
        """Finish what is being answered, take nothing more."""
        self.draining = True
        if not self.busy and self.transport is not None:
            self.transport.close()

    # -- reading

    def advance(self) -> None:
        try:
            while not self.busy and self.transport is not None and self.take_one():
                pass
        except BadRequest as error:
            self.refuse(Answer(error.message.encode(), "text/plain; charset=utf-8", error.status))

    def refuse(self, answer: Answer) -> None:
        """The last answer. What the client is still sending is read and dropped for a while: closing on it would
        reset the connection and take the answer with it."""
        assert self.transport is not None
        self.refused = 0
        self.buffer.clear()
        self.transport.write(answer_head(answer, closing=True) + answer.body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.close)

    def take_whole(self, data: bytes) -> bool:
        """Dispatch ``data`` if it is one request, head and body; ``False``: it is to be read by and by."""
        end = data.find(b"\r\n\r\n", 0, KNOWN_BYTES_MAX)
        if end < 0 or self.transport is None:
            return False
        try:
            head = head_of(data[:end])
        except BadRequest:
            return False
        length = head.length
        if head.chunked or head.awaits or len(data) != end + 4 + length or length > self.model.body_bytes_max:
            return False
        self.began = time.perf_counter()
        self.method, self.target, self.chunks_go = head.method, head.target, head.chunks_go
        self.keep_alive = not (head.closes or self.door.once)
        self.dispatch(Question(data[end + 4 :], dict(head.headers)))
        return True

    def take_piece(self, data: bytes) -> None:
        """More of a long body; what comes behind it waits in the buffer."""
        piece = data if len(data) <= self.missing else data[: self.missing]
        self.pieces.append(piece)
        self.missing -= len(piece)
        if len(piece) < len(data):
            self.buffer += data[len(piece) :]
        if not self.missing:
            self.advance()

    def take_one(self) -> bool:
        """Read and dispatch one request; ``False`` when it has not come in full."""
        if self.headers is None and not self.read_head():
            return False
        assert self.headers is not None
        body = self.read_body()
        if body is None:
            return False
        headers, self.headers = self.headers, None
        self.dispatch(Question(body, headers))
        return True

    def read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX + 4)
        if end < 0:
            if len(self.buffer) > HEAD_BYTES_MAX:
                raise BadRequest(431, "the head of the request is too long")
            return False
        head = bytes(self.buffer[:end])
        del self.buffer[: end + 4]
        self.began = time.perf_counter()
        self.expect_body(head_of(head))
        return True

    def expect_body(self, head: Head) -> None:
        self.method, self.target, self.chunks_go = head.method, head.target, head.chunks_go
        self.keep_alive = not (head.closes or self.door.once)
        self.headers = dict(head.headers)
        self.length = head.length
        self.chunks = ChunkReader(self.model.body_bytes_max) if head.chunked else None
        if self.length > self.model.body_bytes_max:
            raise BadRequest(413, _too_large(self.model.body_bytes_max))
        if head.awaits and self.transport is not None:
            self.transport.write(_CONTINUE)

    def read_body(self) -> bytes | None:
        if self.chunks is not None:
            try:
                whole = self.chunks.feed(self.buffer)
            except ValueError as error:
                raise BadRequest(400, str(error)) from error
            except OverflowError as error:
                raise BadRequest(413, _too_large(self.model.body_bytes_max)) from error
            return whole
        if self.pieces:
            if self.missing:
                return None
            whole, self.pieces = b"".join(self.pieces), []
            return whole
        if len(self.buffer) < self.length:
            self.pieces.append(bytes(self.buffer))
            self.missing = self.length - len(self.buffer)
            self.buffer.clear()
            return None
        body = bytes(memoryview(self.buffer)[: self.length])
        del self.buffer[: self.length]
        return body

    # -- answering

    def dispatch(self, question: Question) -> None:
        if self.target == b"/invocations" and self.method == b"POST":
            if len(question.body) <= self.model.inline_bytes_max:
                answer = answer_to(self.model, question)
                assert not isinstance(answer, Stream), "a model that streams is not asked in the event loop"
                self.write(answer)
            else:
                self.busy = True
                self.door.submit(question, self)
        elif self.target == b"/ping" and self.method in (b"GET", b"HEAD"):
            self.write_ping()
        else:
            self.write(self.other())

    def other(self) -> Answer:
        if self.target == b"/execution-parameters" and self.method == b"GET":
            answer = self.model.execution_parameters()
            if answer is not None:
                return answer
        if self.target in (b"/invocations", b"/ping"):
            return Answer(b"Method Not Allowed", "text/plain; charset=utf-8", 405)
        return Answer(b"Not Found", "text/plain; charset=utf-8", 404)

    def answered(self, answer: Answer) -> None:
        self.busy = False
        self.door.answered()
        self.write(answer)
        self.go_on()

    def begin_stream(self, outflow: Outflow) -> None:
        if self.transport is None:
            outflow.lost()
            return
        self.outflow = outflow
        chunked = self.chunks_go
        self.keep_alive = self.keep_alive and chunked
        head = stream_head(outflow.stream, chunked=chunked, closing=self.draining or not self.keep_alive)
        outflow.begin(self.transport, head, chunked=chunked)

    def end_stream(self, outflow: Outflow, complete: bool) -> None:
        """All is sent, or (without ``complete``) all that there will be: then the cut-off connection says so."""
        self.outflow = None
        self.busy = False
        self.door.answered()
        if self.transport is None:
            return
        if not complete:
            self.transport.abort()
            return
        outflow.end()
        if self.draining or not self.keep_alive:
            self.transport.close()
        else:
            self.go_on()

    def go_on(self) -> None:
        """The answer is out: take what waits on this connection."""
        if self.paused and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()
            self.door.enter(self)
        self.advance()

    def write_ping(self) -> None:
        if self.transport is not None:
            if self.keep_alive and not self.draining:
                self.transport.write(_PING)
            else:
                self.write(Answer(b""))

    def write(self, answer: Answer) -> None:
        if self.transport is None:
            return
        closing = self.draining or not self.keep_alive
        head = answer_head(answer, closing=closing)
        if len(answer.body) < APART_BYTES_MIN:
            self.transport.write(head + answer.body)
        else:
            self.transport.write(head)
            self.transport.write(answer.body)
        if self.access_log:
            milliseconds = (time.perf_counter() - self.began) * 1000
            line = f'"{self.method.decode("latin-1")} {self.target.decode("latin-1")} HTTP/1.1" {answer.status}'
            log.debug("%s %d %.3f ms", line, len(answer.body), milliseconds)
        if closing:
            self.transport.close()


def _too_large(limit: int) -> str:
    return f"Request Entity Too Large: the limit is {limit} bytes"
