"""How notifications leave Cloche: by HTTP(S) to this machine alone, and by SMTP where a mail server was named.

docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html: an answer is waited for 15 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cloche.engines.topics.endpoints import loopback_host
from cloche.foundation.errors import Denied, LimitReached

if TYPE_CHECKING:
    import ssl

    from cloche.server.authority import Authority

SECONDS_MAX: Final = 15.0
_ANSWER_BYTES_MAX: Final = 65_536
_PORTS: Final = {"http": 80, "https": 443}
_AGENT: Final = "Amazon Simple Notification Service Agent"


class HttpSender:
    """An HTTPS endpoint may have its certificate from Cloche's authority, or from whom ``SSL_CERT_FILE`` or the system
    trusts."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def __call__(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> None:
        import http.client  # at the first delivery: it brings the whole of ``email``

        host, parts = loopback_host(endpoint), urlsplit(endpoint)
        connection = http.client.HTTPConnection(host, parts.port or _PORTS[parts.scheme], timeout=SECONDS_MAX)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {**headers, "Host": parts.netloc, "User-Agent": _AGENT, "Accept-Encoding": "gzip,deflate"}
        try:
            if parts.scheme == "https":
                connection.sock = self._sealed(host, connection.port, parts.hostname or host)
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

    def _sealed(self, host: str, port: int, name: str) -> ssl.SSLSocket:
        """Connected to ``host``, whose certificate must be for ``name``, the one in the subscription's URL."""
        import socket
        import ssl

        self._authority.ensure()
        context = ssl.create_default_context()
        context.load_verify_locations(self._authority.certificate)
        connected = socket.create_connection((host, port), SECONDS_MAX)
        try:
            return context.wrap_socket(connected, server_hostname=name)
        except BaseException:
            connected.close()
            raise


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
