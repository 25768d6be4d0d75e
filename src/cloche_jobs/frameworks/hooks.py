"""Serving with the user's functions: ``model_fn``, ``input_fn``, ``predict_fn``, ``output_fn`` or ``transform_fn``.

Source: ``transformer.py`` of aws/sagemaker-inference-toolkit and ``_transformer.py`` of aws/sagemaker-containers. A
function may take one argument more than its kind needs: it then gets a context with the request's headers.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from cloche_jobs.contract import package_folder, sources
from cloche_jobs.contract.failure import AlgorithmError, UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.batching import QUESTIONS_MAX, predict_together
from cloche_jobs.frameworks.code_folder import prepare_code
from cloche_jobs.frameworks.requirements import install_requirements
from cloche_jobs.serving import Answer, InferenceError, Question, Stream

log = logging.getLogger(__name__)
BODY_BYTES_MAX: Final = 100 * 1024 * 1024
"""AWS's toolkits set no bound of their own; the platform's is far below this."""
_TEXT_TYPES: Final = ("application/json", "text/csv")
_DEFAULT_PROGRAM: Final = "inference.py"


class UnsupportedFormatError(Exception):
    """A content type that the default functions do not read or write."""

    def __init__(self, content_type: str | None) -> None:
        super().__init__(
            textwrap.dedent(
                f"""\
                Content type {content_type} is not supported by this framework.

                Please implement input_fn to to deserialize the request data or an output_fn to
                serialize the response. For more information, see the SageMaker Python SDK README."""
            )
        )


@dataclass(slots=True)
class Context:
    """What functions that ask for it are told about the request; method names are the AWS model server's."""

    headers: dict[str, str] = field(default_factory=dict)
    system_properties: dict[str, Any] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)

    def get_request_header(self, idx: int, key: str) -> str | None:
        return self.headers.get(key.lower())

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        return dict(self.headers)

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.answered[key] = value

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.answered["Content-Type"] = value


@dataclass(frozen=True, slots=True)
class Defaults:
    """The framework's own functions, for those that the user's module does not have."""

    input_fn: Callable[[Any, str], Any]
    predict_fn: Callable[[Any, Any], Any]
    output_fn: Callable[[Any, str], Any]
    rows_apart: Callable[[Any], bool] = lambda model: False
    """Whether the model's answer to a row is the same, to the last bit, whatever rows are beside it."""
    model_fn: Callable[[str], Any] | None = None
    """For a model without the user's code, too."""
    is_newer: bool = False
    """The image has aws/sagemaker-inference-toolkit, not the older sagemaker-containers: ``pre_model_fn`` and
    ``model_warmup_fn`` are called, and a content type that is not known is a 500."""
    refused: Callable[[Exception], Answer] | None = None
    """The answer to a request that an exception came of, where it is not the model server's own."""


