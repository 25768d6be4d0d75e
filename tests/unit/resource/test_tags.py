"""AddTags, ListTags, DeleteTags over any record."""

from __future__ import annotations

from typing import Any

import pytest

from cloche.foundation.errors import Invalid, LimitReached, NotFound
from cloche.services.sagemaker import tags

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/one"


@pytest.fixture
def tagged(desk: Any) -> Any:
    desk("CreateTrainingJob", {"TrainingJobName": "one", "Tags": [{"Key": "a", "Value": "1"}]})
    desk.operations |= {"AddTags": tags.add_tags, "ListTags": tags.list_tags, "DeleteTags": tags.delete_tags}
    return desk


def members(**held: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in held.items()]


def test_the_story(tagged: Any) -> None:
    assert tagged("AddTags", {"ResourceArn": ARN, "Tags": members(b="2", a="3")}) == {"Tags": members(a="3", b="2")}
    assert tagged("ListTags", {"ResourceArn": ARN}) == {"Tags": members(a="3", b="2")}
    assert tagged("DeleteTags", {"ResourceArn": ARN, "TagKeys": ["a", "none"]}) == {}
    assert tagged("ListTags", {"ResourceArn": ARN}) == {"Tags": members(b="2")}


def test_fifty_and_no_more(tagged: Any) -> None:
    tagged("AddTags", {"ResourceArn": ARN, "Tags": members(**{f"k{number}": "" for number in range(49)})})
    with pytest.raises(LimitReached, match="50"):
        tagged("AddTags", {"ResourceArn": ARN, "Tags": members(one_more="")})
    tagged("AddTags", {"ResourceArn": ARN, "Tags": members(a="again")})
    assert len(tagged("ListTags", {"ResourceArn": ARN})["Tags"]) == 50


@pytest.mark.parametrize("verb", ["AddTags", "ListTags", "DeleteTags"])
def test_what_is_not_there_has_no_tags(tagged: Any, verb: str) -> None:
    request = {"Tags": members(x=""), "TagKeys": ["x"]}
    for arn in (ARN + "-not", ARN.replace("123456789012", "999999999999")):
        with pytest.raises(NotFound, match="Requested resource not found"):
            tagged(verb, {"ResourceArn": arn, **request})
    with pytest.raises(Invalid, match="correct region: us-east-1"):
        tagged(verb, {"ResourceArn": ARN.replace("us-east-1", "eu-west-1"), **request})


def test_reserved_and_repeated_keys(tagged: Any) -> None:
    with pytest.raises(Invalid, match="aws:"):
        tagged("AddTags", {"ResourceArn": ARN, "Tags": [{"Key": "aws:x", "Value": ""}]})
    with pytest.raises(Invalid, match="Duplicate"):
        tagged("AddTags", {"ResourceArn": ARN, "Tags": members(x="1") * 2})
    assert tagged("ListTags", {"ResourceArn": ARN}) == {"Tags": members(a="1")}
