"""How notifications leave Cloche: by HTTP(S) to this machine alone, and by SMTP where a mail server was named.

docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html: an answer is waited for 15 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cloche.engines.topics.endpoints import loopback_host
from cloche.foundation.errors import Denied, LimitReached

if TYPE_CHECKING:
    import http.client

SECONDS_MAX: Final = 15.0
_ANSWER_BYTES_MAX: Final = 65_536
_AGENT: Final = "Amazon Simple Notification Service Agent"


class HttpSender:
    """``bundle``: the certificates that an HTTPS endpoint may have its own from."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle

    def __call__(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> None:
        import http.client  # at the first delivery: it brings the whole of ``email``

        host, parts = loopback_host(endpoint), urlsplit(endpoint)
        connection = self._connection(parts.scheme, host, parts.port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {**headers, "Host": parts.netloc, "User-Agent": _AGENT, "Accept-Encoding": "gzip,deflate"}
        try:
            connection.request("POST", path, body, given)
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LimitReached(f"{endpoint} could not be reached: {error}") from None
        finally:
            connection.close()
        if 400 <= answer.status < 500 and answer.status != 429:
            raise Denied(f"{endpoint} answered {answer.status}.")
        if not 200 <= answer.status < 300:
            raise LimitReached(f"{endpoint} answered {answer.status}.")

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        import http.client
        import ssl

        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=SECONDS_MAX)
        context = ssl.create_default_context(cafile=str(self._bundle) if self._bundle.exists() else None)
        return http.client.HTTPSConnection(host, port, timeout=SECONDS_MAX, context=context)


def smtp_sender(server: str) -> Callable[[str, Mapping[str, str], bytes], None]:
    """Hands mails to the mail server at ``host:port``."""
    host, _, port = server.rpartition(":")

    def send(recipient: str, headers: Mapping[str, str], body: bytes) -> None:
        import smtplib
        from email.message import EmailMessage

        mail = EmailMessage()
        mail["From"], mail["To"] = "AWS Notifications <no-reply@sns.amazonaws.com>", recipient
        mail["Subject"] = headers["Subject"].replace("\r", " ").replace("\n", " ")
        mail["X-Amz-Sns-Topic-Arn"] = headers["Topic"]
        mail.set_content(body.decode())
        try:
            with smtplib.SMTP(host, int(port), timeout=SECONDS_MAX) as connection:
                connection.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            kind = Denied if min(codes) >= 500 else LimitReached
            raise kind(f"The mail server refused {recipient}: {error}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise LimitReached(f"The mail server {server} could not be used: {error}") from None

    return send