class HookedModel:
    """The user's model behind the user's functions. Raises ``JobError`` when it cannot be loaded."""

    body_bytes_max = BODY_BYTES_MAX
    inline_bytes_max = -1

    def __init__(self, layout: Layout, defaults: Defaults) -> None:
        module = load_user_module(layout, required=defaults.model_fn is None)
        self.is_newer, self.refused = defaults.is_newer, defaults.refused
        self.properties = {"model_dir": str(layout.model), "gpu_id": None, "batch_size": 1}
        self.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "application/json"
        model_fn = getattr(module, "model_fn", None) or defaults.model_fn
        self.transform_fn = getattr(module, "transform_fn", None)
        own = {name: getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")}
        if self.transform_fn is not None and any(own.values()):
            raise UserError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        if model_fn is None:
            raise UserError(
                "Please provide a model_fn implementation.\n"
                "See documentation for model_fn at https://github.com/aws/sagemaker-python-sdk"
            )
        self.input_fn = own["input_fn"] or defaults.input_fn
        self.predict_fn = own["predict_fn"] or defaults.predict_fn
        self.output_fn = own["output_fn"] or defaults.output_fn
        around = [getattr(module, name, None) for name in ("pre_model_fn", "model_warmup_fn")] if self.is_newer else []
        self.model = self._load(model_fn, layout, *around)
        by_default = not (self.transform_fn or own["input_fn"] or own["predict_fn"])
        self.batch_max = QUESTIONS_MAX if by_default and defaults.rows_apart(self.model) else 1

    def _load(
        self,
        model_fn: Callable[..., Any],
        layout: Layout,
        before: Callable[..., Any] | None = None,
        after: Callable[..., Any] | None = None,
    ) -> Any:
        folder, context = str(layout.model), Context(system_properties=self.properties)
        try:
            if before is not None:
                _called(before, (folder,), context)
            model = _called(model_fn, (folder,), context)
            if after is not None:
                _called(after, (folder, model), context)
        except Exception as error:
            raise AlgorithmError(f"model_fn failed: {type(error).__name__}: {error}") from error
        return model

    def answer(self, question: Question) -> Answer | Stream:
        if self.refused is None:
            return self._answer(question)
        try:
            return self._answer(question)
        except Exception as error:
            log.exception("Exception on /invocations [POST]")
            return self.refused(error)

    def _answer(self, question: Question) -> Answer | Stream:
        data, content_type, accept, context = self._asked(question)
        if self.transform_fn is not None:
            result = _called(self.transform_fn, (self.model, data, content_type, accept), context)
        else:
            result = self._in_steps(data, content_type, accept, context)
        return _as_answer(result, accept, context)

    def answer_many(self, questions: Sequence[Question]) -> list[Answer | Stream | None]:
        tables = [self._table(question) for question in questions]
        predictions = predict_together(tables, lambda table: self.predict_fn(table, self.model))
        return [
            None if prediction is None else self._written(question, prediction)
            for question, prediction in zip(questions, predictions, strict=True)
        ]

    def _table(self, question: Question) -> Any:
        try:
            data, content_type, _, _ = self._asked(question)
            return self.input_fn(data, content_type)
        except Exception:
            return None

    def _written(self, question: Question, prediction: Any) -> Answer | Stream | None:
        _, _, accept, context = self._asked(question)
        try:
            return _as_answer(_called(self.output_fn, (prediction, accept), context), accept, context)
        except Exception:
            return None

    def _asked(self, question: Question) -> tuple[Any, str, str, Context]:
        """Data (text where the type is one of text), its type, the type wanted, and what functions may ask for."""
        content_type = question.content_type or "application/json"
        accept = question.accept
        if not accept or accept == "*/*":
            accept = self.default_accept
        data: Any = question.body
        if content_type in _TEXT_TYPES:
            try:
                data = question.body.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InferenceError(400, f"the body is not UTF-8 text: {error}") from error
        return data, content_type, accept, Context(dict(question.headers), self.properties)

    def _in_steps(self, data: Any, content_type: str, accept: str, context: Context) -> Any:
        try:
            read = _called(self.input_fn, (data, content_type), context)
        except UnsupportedFormatError as error:
            return self._refusal(error, 415)
        prediction = _called(self.predict_fn, (read, self.model), context)
        try:
            return _called(self.output_fn, (prediction, accept), context)
        except UnsupportedFormatError as error:
            return self._refusal(error, 406)

    def _refusal(self, error: UnsupportedFormatError, status: int) -> Answer:
        if self.is_newer:
            raise error
        body = {"error": type(error).__name__, "error-message": str(error), "stack-trace": traceback.format_exc()}
        return Answer(json.dumps(body).encode(), "application/json", status)

    def execution_parameters(self) -> Answer | None:
        return None


def load_user_module(layout: Layout, *, required: bool = True) -> ModuleType | None:
    """The module with the user's functions, its requirements installed; ``None`` where there is none and none is
    ``required``. Raises ``JobError``."""
    program = sources.program({}, os.environ) or _DEFAULT_PROGRAM
    code = _serving_code(layout)
    packages = install_requirements(code, layout)
    sys.path[:0] = [str(code), *([str(packages)] if packages else [])]
    sys.path.append(str(package_folder() / "toolkits"))
    importlib.invalidate_caches()
    if not (code / program).is_file():
        if not required:
            return None
        raise UserError(f"the program {program} is not in {code}: name it in SAGEMAKER_PROGRAM")
    try:
        return importlib.import_module(program.removesuffix(".py").replace("/", "."))
    except Exception as error:
        raise AlgorithmError(f"ImportModuleError: {program}: {type(error).__name__}: {error}") from error


def _serving_code(layout: Layout) -> Path:
    """SDK v2 names a bundle in S3, SDK v3 a folder in the model; without either the model's ``code`` is taken."""
    address = sources.submit_directory({}, os.environ)
    inside = layout.model / "code"
    if address is None or address == "/opt/ml/model/code":
        return inside if inside.is_dir() else layout.code
    return prepare_code(layout, address)


def _called(function: Callable[..., Any], arguments: tuple[Any, ...], context: Context) -> Any:
    taken = len(signature(function).parameters)
    if taken == len(arguments):
        return function(*arguments)
    if taken == len(arguments) + 1:
        return function(*arguments, context)
    raise TypeError(f"{function.__name__} takes {taken} arguments but {len(arguments)} were given.")


def _as_answer(result: Any, accept: str, context: Context) -> Answer | Stream:
    """What the user's function returned, as an answer. A generator (any iterator) of text or bytes is sent while it
    runs."""
    if isinstance(result, Answer):
        return result
    content_type = context.answered.pop("Content-Type", accept)
    if isinstance(result, tuple) and len(result) == 2:
        result, content_type = result[0], str(result[1])
    if content_type.startswith("text/") and "charset" not in content_type:
        content_type += "; charset=utf-8"
    if isinstance(result, Iterator):
        return Stream(_pieces(result), content_type, 200, context.answered)
    return Answer(_bytes(result), content_type, 200, context.answered)


def _bytes(result: Any) -> bytes:
    if isinstance(result, str):
        return result.encode("utf-8")
    if not isinstance(result, bytes | bytearray | memoryview):
        raise TypeError(f"output_fn returned {type(result).__name__}: text or bytes are wanted")
    return bytes(result)


def _pieces(parts: Iterator[Any]) -> Iterator[bytes]:
    """Closing this closes the user's generator: nobody reads on."""
    try:
        for part in parts:
            yield _bytes(part)
    finally:
        if (close := getattr(parts, "close", None)) is not None:
            close()
