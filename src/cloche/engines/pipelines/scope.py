"""What a step of an execution knows when it begins: parameters, variables, what steps before it have become."""

from __future__ import annotations

from typing import Any, Final

import orjson

from cloche.engines.pipelines import steprows
from cloche.engines.pipelines.references import Undefined, value_at
from cloche.engines.pipelines.run import Run
from cloche.engines.pipelines.steprows import PROPERTIES
from cloche.foundation.api import Api, Refused
from cloche.foundation.clock import Clock, from_epoch, to_iso
from cloche.foundation.limits import PARSED_BODY_BYTES_MAX
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.objects import ObjectStore, StoreError

_SCHEME: Final = "s3://"


def address_of(uri: str) -> tuple[str, str]:
    """(bucket, key). Raises ``Undefined`` for what is no address in S3."""
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    if not isinstance(uri, str) or not uri.startswith(_SCHEME) or not bucket:
        raise Undefined(f"{uri!r} is not an address in S3")
    return bucket, key


class Known:
    """The ``Scope`` of a step of ``run``; ``child`` is the name of what it is about to make."""

    def __init__(self, run: Run, database: Database, objects: ObjectStore, api: Api, clock: Clock) -> None:
        self._run = run
        self._database = database
        self._objects = objects
        self._api = api
        self._clock = clock
        self.child = ""
        self._fresh: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, Any] = {}

    def remember(self, step: str, properties: dict[str, Any]) -> None:
        """Of a step that has just ended, and may not be on the disk yet."""
        self._fresh[step] = properties

    def parameter(self, name: str) -> Any:
        return self._run.record.request["Parameters"][name]

    def variable(self, name: str) -> Any:
        request = self._run.record.request
        if name in ("TrainingJobName", "ProcessingJobName"):
            return self.child
        values = {
            "StartDateTime": to_iso(from_epoch(self._run.record.created_at)),
            "CurrentDateTime": to_iso(self._clock.now()),
            "PipelineName": request["PipelineName"],
            "PipelineArn": request["PipelineArn"],
            "PipelineExecutionId": self._run.id,
            "PipelineExecutionArn": self._run.arn,
        }
        return values[name]

    def properties(self, step: str) -> Any:
        if step in self._fresh:
            return self._fresh[step]
        record = records.find_arn(self._database.reader, steprows.arn_of(self._run.arn, step))
        if record is None or PROPERTIES not in record.state:
            raise Undefined(f"the step {step} has no properties")
        return record.state[PROPERTIES]

    def property_file(self, step: str, name: str) -> Any:
        file = self._run.step(step).property_files[name]
        try:
            uri = value_at(self.properties(step), f"ProcessingOutputConfig.Outputs['{file.output}'].S3Output.S3Uri")
        except Undefined:
            raise Undefined(f"the step {step} has no output {file.output} to hold the property file {name}") from None
        return self.json_at(f"{uri.rstrip('/')}/{file.path.lstrip('/')}")

    def json_at(self, uri: str) -> Any:
        if uri not in self._documents:
            self._documents[uri] = self._read(uri)
        return self._documents[uri]

    def _read(self, uri: str) -> Any:
        bucket, key = address_of(uri)
        try:
            # Whether the role may read it is what HeadObject asks, too.
            self._api.call(self._run.behalf, "s3", "HeadObject", {"Bucket": bucket, "Key": key})
            text = self._objects.read_bytes(bucket, key, size_max=PARSED_BODY_BYTES_MAX)
        except (Refused, StoreError) as error:
            raise Undefined(f"the file {uri} cannot be read: {error}") from None
        except ValueError as error:
            raise Undefined(f"the file {uri} is too large: {error}") from None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise Undefined(f"the file {uri} is not JSON: {error}") from None
