"""When a delivery is tried again, and which policies may say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.engines.topics import policies
from cloche.foundation.errors import Invalid, NotSupported


def pauses(**given: Any) -> list[float]:
    policy = policies.retry_policy(json.dumps({"healthyRetryPolicy": given}), None)
    found = []
    while (pause := policies.pause_before(len(found) + 1, policy)) is not None:
        found.append(pause)
    return found


def test_the_default_is_three_times_after_twenty_seconds() -> None:
    assert pauses() == [20.0] * 3


def test_phases_follow_one_another() -> None:
    given = {"minDelayTarget": 1, "maxDelayTarget": 61, "numRetries": 10, "numNoDelayRetries": 2}
    found = pauses(**given, numMinDelayRetries=2, numMaxDelayRetries=2, backoffFunction="linear")
    assert found == [0.0, 0.0, 1.0, 1.0, 1.0, 21.0, 41.0, 61.0, 61.0, 61.0]


@pytest.mark.parametrize("curve", ["arithmetic", "exponential", "geometric", "linear"])
def test_every_curve_grows_from_the_least_to_the_most(curve: str) -> None:
    found = pauses(minDelayTarget=5, maxDelayTarget=60, numRetries=12, backoffFunction=curve)
    assert (found[0], found[-1], len(found)) == (5.0, 60.0, 12)
    assert found == sorted(found)


def test_a_topic_may_forbid_policies_of_its_subscriptions() -> None:
    of_topic = json.dumps(
        {"http": {"disableSubscriptionOverrides": True, "defaultHealthyRetryPolicy": {"numRetries": 7}}}
    )
    own = json.dumps({"healthyRetryPolicy": {"numRetries": 1}})
    assert policies.retry_policy(own, of_topic)["numRetries"] == 7
    assert policies.retry_policy(own, None)["numRetries"] == 1


def test_a_mail_server_is_tried_fifty_times_in_six_hours() -> None:
    found = []
    while (pause := policies.mail_pause(len(found) + 1)) is not None:
        found.append(pause)
    assert len(found) == 49
    assert (found[:2], found[-1]) == ([10.0, 10.0], 600.0)
    assert 5.5 * 3600 < sum(found) < 7.5 * 3600


@pytest.mark.parametrize(
    "policy",
    [
        "[",
        "[]",
        '{"unknown": {}}',
        '{"healthyRetryPolicy": {"numRetries": 101}}',
        '{"healthyRetryPolicy": {"numRetries": true}}',
        '{"healthyRetryPolicy": {"numRetries": "3"}}',
        '{"healthyRetryPolicy": {"minDelayTarget": 30, "maxDelayTarget": 20}}',
        '{"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 3}}',
        '{"healthyRetryPolicy": {"numRetries": 50, "minDelayTarget": 100, "maxDelayTarget": 100}}',
        '{"healthyRetryPolicy": {"backoffFunction": "cubic"}}',
        '{"healthyRetryPolicy": [1]}',
        '{"requestPolicy": {"headerContentType": "a\\r\\nx: y"}}',
        "[" * 100_000,
    ],
)
def test_policies_that_are_none(policy: str) -> None:
    with pytest.raises(Invalid):
        policies.check(policy, of_topic=False)


def test_throttles_are_refused_by_name() -> None:
    with pytest.raises(NotSupported, match="throttlePolicy"):
        policies.check('{"throttlePolicy": {"maxReceivesPerSecond": 10}}', of_topic=False)
