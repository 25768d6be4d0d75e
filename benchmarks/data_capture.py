"""What data capture costs: InvokeEndpoint, one row, signed, of one endpoint that captures everything, and the same
endpoint while it captures nothing.

Two model servers of one model differ by more than what is measured here, and so do two moments of a machine. So there
is one endpoint, one process of wrk with its connections, and the capture is switched on and off between two requests,
by signals to a server that was started with a handler for them. Of each span of time wrk's script notes the answers,
and the processor time of server and model server to the nanosecond (their CPU clocks).

Two ratios are said of each pair of spans. One is that of the answers. A machine that others share is a third faster
or slower from one quarter of a minute to the next; so the other takes the model server for a clock: it does the same
for an answer whether that is captured or not, and where it took more of the processor, the machine was slower. Answers
times the model server's microseconds for each are what a machine of the same speed would have come to. (Where capture
made the model server's work cheaper, by fuller batches, this would overstate what capture costs.)

Short spans, on off off on ..., tell what the way of a request loses: their differences in pairs, the median, and an
interval that holds the median of 95 of 100 such measurements (bootstrap). Of their answers those under way at a switch,
as many as there are clients, count for the wrong side. The delivery to S3 of what one of them captured is paid by the
next.

Sustained spans have the delivery in them: capture has been on for longer than a file may wait for an idle processor
(ten seconds) when they begin. So that nothing of it is paid by a span without capture, which would make that slower and
the other look better, the load goes on uncounted until all that was captured is in S3. Of the press, the process that
makes objects of files, the processor time for each record is said. In the end every answer that was to be captured
must lie in S3, once.

    python benchmarks/data_capture.py [--pairs 250] [--sustained 8] [--clients 1 8 32]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from invoke import IMAGE, TRUST, _server, clients, signed, trained

SHORT_SECONDS = 0.1
SUSTAINED_SECONDS, SETTLING_SECONDS = 12.0, 3.0
STEADY_SECONDS = 10.5
"""For which capture is on before it counts as sustained: no file waits longer to be delivered."""
DELIVERED = -1.0
"""In the place of a span's seconds: until nothing captured waits to be delivered."""
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://benchmark/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}

SWITCHED = """
import gc, signal, sys
from cloche.cli.main import main

known = []

def switch(number, frame):
    from cloche.engines.hosting.router import Variant
    if not known:
        known.extend((each, each.recorder) for each in gc.get_objects() if type(each) is Variant and each.recorder)
    for variant, recorder in known:
        variant.recorder = recorder if number == signal.SIGUSR1 else None

signal.signal(signal.SIGUSR1, switch)
signal.signal(signal.SIGUSR2, switch)
sys.argv[0] = "cloche"
main()
"""
"""A server whose variants capture from SIGUSR1 on, and from SIGUSR2 on have nothing that captures."""

SCRIPT = """
local ffi, bit = require("ffi"), require("bit")
ffi.cdef "typedef struct {long s; long n;} span; int clock_gettime(int, span*); int kill(int, int);"
local found, spans, at, ends, count, text, out, look = ffi.new("span"), {}, 0, 0, 0, nil, nil, 0

local function clock(id)
  ffi.C.clock_gettime(id, found)
  return tonumber(found.s) + tonumber(found.n) * 1e-9
end

local function used(pid)  -- a process's CPU clock, as clock_getcpuclockid(3) makes it
  return clock(bit.bor(bit.lshift(bit.bnot(pid), 3), 2))
end

function init(arguments)
  out = io.open(arguments[1], "w")
  for each in io.lines(arguments[2]) do
    local seconds, captures, counts = each:match("(%S+) (%S+) (%S+)")
    table.insert(spans, {tonumber(seconds), tonumber(captures), tonumber(counts)})
  end
  text = wrk.format("POST", path, headers, body)
end

local function waits(now)  -- does anything captured? looked at ten times a second
  if now < look then return true end
  look = now + 0.1
  local file = io.open(waiting)
  local found = file:read("*a") ~= "0"
  file:close()
  return found
end

function request()
  count = count + 1
  local now = clock(1)
  if now >= ends and at <= #spans and not (at > 0 and spans[at][1] < 0 and waits(now)) then
    at = at + 1
    local span = spans[at] or {1e9, 0, 0}
    out:write(string.format("%d %d %.9f %d %.9f %.9f\\n", span[2], span[3], now, count, used(server), used(model)))
    out:flush()
    ffi.C.kill(server, span[2] == 1 and 10 or 12)
    ends = now + (span[1] < 0 and 1.5 or span[1])  -- a file that is quiet is closed after a second
  end
  return text
end
"""
"""For wrk: goes through the spans of the file that is its second argument; writes to its first."""


@dataclass(frozen=True)
class Span:
    """``server`` and ``model`` are microseconds of the processor for each answer."""

    captures: bool
    rate: float
    server: float
    model: float


