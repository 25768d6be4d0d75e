import pytest

from cloche.aws.arn import Arn


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("arn:aws:sagemaker:us-east-1:123456789012:training-job/a", "training-job", "a"),
        ("arn:aws:iam::123456789012:role/service-role/x", "role", "service-role/x"),
        ("arn:aws:logs:us-east-1:1:log-group:/aws/x:*", "log-group", "/aws/x:*"),
        ("arn:aws:s3:::bucket", "", "bucket"),
    ],
)
def test_there_and_back(text: str, kind: str, name: str) -> None:
    arn = Arn.parse(text)
    assert (str(arn), arn.kind, arn.name) == (text, kind, name)


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:s3", "urn:aws:s3:::b", "arn::s3:::b", "arn:aws::::b"])
def test_what_is_none(text: str) -> None:
    assert Arn.try_parse(text) is None
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)
