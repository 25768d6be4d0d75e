"""Files through a model server: several payloads on the way at once, answers written in the files' order.

A file's answers are gathered beside where they are to be, and put there whole once the last has come: so what lies
there is complete, whatever was killed when, and is not made again. A file with one bad record leaves nothing, and the
others go on, as on AWS (docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-errors.html).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cloche_jobs.transform.asking import Line, NoAnswer, invoke
from cloche_jobs.transform.batch import SINGLE, File, Manner, Orders, Payload, Refused
from cloche_jobs.transform.blaming import badly_formed, first_refused
from cloche_jobs.transform.joining import Joining
from cloche_jobs.transform.records import NAMES, form_of
from cloche_jobs.transform.splitting import payloads

MESSAGE_CHARACTERS_MAX = 400
LOGGED_CHARACTERS_MAX = 8_000
RETRY_PAUSE_SECONDS = 0.1


class Journal:
    """The data log and the report. Safe for several threads."""

    def __init__(self, orders: Orders) -> None:
        self._lock = threading.Lock()
        self._log = Path(orders.log).open("a", encoding="utf-8", errors="replace")  # noqa: SIM115 - while the program runs
        self._report = Path(orders.report).open("a", encoding="utf-8")  # noqa: SIM115

    def close(self) -> None:
        self._log.close()
        self._report.close()

    def say(self, text: str) -> None:
        """A line of the data log, in AWS's form (aws/amazon-sagemaker-examples#1620)."""
        now = time.time()
        moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}"
        with self._lock:
            self._log.write(f"{moment}:[sagemaker logs]: {text}\n")
            self._log.flush()

    def failed(self, number: int, file: File, refused: Refused) -> None:
        self.say(f"{file.name}: {refused.status or refused.kind}")
        self.say(f"{file.name}: ")
        self.say(f"{file.name}: Message:")
        where = f"{refused.where}: " if refused.where else ""
        for line in f"{where}{refused.message}"[:LOGGED_CHARACTERS_MAX].splitlines():
            self.say(f"{file.name}: {line}")
        entry = {
            "file": number,
            "kind": refused.kind,
            "where": refused.where,
            "message": refused.message[:MESSAGE_CHARACTERS_MAX],
        }
        with self._lock:
            self._report.write(json.dumps(entry) + "\n")
            self._report.flush()


