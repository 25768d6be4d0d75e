"""``kill -9`` of a server whose endpoint is asked all the time: what was answered is captured, once and whole."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "sagemaker"))

from hosting_requests import ROW, Hosting, trained, unique

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = int(os.environ.get("CLOCHE_KILLS", "30")) // 5
SEED = int(os.environ.get("CLOCHE_KILLS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
ASKING = 4
ROWS = 1000
CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://hosting-models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


class Asking(threading.Thread):
    """Asks on and on, each time under another inference id; ``answered`` are those whose answer came. Every other lane
    asks with many rows: files of those are many enough for the press, which is killed at its work, too."""

    def __init__(self, server: Any, endpoint: str, lane: int, ending: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.endpoint, self.lane, self.ending = server, endpoint, lane, ending
        self.answered: dict[str, str] = {}

    def run(self) -> None:
        runtime = self.server.client("sagemaker-runtime")
        number, body = 0, "\n".join([ROW] * (ROWS if self.lane % 2 else 1))
        while not self.ending.is_set():
            number += 1
            id = f"{self.lane}-{number}"
            try:
                answer = runtime.invoke_endpoint(
                    EndpointName=self.endpoint, Body=body, ContentType="text/csv", InferenceId=id
                )
                self.answered[id] = answer["Body"].read().decode()
            except (BotoCoreError, ClientError):
                time.sleep(0.02)


def captured(s3: Any) -> dict[str, list[str]]:
    """Inference id → the outputs of its records. Each line is read, and must be one."""
    found: dict[str, list[str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="hosting-models", Prefix="captured/"):
        for each in page.get("Contents", ()):
            text = s3.get_object(Bucket="hosting-models", Key=each["Key"])["Body"].read().decode()
            assert text.endswith("\n"), each["Key"]
            for line in text[:-1].split("\n"):
                record = json.loads(line)
                output = record["captureData"]["endpointOutput"]["data"]
                found.setdefault(record["eventMetadata"]["inferenceId"], []).append(output)
    return found


def test_what_was_answered_is_captured_once(start_server: Callable[..., Any]) -> None:
    dice = random.Random(SEED)
    server = start_server()
    hosting = Hosting(server.client)
    name, config = unique("endpoint"), unique("config")
    variant = {"VariantName": "AllTraffic", "ModelName": hosting.model(hosting.put(trained(1)[0]))}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[{**variant, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}],
        DataCaptureConfig=CAPTURE,
    )
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert hosting.settled(name)["EndpointStatus"] == "InService"
    ending = threading.Event()
    asking = [Asking(server, name, lane, ending) for lane in range(ASKING)]
    for each in asking:
        each.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.2, 1.6))
        server.stop(signal.SIGKILL)
        server.start()
    time.sleep(0.3)
    ending.set()
    for each in asking:
        each.join()
    answered = {id: output for each in asking for id, output in each.answered.items()}
    s3 = server.client("s3")
    end = time.monotonic() + 30
    while missing := set(answered) - set(found := captured(s3)):
        assert time.monotonic() < end, f"seed {SEED}: {len(missing)} of {len(answered)} answers were not captured"
        time.sleep(0.3)
    assert not Counter(len(outputs) for outputs in found.values()).keys() - {1}, f"seed {SEED}: captured twice"
    assert all(found[id] == [output] for id, output in answered.items())
    assert "Traceback" not in server.log()
    hosting.gone(name)
    assert not list((server.data / "captured").glob("*"))
