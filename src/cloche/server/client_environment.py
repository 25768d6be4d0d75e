"""What a program needs in its environment to use Cloche unchanged: ``cloche env`` and ``cloche run``.

The endpoint variable is enough for boto3. The SageMaker SDKs ask ``https://sts.<region>.amazonaws.com`` all the
same, so https goes through Cloche's CONNECT (``HTTPS_PROXY``), with a bundle that adds Cloche's authority to the
public ones. S3 Control puts the account's number before any endpoint's host: ``123456789012.127.0.0.1`` is none,
``123456789012.s3-control.<region>.amazonaws.com`` goes the same way as STS's. The SDKs' telemetry is switched off by a
configuration file of the lowest rank, below the user's own: ``SAGEMAKER_ADMIN_CONFIG_OVERRIDE`` and
``SageMaker.PythonSDK.Modules.TelemetryOptOut``
(sagemaker.readthedocs.io/en/stable/overview.html#configuring-and-using-defaults-with-the-sagemaker-python-sdk).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cloche.foundation.errors import Invalid
from cloche.server.authority import Authority
from cloche.server.directory import Layout, Running, write_private

UNSET: Final = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")
"""What would lead an SDK past the keys given here."""

_NOT_PROXIED: Final = "127.0.0.1,localhost,.localhost,::1"
_SDK_CONFIGURATION: Final = """\
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""


def write_sdk_configuration(layout: Layout) -> None:
    """Make the SDK's configuration file if it is not there."""
    path = layout.keys / "sagemaker.yaml"
    if not path.exists():
        write_private(path, _SDK_CONFIGURATION)


def root_keys(layout: Layout, account: str = "") -> tuple[str, str]:
    """The access key and secret of a root: home's, or an added account's. Raises ``Invalid`` for an account that
    is not there."""
    path = layout.keys / (f"root-{account}.json" if account else "root.json")
    if account and not path.exists():
        raise Invalid(f"there is no account {account} here; `cloche accounts list` says which there are")
    said = json.loads(path.read_text())
    return said["AccessKeyId"], said["SecretAccessKey"]


def client_environment(layout: Layout, running: Running, account: str = "") -> Mapping[str, str]:
    """The variables, by name; with the keys of ``account``'s root, or of home's."""
    access_key, secret = root_keys(layout, "" if account == running.account else account)
    authority = Authority(layout.keys, Path(running.certificate) if running.certificate else None)
    authority.ensure()
    bundle = str(authority.bundle)
    return {
        "AWS_ENDPOINT_URL": running.secure or running.url,
        "AWS_ENDPOINT_URL_S3_CONTROL": f"https://s3-control.{running.region}.amazonaws.com",
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": running.region,
        "AWS_REGION": running.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTPS_PROXY": running.url,
        "https_proxy": running.url,
        "NO_PROXY": _NOT_PROXIED,
        "no_proxy": _NOT_PROXIED,
        "AWS_CA_BUNDLE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": bundle if running.certificate else str(authority.certificate),
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(layout.keys / "sagemaker.yaml"),
    }
