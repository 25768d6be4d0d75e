"""The platform's own lines in a function's log.

Source: docs.aws.amazon.com/lambda/latest/dg/python-logging.html; ``Status`` as the answers with ``LogType=Tail`` of
today have it (aws/aws-lambda-runtime-interface-emulator prints the same lines).
"""

from __future__ import annotations


def start(request: str, version: str) -> str:
    return f"START RequestId: {request} Version: {version}"


def end(request: str) -> str:
    return f"END RequestId: {request}"


def report(
    request: str, ms: float, memory_size: str, memory_used: int | None, init_ms: float | None, status: str = ""
) -> str:
    """``ms`` and ``init_ms`` are milliseconds, the memories MB; a started millisecond is billed. Of a process that was
    killed nobody may know what it used (``None``)."""
    line = f"REPORT RequestId: {request}\tDuration: {ms:.2f} ms\tBilled Duration: {int(-(-ms // 1))} ms"
    line += f"\tMemory Size: {memory_size} MB\t"
    if memory_used is not None:
        line += f"Max Memory Used: {memory_used} MB\t"
    if init_ms is not None:
        line += f"Init Duration: {init_ms:.2f} ms\t"
    return f"{line}{status}\t" if status else line