class Work:
    """One instance's share of the files."""

    def __init__(self, orders: Orders, sockets: Sequence[str], manner: Manner, journal: Journal) -> None:
        self._orders, self._manner, self._journal = orders, manner, journal
        self._sockets = sockets
        self._lines = threading.local()
        self._made: list[Line] = []
        self._joining = Joining(orders)
        self._askers = ThreadPoolExecutor(manner.concurrent, thread_name_prefix="ask")

    def run(self, numbers: tuple[int, ...]) -> None:
        """All of them, as many at once as questions may be on their way."""
        with self._askers, ThreadPoolExecutor(self._manner.concurrent, thread_name_prefix="file") as files:
            for done in [files.submit(self._file, number) for number in numbers]:
                done.result()
        for line in self._made:
            line.close()

    def _file(self, number: int) -> None:
        file = self._orders.files[number]
        out = Path(file.out)
        if out.exists():
            return
        part = out.with_name(f"{out.name}.part")
        try:
            with part.open("wb") as stream:
                for piece in self._answers(file):
                    stream.write(piece)
            part.replace(out)
        except Refused as refused:
            part.unlink(missing_ok=True)
            self._journal.failed(number, file, refused)

    def _answers(self, file: File) -> Iterator[bytes]:
        """In the file's order, with a few more asked for than are waited for."""
        orders = self._orders
        under_way: deque[Future[bytes]] = deque()
        source = payloads(Path(file.path), orders.split, self._manner, gzip=orders.gzip, whole=self._joining.needs_body)
        try:
            for payload in source:
                under_way.append(self._askers.submit(self._answer, payload))
                if len(under_way) > self._manner.concurrent:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()

    def _answer(self, payload: Payload) -> bytes:
        joining = self._joining
        question = joining.question(payload)
        content_type, body = self._asked(question, payload)
        return joining.finished(payload, body, content_type)

    def _asked(self, question: Payload, payload: Payload) -> tuple[str, bytes]:
        """(type, body) of a good answer; what is the model's own fault is tried again. Raises ``Refused``."""
        text = ""
        for attempt in range(1 + (0 if question.stream is not None else self._orders.retries)):
            if attempt:
                time.sleep(RETRY_PAUSE_SECONDS * 2**attempt)
            try:
                status, content_type, body = invoke(self._own(), self._orders, question)
            except NoAnswer as error:
                code, text = 0, str(error)
                continue
            if status < 300:
                return content_type, body
            code, text = status, body.decode("utf-8", "replace").strip()
            if status < 500:
                break
        raise self._refused(code, text, question, payload)

    def _refused(self, status: int, text: str, question: Payload, payload: Payload) -> Refused:
        """In AWS's words: aws/amazon-sagemaker-examples#1620, aws/sagemaker-tensorflow-serving-container#93,
        aws/sagemaker-python-sdk#1951."""
        where = self._whereabouts(payload)
        if status == 0:
            message = f"Unable to get response from algorithm: {text}"
            return Refused("AlgorithmError", message, where, "Unable to get response from algorithm")
        malformed = self._malformed(question, payload)
        if status >= 500:
            words = f"Bad HTTP status received from algorithm: {status}"
            return Refused("AlgorithmError", f"{words}: {text}", malformed[0] if malformed else where, words)
        found = malformed or self._blamed(question, payload)
        if found is not None:
            where, text = found[0], found[1] or text
        return Refused("ClientError", text or f"the model answered {status}", where, f"ClientError: {status}")

    def _whereabouts(self, payload: Payload) -> str:
        """Of a payload as a whole: its one record, or from which on its records are; a whole file needs no more."""
        if payload.stream is not None or self._orders.split == "None":
            return ""
        first = self._joining.where(payload, 0)
        is_line = self._orders.split == "Line" and b"\n" not in payload.body.strip(b"\r\n")
        return first if is_line or self._manner.strategy == SINGLE else f"from {first} on"

    def _malformed(self, question: Payload, payload: Payload) -> tuple[str, str] | None:
        """(place, reason) of the first record that is not what the input's type says."""
        form = form_of(self._orders.content_type)
        if form is None or question.stream is not None or not self._joining.is_lines:
            return None
        bad = badly_formed(question.body, form)
        return bad and (self._joining.where(payload, bad[0]), f"Failed to parse input as {NAMES[form]}: {bad[1]}")

    def _blamed(self, question: Payload, payload: Payload) -> tuple[str, str] | None:
        """(place, reason) of the record that the model refuses by itself; no reason where its first is the better."""
        if question.stream is not None or not self._joining.is_lines:
            return None
        reasons: dict[int, str] = {}

        def refuses(body: bytes) -> bool:
            try:
                status, _, answer = invoke(self._own(), self._orders, Payload(body, 1))
            except NoAnswer:
                return False
            reasons[len(reasons)] = answer.decode("utf-8", "replace").strip() if 400 <= status < 500 else ""
            return 400 <= status < 500

        record = first_refused(question, refuses)
        if record is None:
            return None
        told = [reason for reason in reasons.values() if reason]
        return self._joining.where(payload, record), told[-1] if told else ""

    def _own(self) -> list[Line]:
        """This thread's connections, one to each container."""
        if not hasattr(self._lines, "held"):
            self._lines.held = [Line(socket) for socket in self._sockets]
            self._made += self._lines.held
        held: list[Line] = self._lines.held
        return held


def begin_out(orders: Orders) -> None:
    """The folder that answers are put in."""
    for folder in {os.path.dirname(file.out) for file in orders.files}:  # noqa: PTH120
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
