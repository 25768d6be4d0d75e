"""What clients see of the edge: keys, signatures, the CONNECT listener, job credentials, the commands."""

from __future__ import annotations

import json
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ProxyConnectionError, SSLError

ONCE = Config(retries={"total_max_attempts": 1})


def cloche(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloche.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def through(server: Any, service: str, **more: Any) -> Any:
    """A client that knows nothing but the proxy and the bundle, as a script under ``cloche run`` does."""
    cloche("env", "--data", str(server.data))
    proxied = Config(proxies={"https": server.url}, retries={"total_max_attempts": 1})
    made = boto3.session.Session().client(
        service,
        region_name="us-east-1",
        config=proxied,
        verify=str(server.data / "keys" / "bundle.pem"),
        **{**server.keys, **more},
    )
    return made


def code_of(call: Any, *arguments: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **members)
    return str(caught.value.response["Error"]["Code"])


def test_who_am_i(client: Any) -> None:
    said = client("sts").get_caller_identity()
    assert said["Arn"] == "arn:aws:iam::123456789012:root"
    assert said["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("key", ["test", "AKIAIOSFODNN7EXAMPLE", "minioadmin"])
def test_strangers(server: Any, key: str) -> None:
    stranger = {"aws_access_key_id": key, "aws_secret_access_key": key, "config": ONCE}
    assert code_of(server.client("sts", **stranger).get_caller_identity) == "InvalidClientTokenId"
    assert code_of(server.client("sagemaker", **stranger).list_models) == "UnrecognizedClientException"
    assert code_of(server.client("s3", **stranger).list_buckets) == "InvalidAccessKeyId"


def test_a_wrong_secret(server: Any) -> None:
    liar = {"aws_secret_access_key": "wrong", "config": ONCE}
    assert code_of(server.client("sts", **liar).get_caller_identity) == "SignatureDoesNotMatch"
    assert code_of(server.client("sagemaker", **liar).list_models) == "InvalidSignatureException"
    assert code_of(server.client("s3", **liar).list_buckets) == "SignatureDoesNotMatch"


def test_what_is_not_offered_is_said_by_name(client: Any) -> None:
    with pytest.raises(ClientError, match=r"Cloche does not offer GetTables of glue\."):
        client("glue").get_tables(DatabaseName="x")


def test_links_of_the_old_kind_work(client: Any) -> None:
    """boto3 still makes them for us-east-1 unless it is told otherwise (docs/decisions/0008)."""
    s3 = client("s3")
    s3.create_bucket(Bucket="edge-links")
    s3.put_object(Bucket="edge-links", Key="k", Body=b"linked")
    link = s3.generate_presigned_url("get_object", {"Bucket": "edge-links", "Key": "k"})
    assert "AWSAccessKeyId=" in link
    assert urllib.request.urlopen(link).read() == b"linked"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(link.replace("/k?", "/other?"))
    assert (caught.value.code, b"SignatureDoesNotMatch" in caught.value.read()) == (403, True)
    caught.value.close()


def test_packed_request_bodies(client: Any) -> None:
    """boto3 packs a large PutMetricData with gzip of its own accord."""
    cloudwatch = client("cloudwatch")
    data = [{"MetricName": f"metric-{n:04}", "Value": float(n)} for n in range(400)]
    sent: list[Any] = []
    cloudwatch.meta.events.register("before-send.cloudwatch", lambda request, **_: sent.append(request.headers))
    cloudwatch.put_metric_data(Namespace="edge-packed", MetricData=data)
    assert "gzip" in str(sent[0]["Content-Encoding"])
    found = cloudwatch.list_metrics(Namespace="edge-packed", MetricName="metric-0399")["Metrics"]
    assert [metric["MetricName"] for metric in found] == ["metric-0399"]


def test_presigned_links(client: Any) -> None:
    s3 = client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="edge-links")
    s3.put_object(Bucket="edge-links", Key="a b/é+%.txt", Body=b"content")
    link = s3.generate_presigned_url("get_object", {"Bucket": "edge-links", "Key": "a b/é+%.txt"}, ExpiresIn=60)
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"content"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(link.replace("%2B", "%2D"))
    assert caught.value.code == 403
    assert b"SignatureDoesNotMatch" in caught.value.read()
    caught.value.close()


def test_anonymous_reads_are_denied(server: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/edge-links/x")
    assert caught.value.code == 403
    assert b"<Code>AccessDenied</Code>" in caught.value.read()
    caught.value.close()


def test_aws_host_names_through_connect(server: Any) -> None:
    sts = through(server, "sts")
    assert sts.meta.endpoint_url.startswith("https://sts.")
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
    sts.close()


def test_trailers_through_connect(server: Any, client: Any) -> None:
    """Over https boto3 sends aws-chunked with a trailing checksum; the object is stored without the framing."""
    s3 = through(server, "s3")
    s3.create_bucket(Bucket="edge-tls")
    for size in (0, 1, 70_000, 3_000_000):
        body = bytes(range(256)) * (size // 256 + 1)
        s3.put_object(Bucket="edge-tls", Key=str(size), Body=body[:size])
        assert client("s3").get_object(Bucket="edge-tls", Key=str(size))["Body"].read() == body[:size]
    assert "aws-chunked" not in client("s3").head_object(Bucket="edge-tls", Key="1").get("ContentEncoding", "")
    s3.close()


def test_a_client_without_the_bundle_does_not_trust_it(server: Any) -> None:
    proxied = Config(proxies={"https": server.url}, retries={"total_max_attempts": 1})
    sts = boto3.session.Session().client("sts", region_name="us-east-1", config=proxied, **server.keys)
    with pytest.raises((SSLError, ProxyConnectionError)):
        sts.get_caller_identity()
    sts.close()


def test_other_hosts_are_tunnelled_unopened(server: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as far:

        def echo() -> None:
            connection, _ = far.accept()
            with connection:
                while piece := connection.recv(65536):
                    connection.sendall(piece)

        thread = threading.Thread(target=echo)
        thread.start()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as near:
            near.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x\r\n\r\n" % far.getsockname()[1])
            assert near.recv(65536).startswith(b"HTTP/1.1 200")
            sent = bytes(range(256)) * 4096
            threading.Thread(target=near.sendall, args=(sent,)).start()
            received = b""
            while len(received) < len(sent):
                received += near.recv(65536)
            assert received == sent
            near.shutdown(socket.SHUT_WR)
            assert near.recv(1) == b""
        thread.join()


@pytest.mark.parametrize("knows_itself", [True, False])
def test_a_server_in_the_environment_that_leads_to_it_asks_not_itself(start_server: Any, knows_itself: bool) -> None:
    """``cloche down`` and ``cloche up`` in a shell with ``eval "$(cloche env)"``: every tunnel took connections of the
    server to itself, until there were no more, and it answered 503 from then on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        here = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {"HTTPS_PROXY": f"http://{here}", "https_proxy": f"http://{here}", "NO_PROXY": "", "no_proxy": ""}
    if knows_itself:
        environment["AWS_ENDPOINT_URL"] = f"https://{here.replace('127.0.0.1', 'localhost')}"
    server = start_server("--port", here.rpartition(":")[2], environment=environment)
    assert server.port == int(here.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as far, socket.create_connection(("127.0.0.1", server.port)) as near:
        far.settimeout(10)
        near.settimeout(10)
        near.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % far.getsockname()[1])
        connection, _ = far.accept()
        with connection:
            assert near.recv(65536).startswith(b"HTTP/1.1 200")
            near.sendall(b"hello")
            assert connection.recv(5) == b"hello"


def test_a_tunnel_whose_far_end_closes_at_once(server: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as far:
        for _ in range(30):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as near:
                near.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % far.getsockname()[1])
                far.accept()[0].close()
                while near.recv(65536):
                    pass
    assert "Relay" not in server.log()


def test_a_tunnel_to_nowhere(server: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as near:
        near.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
        assert near.recv(65536).startswith(b"HTTP/1.1 502")


def test_job_credentials_need_their_token(server: Any) -> None:
    url = f"{server.url}/_cloche/credentials/no-such-job"
    for headers in ({}, {"Authorization": "guess"}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers))
        assert caught.value.code == 403
        caught.value.close()


def test_any_credentials(start_server: Any) -> None:
    lenient = start_server("--any-credentials")
    anybody = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    assert lenient.client("sts", **anybody).get_caller_identity()["Arn"].endswith(":root")
    s3 = lenient.client("s3", **anybody)
    s3.create_bucket(Bucket="anybody")
    s3.put_object(Bucket="anybody", Key="k", Body=b"content")
    assert s3.get_object(Bucket="anybody", Key="k")["Body"].read() == b"content"
    known = {"aws_secret_access_key": "wrong", "config": ONCE}
    assert code_of(lenient.client("sts", **known).get_caller_identity) == "SignatureDoesNotMatch"


def test_env_in_every_form(server: Any, tmp_path: Path) -> None:
    data = ("--data", str(server.data))
    variables = json.loads(cloche("env", *data, "--format", "json").stdout)
    assert variables["AWS_ENDPOINT_URL"] == variables["HTTPS_PROXY"] == server.url
    shell = 'eval "$("$0" -m cloche.cli.main env --data "$1")" && env'
    seen = subprocess.run(["sh", "-c", shell, sys.executable, str(server.data)], capture_output=True, text=True)
    lines = set(seen.stdout.splitlines())
    assert {f"{name}={value}" for name, value in variables.items()} <= lines
    assert f'AWS_REGION="{variables["AWS_REGION"]}"' in cloche("env", *data, "--format", "dotenv").stdout
    (tmp_path / "config").write_text(cloche("env", *data, "--format", "profile").stdout)
    script = "import boto3; print(boto3.Session(profile_name='cloche').client('sts').get_caller_identity()['Account'])"
    clean = {"PATH": "/usr/bin:/bin", "AWS_CONFIG_FILE": str(tmp_path / "config"), "HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", script], env=clean, capture_output=True, text=True)
    assert said.stdout.strip() == "123456789012", said.stderr


def test_run_gives_a_script_all_it_needs(server: Any) -> None:
    """The first line of every SageMaker script asks STS by its https name: no endpoint is given here."""
    script = (
        "import boto3; print(boto3.client('sts', endpoint_url='https://sts.us-east-1.amazonaws.com')"
        ".get_caller_identity()['Account'], boto3.client('sts').meta.endpoint_url)"
    )
    said = cloche("run", "--data", str(server.data), "--", sys.executable, "-c", script)
    assert said.stdout.split() == ["123456789012", server.url], said.stderr
    assert cloche("run", "--data", str(server.data), "--", sys.executable, "-c", "exit(7)").returncode == 7
    assert "cannot run no-such-program" in cloche("run", "--data", str(server.data), "--", "no-such-program").stderr


def test_clients_whose_hosts_carry_the_account(server: Any) -> None:
    """S3 Control puts the account's number before whatever host it is given."""
    script = (
        "import boto3\n"
        "control = boto3.client('s3control')\n"
        "try:\n"
        "    control.get_public_access_block(AccountId='123456789012')\n"
        "except control.exceptions.NoSuchPublicAccessBlockConfiguration as refusal:\n"
        "    print(refusal.response['Error']['Code'])\n"
    )
    ran = cloche("run", "--data", str(server.data), "--", sys.executable, "-c", script)
    assert ran.stdout == "NoSuchPublicAccessBlockConfiguration\n", ran.stderr


def test_commands_say_what_there_is(server: Any) -> None:
    data = ("--data", str(server.data))
    status = cloche("status", *data)
    assert status.returncode == 0, status.stderr
    assert server.url in status.stdout
    assert "/?token=" in status.stdout
    assert cloche("jobs", *data).returncode == 0
    assert cloche("endpoints", *data).returncode == 0
    missing = cloche("logs", "edge-no-such-job", *data)
    assert missing.returncode == 1
    assert "no job and no endpoint called edge-no-such-job" in missing.stderr


def test_commands_without_a_server(tmp_path: Path) -> None:
    for command in ("status", "jobs", "endpoints", "env"):
        refused = cloche(command, "--data", str(tmp_path))
        assert refused.returncode == 1
        assert "no Cloche runs on" in refused.stderr
    assert "no Cloche runs on" in cloche("down", "--data", str(tmp_path)).stdout


def test_explain() -> None:
    said = cloche("explain", "GetCallerIdentity")
    assert "src/cloche/services/sts/" in said.stdout
    assert cloche("explain", "MakeCoffee").returncode == 1


def test_down_and_reset(start_server: Any) -> None:
    running = start_server()
    data = ("--data", str(running.data))
    assert cloche("down", *data).returncode == 0
    assert running.process.wait(20) == 0
    assert cloche("reset", *data, input="n\n").returncode == 1
    assert (running.data / "cloche.db").exists()
    assert cloche("reset", *data, "--yes").returncode == 0
    assert list(running.data.iterdir()) == []


def test_reset_touches_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    assert cloche("reset", "--data", str(tmp_path), "--yes").returncode == 1
    assert (tmp_path / "precious").exists()


def test_the_console_opens_with_its_link(server: Any) -> None:
    token = (server.data / "keys" / "console.token").read_text()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(f"{server.url}/?token={token}") as page:
        assert page.status == 200
        assert b"Cloche" in page.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/?token=guess")
    assert caught.value.code == 401
    caught.value.close()


def test_no_secret_is_logged(server: Any) -> None:
    assert server.keys["aws_secret_access_key"] not in server.log()
    assert "Signature=" not in server.log()
    with sqlite3.connect(server.data / "cloche.db") as database:
        names = {row[0] for row in database.execute("SELECT name FROM migrations")}
    database.close()
    assert "server_0001_job_tokens" in names


def test_the_sdks_telemetry_is_answered_at_once(server: Any) -> None:
    """The SageMaker SDKs send a GET to a bucket of AWS's and may wait for it for ever."""
    cloche("env", "--data", str(server.data))
    trusting = ssl.create_default_context(cafile=str(server.data / "keys" / "bundle.pem"))
    through_cloche = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": server.url}), urllib.request.HTTPSHandler(context=trusting)
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        through_cloche.open("https://sm-pysdk-t-us-east-1.s3.us-east-1.amazonaws.com/telemetry?x-status=1", timeout=10)
    assert caught.value.code == 404
    caught.value.close()


def test_plain_http_through_the_proxy(server: Any) -> None:
    """AWS's hosts are answered; nothing else is fetched for anybody."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": server.url}))
    for url, words in (
        ("http://s3.amazonaws.com/", b"<Code>AccessDenied"),
        ("http://evil.example/", b"not one of Cloche's"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open(url, timeout=10)
        assert caught.value.code == 403
        assert words in caught.value.read()
        caught.value.close()


def test_in_the_background(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    started = cloche("up", "--detach", "--port", "0", *data)
    try:
        assert started.returncode == 0, started.stderr
        assert "Cloche is ready at http://127.0.0.1:" in started.stdout
        assert cloche("status", *data).returncode == 0
    finally:
        assert cloche("down", *data).returncode == 0
    assert cloche("up", "--detach", "--port", "0", *data, "--account", "1").returncode != 0
