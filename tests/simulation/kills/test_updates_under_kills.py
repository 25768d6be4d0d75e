"""Guarded updates under 32 clients while the server, then a model server (or its runner) is killed at any moment of
them, and of their way back.

Every answer is one that a fully loaded model of the old or the new fleet gives, no request is refused or answered with
an error while a server is there (but for those that a killed model server had), and the update (or its way back) is
finished by whichever server comes next. The seed is printed; ``CLOCHE_KILLS_SEED`` repeats a run, ``CLOCHE_UPDATES``
widens it.
"""

from __future__ import annotations

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
from botocore.config import Config

from .ledger import word_of
from .victims import Victims, kill

sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "sagemaker"))

from hosting_requests import ROW, Hosting, trained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

UPDATES = int(os.environ.get("CLOCHE_UPDATES", "2"))
SEED = int(os.environ.get("CLOCHE_KILLS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
CLIENTS = 32
FACTORS = (1, 3)
GONE = ("EndpointConnectionError", "ConnectionClosedError", "ConnectTimeoutError")
"""What a client sees of a server that is killed or not there."""


class Clients:
    """Threads that ask one endpoint without pause, over one pool of connections, each request once."""

    def __init__(self, server: Any, endpoint: str) -> None:
        config = Config(
            retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, max_pool_connections=CLIENTS
        )
        self._runtime = server.client("sagemaker-runtime", config=config)
        self._endpoint = endpoint
        self.answers: Counter[float] = Counter()
        self.lost: Counter[str] = Counter()
        self.ending = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self.ending.is_set():
            try:
                answer = self._runtime.invoke_endpoint(EndpointName=self._endpoint, Body=ROW, ContentType="text/csv")
                self.answers[round(float(answer["Body"].read()), 4)] += 1
            except Exception as error:
                self.lost[word_of(error)] += 1
            self.ending.wait(0.1)


class Story:
    def __init__(self, server: Any) -> None:
        self.server = server
        self.dice = random.Random(SEED)
        self.hosting = Hosting(server.client)
        self.configs = [self._config(factor) for factor in FACTORS]
        self.said = [round(trained(factor)[1], 4) for factor in FACTORS]
        self.name = "updated-under-kills"
        self.hosting.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.configs[0])
        self.hosting.settled(self.name)
        self.victims = Victims(server.data)
        self.kills = self.models_killed = 0

    def _config(self, factor: int) -> str:
        model = self.hosting.model(self.hosting.put(trained(factor)[0]))
        return self.hosting.config({"VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 2})

    def update(self, to: int, alarm: str | None) -> None:
        """Begin a guarded update; with ``alarm`` one that has to come back, in batches."""
        size, batch = {"Type": "CAPACITY_PERCENT", "Value": 50}, {"Type": "INSTANCE_COUNT", "Value": 1}
        rolling = {"MaximumBatchSize": batch, "RollbackMaximumBatchSize": batch, "WaitIntervalInSeconds": 1}
        routing = {"Type": "LINEAR", "LinearStepSize": size, "WaitIntervalInSeconds": 1}
        blue_green = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 1}
        deployment: dict[str, Any] = {"BlueGreenUpdatePolicy": blue_green}
        if alarm:
            guard = {"Alarms": [{"AlarmName": alarm}]}
            deployment = {"RollingUpdatePolicy": rolling, "AutoRollbackConfiguration": guard}
        self.hosting.sagemaker.update_endpoint(
            EndpointName=self.name, EndpointConfigName=self.configs[to], DeploymentConfig=deployment
        )

    def kill_a_model_server(self) -> None:
        """Or its runner; of either fleet."""
        time.sleep(self.dice.uniform(0.0, 1.0))
        look = self.dice.choice([self.victims.jobs, self.victims.runners])
        if (found := look("endpoint-")) and kill(self.dice.choice(found).pid):
            self.models_killed += 1

    def kill_the_server(self) -> None:
        time.sleep(self.dice.uniform(0.0, 2.5))
        kept, self.server._clients[:] = list(self.server._clients), []
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.server._clients[:] = kept
        self.kills += 1


def test_a_server_killed_in_an_update_loses_no_other_request(start_server: Callable[..., Any]) -> None:
    print(f"seed {SEED}")
    story = Story(start_server())
    alarms = story.server.client("cloudwatch")
    alarms.put_metric_alarm(
        AlarmName="rings",
        MetricName="None",
        Namespace="None",
        Statistic="Sum",
        Period=86_400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    alarms.set_alarm_state(AlarmName="rings", StateValue="ALARM", StateReason="for the test")
    clients = Clients(story.server, story.name)
    clients.start()
    serves = 0
    try:
        for number in range(UPDATES):
            comes_back = number % 2 == 1
            story.update(1 - serves, "rings" if comes_back else None)
            story.kill_the_server()
            story.kill_a_model_server()
            found = story.hosting.settled(story.name)
            assert found["EndpointStatus"] == "InService", found
            serves = serves if comes_back else 1 - serves
            assert found["EndpointConfigName"] == story.configs[serves], (number, found)
            assert ("FailureReason" in found) == comes_back
            assert {round(story.hosting.ask(story.name), 4) for _ in range(6)} == {story.said[serves]}
    finally:
        clients.stop()
    killed = f"{story.kills} servers and {story.models_killed} model servers killed"
    print(f"{killed}, {clients.answers.total()} answers {dict(clients.answers)}, lost {dict(clients.lost)}")
    assert set(clients.answers) == set(story.said), "an answer of a model that was not loaded"
    had_by_models = clients.lost.pop("ModelError 424", 0)
    assert set(clients.lost) <= set(GONE), "a request that a living server refused"
    assert had_by_models <= CLIENTS * story.models_killed
    assert clients.answers.total() > 2 * CLIENTS
