"""A page that lies in a bucket shares the console's origin: it must not be able to use it."""

from __future__ import annotations

import urllib.request
from typing import Any

from botocore.config import Config

PAGE = b"<script>fetch('/_cloche/')</script>"


def headers_of(url: str, **more: str) -> dict[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=more)) as answer:
        assert answer.read() == PAGE
        return {name.lower(): value for name, value in answer.headers.items()}


def test_an_object_is_a_sandboxed_document_to_a_browser(server: Any) -> None:
    s3 = server.client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="pages")
    s3.put_object(Bucket="pages", Key="evil.html", Body=PAGE, ContentType="text/html")
    url = s3.generate_presigned_url("get_object", {"Bucket": "pages", "Key": "evil.html"})
    seen = headers_of(url, **{"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"})
    assert seen["content-security-policy"] == "sandbox"
    assert seen["x-content-type-options"] == "nosniff"
    assert seen["content-type"] == "text/html"
    assert "access-control-allow-origin" not in seen
    assert "content-security-policy" not in headers_of(url), "S3 says no such thing to SDKs"
