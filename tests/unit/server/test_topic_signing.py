"""The certificate of notifications: kept over restarts, renewed before it ends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cloche.server import topic_signing
from cloche.server.authority import Authority
from cloche.server.topic_signing import TopicSigner


def signer(keys: Path) -> TopicSigner:
    return TopicSigner(Authority(keys), keys, "http://127.0.0.1:4566")


def test_the_certificate_stays_until_it_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = signer(tmp_path)
    assert (tmp_path / "sns.pem").exists() is False
    assert first.sign("text", "2") == first.sign("text", "2") != first.sign("text", "1")
    url = first.certificate_url
    assert url.startswith("http://127.0.0.1:4566/_cloche/sns/SimpleNotificationService-")
    assert signer(tmp_path).certificate_url == url
    assert (tmp_path / "sns.pem").stat().st_mode & 0o077 == 0

    class Later(topic_signing.datetime):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: object = None) -> object:
            return super().now(tz) + timedelta(days=380)

    monkeypatch.setattr(topic_signing, "datetime", Later)
    assert signer(tmp_path).certificate_url != url
