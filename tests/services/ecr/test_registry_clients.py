"""Unmodified clients: the AWS CLI gives the password, skopeo pushes and pulls with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from environments import client_python
from image_pushing import OCI_MANIFEST, SmallImage, described, digest_of

from server_process import ACCOUNT, REGION, ServerProcess

SKOPEO = shutil.which("skopeo")
pytestmark = pytest.mark.skipif(SKOPEO is None, reason="skopeo is not installed (Debian: apt-get install skopeo)")


def skopeo(*arguments: str, fails: bool = False, **environment: str) -> str:
    command = [str(SKOPEO), "--insecure-policy", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def layout_of(image: SmallImage, folder: Path) -> Path:
    """An OCI image layout with that image as ``latest``."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (image.config, image.manifest, *image.layers):
        (blobs / digest_of(content)[7:]).write_bytes(content)
    entry = {
        **described(image.manifest, OCI_MANIFEST),
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


@pytest.fixture(scope="module")
def password(server: ServerProcess) -> str:
    """``aws ecr get-login-password``, by the command itself."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": REGION,
        **{name.upper(): value for name, value in server.keys.items()},
    }
    command = [str(client_python("awscli").with_name("aws")), "ecr", "get-login-password"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_skopeo_pushes_copies_and_pulls(server: ServerProcess, password: str, tmp_path: Path) -> None:
    ecr: Any = server.client("ecr")
    for name in ("clients/first", "clients/second"):
        ecr.create_repository(repositoryName=name)
    here, creds = f"docker://127.0.0.1:{server.port}", f"AWS:{password}"
    source = layout_of(SmallImage("clients"), tmp_path / "source")
    to = ("--dest-tls-verify=false", "--dest-creds", creds)
    skopeo("copy", "--preserve-digests", *to, f"oci:{source}:latest", f"{here}/clients/first:1")
    told = json.loads(skopeo("inspect", "--tls-verify=false", "--creds", creds, f"{here}/clients/first:1"))
    assert (told["Digest"], told["RepoTags"]) == (SmallImage("clients").digest, ["1"])
    both = ("--src-tls-verify=false", "--src-creds", creds, *to)
    skopeo("copy", *both, f"{here}/clients/first:1", f"{here}/clients/second:copied")
    skopeo("copy", *to, "--format", "v2s2", f"oci:{source}:latest", f"{here}/clients/first:docker")
    kinds = {
        tag: each["imageManifestMediaType"]
        for each in ecr.describe_images(repositoryName="clients/first")["imageDetails"]
        for tag in each["imageTags"]
    }
    assert kinds == {"1": OCI_MANIFEST, "docker": "application/vnd.docker.distribution.manifest.v2+json"}
    pulled = tmp_path / "pulled"
    skopeo("copy", "--preserve-digests", *both[:3], f"{here}/clients/second:copied", f"oci:{pulled}:back")
    index = json.loads((pulled / "index.json").read_text())
    assert index["manifests"][0]["digest"] == SmallImage("clients").digest
    refused = skopeo("copy", *to, f"oci:{source}:latest", f"{here}/clients/none:1", fails=True)
    assert f"The repository with name 'clients/none' does not exist in the registry with id '{ACCOUNT}'" in refused
    skopeo("delete", "--tls-verify=false", "--creds", creds, f"{here}/clients/second:copied")
    assert ecr.list_images(repositoryName="clients/second")["imageIds"] == []


def test_skopeo_by_the_name_of_aws(server: ServerProcess, password: str, tmp_path: Path) -> None:
    """Through the CONNECT listener, with Cloche's certificate."""
    server.client("ecr").create_repository(repositoryName="clients/named")
    source = layout_of(SmallImage("clients by name"), tmp_path / "source")
    there = f"docker://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/clients/named:1"
    proxied = {"HTTPS_PROXY": server.url, "NO_PROXY": "", "SSL_CERT_FILE": str(server.data / "keys" / "bundle.pem")}
    skopeo("copy", "--dest-creds", f"AWS:{password}", f"oci:{source}:latest", there, **proxied)
    told = json.loads(skopeo("inspect", "--creds", f"AWS:{password}", there, **proxied))
    assert told["RepoTags"] == ["1"]