class Rig:
    """A server with an endpoint that captures."""

    def __init__(self, folder: Path, url: str, keys: dict[str, str], row: str, pids: tuple[int, int]) -> None:
        self.folder = folder
        self.url = f"{url}/endpoints/captured/invocations"
        self.keys, self.row, self.pids = keys, row, pids
        self.captured = 0
        """Answers that were to be captured, but for those under way at a switch."""
        self.doubtful = 0

    def run(self, clients_: int, plan: list[tuple[float, bool, bool]]) -> list[Span]:
        """What the plan's spans (seconds, captures, counts) came to, those that count."""
        script, spans, out, waiting = (self.folder / name for name in ("load.lua", "spans", "found", "waiting"))
        out.unlink(missing_ok=True)
        headers = signed(self.url, self.row, self.keys)
        script.write_text(
            f"server, model = {self.pids[0]}, {self.pids[1]}\nheaders = {{}}\nbody = {json.dumps(self.row)}\n"
            f"waiting = {json.dumps(str(waiting))}\n"
            f"path = {json.dumps('/endpoints/captured/invocations')}\n"
            + "".join(f"headers[{json.dumps(name)}] = {json.dumps(value)}\n" for name, value in headers.items())
            + SCRIPT
        )
        spans.write_text("".join(f"{seconds} {captures:d} {counts:d}\n" for seconds, captures, counts in plan))
        command = ["wrk", "-t1", f"-c{clients_}", "-d1h", "-s", str(script), self.url]
        with Watch(self.folder / "data" / "captured", waiting) as self.watch:
            process = subprocess.Popen([*command, "--", str(out), str(spans)], stdout=subprocess.PIPE, text=True)
            while process.poll() is None and (not out.exists() or out.read_text().count("\n") <= len(plan)):
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)  # it says then how it went
            said, _ = process.communicate()
        if "Non-2xx" in said or "Socket errors" in said:
            sys.exit(f"failed under load:\n{said}")
        lines = [[float(each) for each in line.split()] for line in out.read_text().splitlines()]
        assert len(lines) == len(plan) + 1, said
        found = []
        for (captures, counts, *before), (_, _, *after) in pairwise(lines):
            elapsed, answers, server, model = (late - early for early, late in zip(before, after, strict=True))
            self.captured += int(answers) if captures else 0
            if counts:
                micro = 1e6 / answers
                found.append(Span(bool(captures), answers / elapsed, server * micro, model * micro))
        self.doubtful += clients_ * (len(plan) + 1)
        return found


@contextlib.contextmanager
def rig(folder: Path) -> Iterator[tuple[Rig, dict[str, Any]]]:
    model, row = trained(folder)
    data = folder / "data"
    command = [sys.executable, "-c", SWITCHED, "up", "--port", "0", "--data", str(data)]
    with (folder / "cloche.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    client: dict[str, Any] = {}
    try:
        url = f"http://127.0.0.1:{_server(data, process)['port']}"
        keys = json.loads((data / "keys" / "root.json").read_text())
        client = clients(url, keys)
        deploy(client, model, folder)
        yield Rig(folder, url, keys, row, (process.pid, model_server(data))), client
    finally:
        if client:
            client["sagemaker"].delete_endpoint(EndpointName="captured")
            while client["sagemaker"].list_endpoints()["Endpoints"]:
                time.sleep(0.1)
        process.terminate()
        process.wait()


def deploy(client: dict[str, Any], model: Path, folder: Path) -> None:
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(model, "xgboost-model")
    client["s3"].create_bucket(Bucket="benchmark")
    client["s3"].upload_file(str(archive), "benchmark", "model.tar.gz")
    role = client["iam"].create_role(RoleName="Benchmark", AssumeRolePolicyDocument=json.dumps(TRUST))
    sagemaker = client["sagemaker"]
    container = {"Image": IMAGE, "ModelDataUrl": "s3://benchmark/model.tar.gz"}
    sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=role["Role"]["Arn"])
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="captured", ProductionVariants=[variant], DataCaptureConfig=CAPTURE
    )
    sagemaker.create_endpoint(EndpointName="captured", EndpointConfigName="captured")
    waiter = sagemaker.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName="captured", WaiterConfig={"Delay": 1, "MaxAttempts": 900})


