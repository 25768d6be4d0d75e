"""Failures of a function as the documents that AWS's Python runtimes make of them, and as lines of its log.

Types, members and words: ``bootstrap.py``, ``lambda_runtime_exception.py`` of
aws/aws-lambda-python-runtime-interface-client.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

OWN_FOLDER = str(Path(__file__).resolve().parent)
NO_BREAK_SPACE = "\u00a0"


class Fault(Exception):
    """A failure around the handler rather than in it."""

    def __init__(self, kind: str, message: str, trace: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.kind = f"Runtime.{kind}"
        self.message = message
        self.trace = list(trace)


def load_handler(name: str) -> Callable[[Any, Any], Any]:
    """What ``module.function`` names. Raises ``Fault``, or whatever the module's own code raises."""
    module, dot, function = name.rpartition(".")
    if not dot:
        raise Fault("MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    if module.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module")
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("ImportModuleError", f"Unable to import module '{module}': {error}") from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", trace) from None
    except (TypeError, ValueError) as error:
        if loaded_nothing(error):  # a name such as "..x" or "": importlib's own refusal
            raise Fault("ImportModuleError", f"Unable to import module '{module}': {error}") from None
        raise
    try:
        found: Callable[[Any, Any], Any] = getattr(loaded, function)
    except AttributeError:
        raise Fault("HandlerNotFound", f"Handler '{function}' missing on module '{module}'") from None
    return found


def loaded_nothing(error: BaseException) -> bool:
    """Whether none of the function's own code is on the way to ``error``."""
    frames = traceback.extract_tb(error.__traceback__)
    return all(frame.filename.startswith((OWN_FOLDER, "<frozen")) or "importlib" in frame.filename for frame in frames)


def read_event(body: bytes) -> Any:
    """Raises ``Fault``."""
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from None


def write_answer(answer: Any) -> bytes:
    """JSON; bytes are themselves. Raises ``Fault`` for what JSON cannot say."""
    if isinstance(answer, bytes):
        return answer
    try:
        return json.dumps(answer, default=_otherwise).encode()
    except Exception as error:  # whatever somebody's __iter__ or __str__ raises
        raise Fault("MarshalError", f"Unable to marshal response: {error}") from None


def _otherwise(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def document(error: Exception, request_id: str = "") -> dict[str, Any]:
    if isinstance(error, Fault):
        message, kind, trace = error.message, error.kind, error.trace
    else:
        message, kind, trace = _text(error), type(error).__name__, _trace(error)
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _trace(error: Exception) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    while frames and frames[0].filename.startswith((OWN_FOLDER, "<frozen")):
        frames = traceback.StackSummary.from_list(list(frames)[1:])
    return traceback.format_list(frames)


def line(told: dict[str, Any]) -> str:
    """One event of the log: its lines are parted by carriage returns, indented by spaces that nobody trims."""
    lines = [f"[ERROR] {told['errorType']}: {told['errorMessage']}", "Traceback (most recent call last):"]
    for element in told["stackTrace"]:
        for text in element.splitlines():
            bare = text.lstrip(" ")
            lines.append(NO_BREAK_SPACE * (len(text) - len(bare)) + bare)
    return "\r".join(lines)
