"""Repositories and their images in the console."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from image_pushing import RegistryClient, SmallImage

from server_process import ServerProcess


def test_pages_of_repositories_and_images(server: ServerProcess) -> None:
    ecr, registry, name = server.client("ecr"), RegistryClient(server), "console/shown"
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    image = SmallImage(name)
    registry.push(name, image, "v1")
    token = (server.data / "keys" / "console.token").read_text().strip()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(f"{server.url}/?token={token}").close()

    def page(path: str) -> str:
        with opener.open(f"{server.url}/_cloche/images{path}") as answer:
            return str(answer.read().decode())

    listed = page("")
    assert f'<a href="/_cloche/images/{name}">{name}</a><td>immutable' in listed
    assert f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}" in listed
    shown = page(f"/{name}")
    assert f'<td>v1<td><code title="{image.digest}">{image.digest[:19]}</code>' in shown
    assert ">never</tr>" in shown
    assert "Lifecycle policy" not in shown
    with pytest.raises(urllib.error.HTTPError, match="404"):
        page("/console/none")