def model_server(data: Path) -> int:
    """The pid of the one process that serves a model of this data directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            serves = b"cloche_jobs.entry\0serve\0" in (folder / "cmdline").read_bytes()
            if serves and str(data) in (folder / "mountinfo").read_text() + (folder / "environ").read_text():
                found.append(int(folder.name))
    (pid,) = found
    return pid


def short(pairs: int) -> list[tuple[float, bool, bool]]:
    """On off, off on, on off, ..."""
    return [(SHORT_SECONDS, on, True) for pair in range(pairs) for on in (pair % 2 == 0, pair % 2 == 1)]


def sustained(pairs: int) -> list[tuple[float, bool, bool]]:
    """Off on, off on, ..."""
    off = [(SETTLING_SECONDS, False, False), (SUSTAINED_SECONDS, False, True)]
    on = [(STEADY_SECONDS, True, False), (SUSTAINED_SECONDS, True, True), (DELIVERED, False, False)]
    return [*off, *on] * pairs


def differences(spans: list[Span], of: Callable[[Span, Span], float]) -> str:
    """The median of ``of`` a pair (on, off), and its interval."""
    pairs = [sorted(pair, key=lambda each: not each.captures) for pair in zip(spans[::2], spans[1::2], strict=True)]
    found = [of(on, off) for on, off in pairs]
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(found, k=len(found))) for _ in range(4000))
    return f"{statistics.median(found):+7.2f} ({medians[100]:+6.2f} to {medians[-101]:+6.2f})"


def show(title: str, clients_: int, spans: list[Span]) -> None:
    off = [span for span in spans if not span.captures]
    rate, server = (statistics.median(values) for values in ([s.rate for s in off], [s.server for s in off]))
    raw = differences(spans, lambda on, off: (on.rate / off.rate - 1) * 100)
    timed = differences(spans, lambda on, off: (on.rate * on.model / off.rate / off.model - 1) * 100)
    own = differences(spans, lambda on, off: on.server / on.model * off.model - off.server)
    print(f"{clients_:>3} {title:<9} {rate:>7,.0f}/s {raw} % {timed} %   {server:>6.1f} µs {own} µs", flush=True)


class Watch:
    """Looks ten times a second at what waits to be delivered, and writes that to ``told``."""

    def __init__(self, folder: Path, told: Path) -> None:
        self.folder, self.told = folder, told
        self.ending = threading.Event()
        self.most = 0
        """So many files held something at once."""
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> Watch:
        self.look()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.thread.join()

    def run(self) -> None:
        while not self.ending.wait(0.1):
            self.look()

    def look(self) -> None:
        waiting = 0
        for file in self.folder.glob("*.jsonl"):
            with contextlib.suppress(OSError), file.open("rb") as opened:
                waiting += opened.read(1) not in (b"", b"\0")
        self.most = max(self.most, waiting)
        fresh = self.told.with_suffix(".new")
        fresh.write_text(str(waiting))
        fresh.replace(self.told)


def pressed(server: int) -> float:
    """Seconds of the processor that the press took: the one that lives, and the server's children that have ended; it
    has no others here."""
    ticks = sum(map(int, stat_of(server)[13:15]))
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if b"press.py" in (folder / "cmdline").read_bytes():
                found = stat_of(int(folder.name))
                ticks += sum(map(int, found[11:13])) if int(found[1]) == server else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def stat_of(pid: int) -> list[str]:
    """From the state on: proc(5) counts it as the third."""
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()


def sustain(subject: Rig, clients_: int, pairs: int) -> None:
    before, began = subject.captured, pressed(subject.pids[0])
    show("sustained", clients_, subject.run(clients_, sustained(pairs)))
    press = (pressed(subject.pids[0]) - began) / (subject.captured - before) * 1e6
    print(f"    of the press {press:.1f} µs a record; {subject.watch.most} files waited at most", flush=True)


def captured_count(s3: Any) -> int:
    """Records in S3; each line must be one, and no event may be there twice."""
    found: set[str] = set()
    lines = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="benchmark", Prefix="captured/"):
        for each in page.get("Contents", ()):
            text = s3.get_object(Bucket="benchmark", Key=each["Key"])["Body"].read().decode()
            assert text.endswith("\n"), each["Key"]
            ids = re.findall(r'"eventId":"([^"]+)"', text)
            found.update(ids)
            lines += text.count("\n")
            assert len(ids) == text.count("\n")
    assert len(found) == lines, "captured twice"
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=250)
    parser.add_argument("--sustained", type=int, default=8, help="pairs of sustained spans")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, rig(Path(name)) as (subject, client):
        subject.run(8, [(2.0, True, False)])
        print(
            f"{os.cpu_count()} cores; {chosen.pairs} pairs of {SHORT_SECONDS:g} s, {chosen.sustained} of "
            f"{SUSTAINED_SECONDS:g} s\nclients, answers while nothing is captured; by how many per cent more are given "
            "while all are captured, and by the model server's clock; of the processor the server's time for each, and "
            "what capture adds to it by that clock"
        )
        for clients_ in chosen.clients:
            if chosen.pairs:
                show("short", clients_, subject.run(clients_, short(chosen.pairs)))
            if chosen.sustained:
                sustain(subject, clients_, chosen.sustained)
        time.sleep(25)  # a file is closed within ten seconds, and waits for ten more
        records = captured_count(client["s3"])
        is_all = abs(records - subject.captured) <= subject.doubtful
        print(f"{subject.captured:,} answers to be captured, {records:,} records in S3{'' if is_all else ': TOO FEW'}")


if __name__ == "__main__":
    main()
