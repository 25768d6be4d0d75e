"""The console in a real browser, over a real server: jobs, endpoints, storage, requests, keys, sizes and colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browser import ENTER, ESCAPE, Browser
from console_world import BUCKET, IMAGE, ROLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KEYS = [
    "a b/é+%/..",
    "<script>document.title='owned'</script>",
    "quotes \"'`.csv",
    "🎩 emoji/🐇",
    "../up",
    "a//b",
    "?#&=;",
    "long-" + "x" * 300,
]


def test_without_the_link_it_is_locked(browser: Browser, world: Any) -> None:
    browser.open(world.server.url)
    browser.devtools("Network.clearBrowserCookies")
    for path in ("/", "/_cloche/training", "/_cloche/s3", "/_cloche/requests/live", "/?token=wrong"):
        browser.open(world.server.url + path)
        assert "opens with the link" in browser.text(), path
    assert browser.run("return getComputedStyle(document.querySelector('main')).textAlign") == "center"
    browser.open(world.link)
    assert browser.url == world.server.url + "/"  # the token is gone from the address
    assert browser.run("return document.cookie") == ""  # and no script can read it
    assert "Training jobs" in browser.text()


def test_a_job_is_watched_from_its_start_to_its_end(page: Browser, world: Any) -> None:
    name = "console-watched"
    world.train(name, 12_000)
    page.open(world.server.url)
    page.wait_text(name)
    page.wait_text("job running")
    page.click_link(name)
    page.wait_text("]#011train-auc:", "#job-log")
    few = page.text("#job-log")
    page.wait("a growing log", lambda: page.text("#job-log") != few)
    page.wait("curves", lambda: page.run("return document.querySelectorAll('.uplot canvas').length") == 2)
    assert page.text(".badge") == "InProgress"
    page.run(
        "document.querySelector('figure').dataset.mine = 'kept'; getSelection().selectAllChildren(arguments[0])",
        page._ask("POST", "/element", {"using": "css selector", "value": "h1"}),
    )
    page.wait("the end", lambda: page.text(".badge") == "Completed")
    page.wait_text("validation:auc", ".facts")
    assert page.run("return String(getSelection())") == name  # no refresh took the selection away
    page.wait_text("[11999]#011", "#job-log")
    assert page.run("return document.querySelectorAll('.uplot canvas').length") == 2
    chart = json.loads(page.run("return document.querySelector('[data-chart]').dataset.chart"))
    assert chart["x"][-1] == 11_999 and len(chart["x"]) <= 1500
    assert page.run("return document.querySelector('#job-log').scrollTop") > 0  # it stayed at the end
    assert "model.tar.gz" in page.text()
    page.run("window.asked = 0; document.addEventListener('htmx:beforeRequest', () => { window.asked += 1 })")
    page.run("return new Promise(done => setTimeout(done, 1500))")
    assert page.run("return window.asked") == 0  # a finished job is not asked for again


def test_a_batch_and_why_it_failed(page: Browser, world: Any, endpoint: str) -> None:
    """The model of ``endpoint``, over a file of which one line is no data."""
    name = "console-batch"
    s3, sagemaker = world.client("s3"), world.client("sagemaker")
    s3.put_object(Bucket="console-pages", Key="batch/rows.csv", Body=b"1,2,3,4\n1,2,<b>,4\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://console-pages/batch/"}}
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=endpoint,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": "s3://console-pages/batch-out", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    page.open(f"{world.server.url}/_cloche/transform")
    page.click_link(name)
    page.wait("Failed", lambda: page.text(".badge") == "Failed")
    assert "rows.csv, line 2: " in page.text(".failure") and "'<b>'" in page.text(".failure")
    page.wait_text("batch/rows.csv: ClientError: 415", "#data-log")
    page.wait_text("Model objective", "#job-log")
    assert "s3://console-pages/batch-out/" in page.text(".facts")
    assert page.texts(".title button") == []


def test_a_processing_job_shows_its_log_and_where_its_files_lie(page: Browser, world: Any) -> None:
    script = (
        "import time; print('<b>worked</b>'); open('/opt/ml/output/message', 'w').write('all done');"
        " open('/opt/ml/processing/output/rows/out.csv', 'w').write('1'); time.sleep(2)"
    )
    target = {"S3Uri": f"s3://{BUCKET}/processed", "LocalPath": "/opt/ml/processing/output/rows"}
    outputs = [{"OutputName": "rows", "S3Output": {**target, "S3UploadMode": "EndOfJob"}}]
    world.client("sagemaker").create_processing_job(
        ProcessingJobName="console-processed",
        RoleArn=ROLE,
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", script]},
        ProcessingOutputConfig={"Outputs": outputs},
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
    )
    page.open(world.server.url + "/_cloche/processing")
    page.click_link("console-processed")
    page.wait_text("<b>worked</b>", "#job-log")
    page.wait("the end", lambda: page.text(".badge") == "Completed")
    assert "all done" in page.text("#job")
    page.click_link(f"s3://{BUCKET}/processed/")
    page.wait_text("out.csv")


def test_the_stop_button_stops(page: Browser, world: Any) -> None:
    name = "console-stopped"
    world.train(name, 1_000_000)
    page.open(f"{world.server.url}/_cloche/training/{name}")
    page.wait_text("#011train-auc:", "#job-log")
    page.click(".title button")
    page.accept_question()
    page.wait("Stopped", lambda: page.text(".badge") == "Stopped")
    assert world.job(name)["TrainingJobStatus"] == "Stopped"
    assert page.texts(".title button") == []


def test_a_failed_job_says_why(page: Browser, world: Any) -> None:
    name = "console-failed"
    world.client("s3").put_object(Bucket="console-pages", Key="broken/rows.csv", Body=b"1,2\n<b>,x\n")
    world.train(name, 5, "broken")
    page.open(f"{world.server.url}/_cloche/training/{name}")
    page.wait("Failed", lambda: page.text(".badge") == "Failed")
    assert page.text(".failure") == world.job(name)["FailureReason"]
    assert "rows.csv" in page.text(".failure")


def test_a_job_that_is_not_there_is_said_to_be_not_there(page: Browser, world: Any) -> None:
    page.open(f"{world.server.url}/_cloche/training/gone")
    assert "Requested resource not found." in page.text()
    page.complaints()  # Chromium logs a 404 as an error


def test_an_endpoint_is_tried(page: Browser, world: Any, endpoint: str) -> None:
    runtime = world.client("sagemaker-runtime")
    right = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2,-0.5,0.25")["Body"].read()
    page.open(world.server.url)
    page.press("g", "e")
    page.click_link(endpoint)
    page.fill("textarea", "1,2,-0.5,0.25")
    page.click("form.try button")
    page.wait_text("answered", "#answer")
    assert page.text("#answer pre").strip() == right.decode().strip()
    page.fill("textarea", "not,numbers")
    page.click("form.try button")
    page.wait_text("refused", "#answer")
    assert "ModelError" in page.text("#answer")
    page.wait("requests in the chart", lambda: _points(page, "requests a minute") > 0)
    page.wait("latency in the chart", lambda: _points(page, "latency, ms (average)") > 0)
    assert page.run("return document.querySelectorAll('.uplot canvas').length") == 3
    assert page.text("#endpoint-log")
    assert "Captures 50 % of its requests in s3://" in page.text("#capture")
    page.run("document.querySelector('details').open = false; document.querySelector('textarea').focus()")
    page.run("return new Promise(done => document.addEventListener('htmx:afterSwap', done, {once: true}))")
    assert page.run("return document.querySelector('details').open") is False
    assert page.run("return document.activeElement.name") == "body"
    assert page.run("return document.querySelector('textarea').value") == "not,numbers"


def test_a_component_of_an_endpoint_is_seen_and_tried(page: Browser, world: Any, endpoint: str) -> None:
    sagemaker, name = world.client("sagemaker"), "console-shared"
    variant = {"VariantName": "All", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    role = sagemaker.describe_model(ModelName=endpoint)["ExecutionRoleArn"]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ExecutionRoleArn=role, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.create_inference_component(
        InferenceComponentName="one-of-some",
        EndpointName=name,
        VariantName="All",
        Specification={"ModelName": endpoint, "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 512}},
        RuntimeConfig={"CopyCount": 1},
    )
    page.open(f"{world.server.url}/_cloche/endpoints/{name}")
    page.wait("the component in service", lambda: "InService" in page.text("#components"))
    assert "one-of-some" in page.text("#components") and "1 of 1" in page.text("#components")
    page.open(f"{world.server.url}/_cloche/endpoints/{name}")
    page.fill("textarea", "1,2,-0.5,0.25")
    page.click("form.try button")
    page.wait_text("answered", "#answer")
    sagemaker.delete_inference_component(InferenceComponentName="one-of-some")
    page.wait("no component", lambda: not page.run("return document.querySelector('#components')"))
    sagemaker.delete_endpoint(EndpointName=name)
    names = sagemaker.list_endpoints
    page.wait("no endpoint", lambda: name not in {each["EndpointName"] for each in names()["Endpoints"]})


def _points(page: Browser, title: str) -> float:
    script = "return [...document.querySelectorAll('[data-chart]')].map(f => JSON.parse(f.dataset.chart))"
    chart = next(found for found in page.run(script) if found["title"] == title)
    return sum(value or 0 for line in chart["series"] for value in line["values"])


@pytest.fixture(scope="module")
def odd_bucket(world: Any) -> str:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="console-odd")
    for key in KEYS:
        s3.put_object(Bucket="console-odd", Key=key, Body=f"the text of {key}".encode())
    s3.put_object(Bucket="console-odd", Key="bytes.bin", Body=bytes(range(256)) * 1000)
    return "console-odd"


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_odd_names_are_reached_by_their_links(page: Browser, world: Any, odd_bucket: str, key: str) -> None:
    page.open(f"{world.server.url}/_cloche/s3/{odd_bucket}")
    *folders, last = key.split("/")
    for step in [folder + "/" for folder in folders] + [last]:
        page.run(
            "const link = [...document.querySelectorAll('tbody a')].find(a => a.textContent === arguments[0]);"
            "location.href = link.href",
            step,
        )
        page.wait(step, lambda step=step: step in page.text(".trail"))
    assert page.text("pre") == f"the text of {key}"
    assert page.text("code.copy") == f"s3://{odd_bucket}/{key}"
    assert page.run("return document.title") == f"{key} · Cloche"


def test_a_download_is_the_bytes(page: Browser, world: Any, odd_bucket: str) -> None:
    page.open(f"{world.server.url}/_cloche/s3/{odd_bucket}/object?key={quote('bytes.bin')}")
    assert "Not text." in page.text()
    page.click_link("Download")
    kept = page.downloads / "bytes.bin"
    page.wait("the file", kept.exists)
    assert kept.read_bytes() == bytes(range(256)) * 1000


def test_requests_appear_as_they_are_answered(page: Browser, world: Any) -> None:
    page.open(f"{world.server.url}/_cloche/requests")
    world.client("iam").list_roles()
    page.wait_text("ListRoles", "#live")
    with pytest.raises(Exception, match="NoSuchBucket"):
        world.client("s3").list_objects_v2(Bucket="console-nowhere")
    page.wait_text("NoSuchBucket", "#live")
    first = page.text("#live tr")
    assert "s3" in first and "ListObjectsV2" in first and "404" in first
    before = page.run("return document.querySelectorAll('#live tr').length")
    page.run("return fetch('/_cloche/training').then(() => true)")
    page.run("return new Promise(done => setTimeout(done, 300))")
    assert page.run("return document.querySelectorAll('#live tr').length") == before  # the console's own are not in it


def test_the_keyboard_goes_everywhere(page: Browser, world: Any, endpoint: str) -> None:
    for letter, path in [("t", "/_cloche/training"), ("e", "/_cloche/endpoints"), ("s", "/_cloche/s3"), ("n", "/")]:
        page.press("g", letter)
        page.wait(path, lambda path=path: page.url == world.server.url + path)
    page.press("?")
    assert page.run("return document.getElementById('keys').open")
    page.press(ESCAPE)
    assert not page.run("return document.getElementById('keys').open")
    page.press("g", "t")
    page.wait("jobs", lambda: page.url.endswith("/training"))
    page.press("/")
    assert page.run("return document.activeElement.name") == "name"
    page.press(*"served", ENTER)
    page.wait("a search", lambda: page.url.endswith("?name=served"))
    assert page.texts("tbody a") == [endpoint]
    page.press("g", "s")
    page.wait("buckets", lambda: page.url.endswith("/s3"))
    page.press("j", "j", "k", "k")
    at = page.run("return [...document.querySelectorAll('tr.at')].map(r => r.dataset.href)")
    assert at == [page.run("return document.querySelector('tr[data-href]').dataset.href")]
    page.press(ENTER)
    page.wait("the bucket", lambda: page.url == world.server.url + at[0])


def test_every_page_fits_in_both_colours(
    page: Browser, world: Any, endpoint: str, odd_bucket: str, screenshots: Path
) -> None:
    pages = {
        "now": "/",
        "training": "/_cloche/training",
        "job": f"/_cloche/training/{endpoint}",
        "endpoints": "/_cloche/endpoints",
        "endpoint": f"/_cloche/endpoints/{endpoint}",
        "buckets": "/_cloche/s3",
        "bucket": f"/_cloche/s3/{odd_bucket}",
        "object": f"/_cloche/s3/{odd_bucket}/object?key={quote(KEYS[-1])}",
        "requests": "/_cloche/requests",
        "nothing": "/_cloche/training?name=no-such-name",
    }
    secret = world.server.keys["aws_secret_access_key"]
    for name, path in pages.items():
        for width, scheme in [(1280, "light"), (1280, "dark"), (400, "light")]:
            page.wear(scheme)
            page.resize(width, 900)
            page.open(world.server.url + path)
            assert page.run("return document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
            page.screenshot(screenshots / f"{name}-{scheme}-{width}.png")
            source = page.run("return document.documentElement.outerHTML")
            assert secret not in source and world.server.keys["aws_access_key_id"] not in source
            low = page.run(CONTRAST)
            assert low == [], f"{name}, {scheme}: text that is hard to read: {low}"


# Text whose contrast to the page behind it is under 4.5, the least that WCAG 2.2 (1.4.3, level AA) allows.
CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const rgba = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data]; };
const light = (css) => { const [r, g, b] = rgba(css).map((v) => { v /= 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = (e) => { while (e) { const c = getComputedStyle(e).backgroundColor; if (rgba(c)[3] === 255) return c;
  e = e.parentElement; } return "white"; };
const low = [];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!own || !e.checkVisibility() || e.closest(".skip")) continue;
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push(e.tagName + "." + e.className + ": " + e.innerText.slice(0, 30));
}
return low.slice(0, 5);
"""
