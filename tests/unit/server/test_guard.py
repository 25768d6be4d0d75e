"""Who may talk to Cloche: names of this machine and of AWS, and no page of another origin."""

from __future__ import annotations

import pytest

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.server.guard import Guard, is_aws_host

GUARD = Guard("127.0.0.1")


def request(method: str = "GET", path: str = "/", **headers: str) -> HttpRequest:
    items = {"host": "127.0.0.1:4566", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return HttpRequest(method, path, "", Headers(items.items()))


def refused(wrong: HttpRequest) -> AwsError:
    with pytest.raises(AwsError) as caught:
        GUARD.check(wrong)
    return caught.value


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:4566",
        "localhost:4566",
        "LOCALHOST",
        "[::1]:4566",
        "bucket.localhost:4566",
        "123456789012.s3-control.localhost",
        "sts.eu-west-1.amazonaws.com",
        "bucket.s3.cn-north-1.amazonaws.com.cn",
        "api.sagemaker.us-east-1.api.aws:443",
        "192.168.1.7:4566",
    ],
)
def test_names_that_are_ours(host: str) -> None:
    GUARD.check(request(host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4566",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "amazonaws.com.evil.example",
        "xamazonaws.com",
        "0.0.0.0:4566",
        "nip.io",
    ],
)
def test_a_rebound_name_is_refused(host: str) -> None:
    assert (refused(request(host=host)).code, refused(request(host=host)).status) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost/", "localhost\x00", "user@localhost", "[::1", "localhost:999999"]
)
def test_hosts_that_are_none(host: str) -> None:
    assert refused(request(host=host)).status == 400


def test_listening_everywhere_makes_no_name_of_it() -> None:
    with pytest.raises(AwsError):
        Guard("0.0.0.0").check(request(host="0.0.0.0:4566"))
    Guard("0.0.0.0").check(request(host="192.168.1.7:4566"))


def test_no_host_and_two_hosts() -> None:
    assert refused(HttpRequest("GET", "/", "", Headers())).status == 400
    two = Headers([("host", "localhost"), ("host", "localhost")])
    assert refused(HttpRequest("GET", "/", "", two)).status == 400


def test_the_address_listened_on_is_ours() -> None:
    Guard("gpu-box").check(request(host="gpu-box:4566"))
    assert Guard("gpu-box").is_own("gpu-box:4566")
    assert not Guard("gpu-box").is_own("sts.us-east-1.amazonaws.com")
    assert not Guard("gpu-box").is_own("bucket.localhost")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8888", "https://127.0.0.1:4566"])
def test_pages_of_other_origins(method: str, origin: str) -> None:
    assert refused(request(method, origin=origin)).status == 403


def test_pages_of_this_origin() -> None:
    GUARD.check(request("POST", origin="http://127.0.0.1:4566", sec_fetch_site="same-origin"))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_elsewhere_loads(site: str) -> None:
    assert refused(request("GET", sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest="image")).status == 403
    assert refused(request("POST", sec_fetch_site=site, sec_fetch_mode="navigate")).status == 403
    assert (
        refused(request("GET", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe")).status == 403
    )


def test_a_link_that_the_user_follows() -> None:
    GUARD.check(request(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"))
    GUARD.check(request(sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document"))


def test_every_suffix_of_botocores_endpoints_is_aws() -> None:
    """A new partition in botocore must be added to the guard's list."""
    import json
    from pathlib import Path

    import botocore

    partitions = json.loads((Path(botocore.__file__).parent / "data" / "endpoints.json").read_text())["partitions"]
    commercial = [one for one in partitions if one["partition"] in ("aws", "aws-cn", "aws-us-gov", "aws-eusc")]
    assert len(commercial) >= 3
    for partition in commercial:
        assert is_aws_host(f"sts.{next(iter(partition['regions']))}.{partition['dnsSuffix']}"), partition["dnsSuffix"]
