"""The contract's files, texts and addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloche_jobs import catalog
from cloche_jobs.contract import Layout, configuration, sources
from cloche_jobs.contract.environment import serving_environment, training_environment
from cloche_jobs.contract.failure import PlatformError, UserError, failure_reason, read_failure, write_failure
from cloche_jobs.contract.loglines import as_stored


def test_configuration_files_are_read_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path).make()
    channels = [configuration.Channel("train", "text/csv"), configuration.Channel("validation")]
    configuration.write_configuration(
        layout,
        {"eta": "0.1", "text": "ü"},
        channels,
        configuration.Hosts([configuration.Group(instance_type="ml.m5.large")]),
    )
    assert configuration.read_hyperparameters(layout) == {"eta": "0.1", "text": "ü"}
    assert configuration.read_input_data_config(layout) == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        },
        "validation": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        },
    }
    resources = configuration.read_resource_config(layout)
    assert resources["current_host"] == "algo-1"
    assert resources["network_interface_name"] == "eth0"
    assert resources["instance_groups"][0]["instance_type"] == "ml.m5.large"


@pytest.mark.parametrize("text", ["", "[1]", "{", "null"])
def test_broken_configuration_is_the_platforms_fault(text: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path).make()
    layout.hyperparameters.write_text(text)
    with pytest.raises(PlatformError, match=r"hyperparameters\.json"):
        configuration.read_hyperparameters(layout)


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("", 1, "AlgorithmError: , exit code: 1"),
        ("", -11, "AlgorithmError: the process was ended by SIGSEGV, exit code: 139"),
        ("oh no\n", 3, "AlgorithmError: oh no, exit code: 3"),
        ("ClientError: wrong", 1, "ClientError: wrong, exit code: 1"),
        ("InternalServerError: x", 1, "InternalServerError: x, exit code: 1"),
    ],
)
def test_failure_reasons(text: str, code: int, reason: str) -> None:
    assert failure_reason(text, code) == reason


def test_failure_reason_is_cut_and_keeps_its_exit_code() -> None:
    reason = failure_reason("x" * 5000, 1)
    assert len(reason) == 1024
    assert reason.endswith("x, exit code: 1")


def test_first_failure_stays_and_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "output" / "failure"
    write_failure(path, UserError("first"))
    write_failure(path, UserError("second"))
    assert read_failure(path) == "ClientError: first"
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path.unlink()
    path.symlink_to(secret)
    assert read_failure(path) == ""


def test_control_characters_are_stored_as_cloudwatch_shows_them() -> None:
    assert as_stored("[0]\ttrain-auc:0.9") == "[0]#011train-auc:0.9"
    assert as_stored("\x1b[31mred\x1b[0m\r") == "#033[31mred#033[0m#015"
    assert as_stored("plain ü text") == "plain ü text"


@pytest.mark.parametrize("quote", ["", '"'])
def test_bundles_are_found_quoted_or_not(quote: str) -> None:
    given = {
        sources.SUBMIT_DIRECTORY: f"{quote}s3://b/k/sourcedir.tar.gz{quote}",
        sources.PROGRAM: f"{quote}t.py{quote}",
    }
    assert sources.bundle_uri(given, {}) == "s3://b/k/sourcedir.tar.gz"
    assert sources.program(given, {}) == "t.py"
    assert sources.bundle_uri({}, {"SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}) is None
    assert sources.bundle_uri({}, {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/x"}) == "s3://b/x"
    assert sources.bundle_uri({}, {}) is None


def test_environments_hold_what_the_contract_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SERVER", "x")
    training = training_environment(
        image="sagemaker-xgboost:1.7-1",
        python="/env/bin/python",
        package_root="/opt/cloche",
        job_name="j",
        job_arn="arn",
        region="eu-west-1",
        request={"MINE": "1", "CLOCHE_IMAGE": "other", "PYTHONPATH": "/mine"},
        extra={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
    )
    assert "A_SECRET_OF_THE_SERVER" not in training
    assert training["MINE"] == "1"
    assert training["CLOCHE_IMAGE"] == "sagemaker-xgboost:1.7-1"
    assert training["PYTHONPATH"] == "/opt/cloche:/mine"
    assert training["PATH"].startswith("/env/bin:")
    assert training["TRAINING_JOB_NAME"] == "j"
    serving = serving_environment(
        image="i",
        python="/env/bin/python",
        package_root="/p",
        region="r",
        bind="unix:/s",
        request={"CLOCHE_BIND": "tcp:"},
    )
    assert serving["CLOCHE_BIND"] == "unix:/s"


@pytest.mark.parametrize("image", catalog.IMAGES, ids=lambda image: image.key)
def test_every_image_is_found_by_its_own_address_everywhere(image: catalog.Image) -> None:
    for region in ("us-east-1", "eu-west-1", "cn-north-1", "ap-south-1"):
        assert catalog.find(image.uri(region)) is image
    assert catalog.by_key(image.key) is image
    lock = image.lock.read_text()
    assert "--hash=sha256:" in lock
    assert "://" not in lock


PUBLISHED = {
    "xgboost": ["0.90-1", "0.90-2", "1.0-1", "1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5", "3.2-0"],
    "scikit-learn": ["0.20.0", "0.23-1", "1.0-1", "1.2-1", "1.4-2", "1.4-2-py312", "1.9-0"],
}
"""What ``image_uri_config`` of sagemaker 3.27.0 names, but for ``xgboost:1``."""


@pytest.mark.parametrize("framework", PUBLISHED)
def test_every_version_that_the_newest_sdk_names_is_known(framework: str) -> None:
    address = f"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-{framework}"
    for version in PUBLISHED[framework]:
        for tag in (version, f"{version}-cpu-py3"):
            assert catalog.find(f"{address}:{tag}").version == version
    assert catalog.find(address).version == PUBLISHED[framework][-1]


REFUSED = {
    "docker.io/library/python:3": "is not the address of an image in Amazon ECR",
    "683313688378.dkr.ecr.us-east-1.amazonaws.com/mxnet-training:1.9.0": "nothing that stands in for",
    "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:9.9-9": "does not know version 9.9-9",
    "111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1": "is not AWS's own image",
    "http://169.254.169.254/latest": "is not the address",
    "x" * 10_000: "is not the address",
}


@pytest.mark.parametrize("uri", REFUSED, ids=lambda uri: uri[:60])
def test_other_images_are_refused_with_a_list_of_what_is_known(uri: str) -> None:
    with pytest.raises(catalog.ImageUnknown) as refused:
        catalog.find(uri)
    assert REFUSED[uri] in str(refused.value)
    assert "sagemaker-xgboost (0.90-1 to 3.2-0)" in str(refused.value)
    assert len(str(refused.value)) < 1024


@pytest.mark.parametrize("image", catalog.PROCESSING, ids=lambda image: image.key)
def test_images_of_processing_jobs_are_found_by_these_alone(image: catalog.Image) -> None:
    assert catalog.find(image.uri("eu-west-1"), processing=True) is image
    assert catalog.by_key(image.key) is image
    assert "--hash=sha256:" in image.lock.read_text() and "://" not in image.lock.read_text()
    with pytest.raises(catalog.ImageUnknown, match="nothing that stands in for"):
        catalog.find(image.uri())


@pytest.mark.parametrize("image", catalog.BARE, ids=lambda image: image.key)
def test_images_without_a_program_are_for_jobs_that_name_one(image: catalog.Image) -> None:
    client = ["--client_sagemaker_pysdk_version", {"": "2.257.7", "3": "3.27.0"}[image.sdk]]
    found = catalog.find(image.uri("eu-west-1"), bare=True)
    assert catalog.for_client(found, ["--region", "eu-west-1", *client, "--more"]) is image
    assert catalog.by_key(image.key) is image and image.environment in catalog.ON_DEMAND
    assert "--hash=sha256:" in image.lock.read_text() and "://" not in image.lock.read_text()
    with pytest.raises(catalog.ImageUnknown, match="nothing that stands in for"):
        catalog.find(image.uri())


def test_what_a_client_says_of_itself_is_not_trusted() -> None:
    base = "885854791233.dkr.ecr.us-east-1.amazonaws.com/sagemaker-distribution-prod"
    image = catalog.find(f"{base}:2.13.10-cpu", bare=True)
    assert (image.version, image.python) == ("2", "3.11")
    for arguments in ([], ["--client_sagemaker_pysdk_version"], ["--client_sagemaker_pysdk_version", "99.1"]):
        assert catalog.for_client(image, arguments) is image
    xgboost = catalog.by_key("sagemaker-xgboost:1.7-1")
    assert catalog.for_client(xgboost, ["--client_sagemaker_pysdk_version", "3.1"]) is xgboost
    for tag in ("2.13-gpu", "9.1-cpu", "2+sdk3"):
        with pytest.raises(catalog.ImageUnknown):
            catalog.find(f"{base}:{tag}", bare=True)


def test_tags_and_digests() -> None:
    base = "683313688378.dkr.ecr.us-east-1.amazonaws.com/"
    assert catalog.find(base + "sagemaker-xgboost:1.0-1-cpu-py3").version == "1.0-1"
    assert catalog.find(base + "sagemaker-scikit-learn:1.2-1-cpu-py3").version == "1.2-1"
    assert catalog.find(base + "sagemaker-xgboost:1.5-1@sha256:" + "a" * 64).version == "1.5-1"
    assert catalog.find("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest").key == "xgboost:1"


def test_tags_of_deep_learning_images() -> None:
    base = "763104351884.dkr.ecr.us-east-1.amazonaws.com/"
    for tag, version in {
        "2.8.0-cpu-py312": "2.8.0",
        "2.3-gpu-py311": "2.3.0",  # SDKs write versions as their users do
        "1.8-cpu-py36": "1.8.1",
        "2.1.0-gpu-py310-cu121-ubuntu20.04-sagemaker": "2.1.0",
        "2.1.0-cpu-py310-ubuntu20.04-sagemaker-v1.4": "2.1.0",
    }.items():
        image = catalog.find(f"{base}pytorch-training:{tag}")
        assert image.version == version
        assert image.note == f"2.13 stands in for {version.rpartition('.')[0]}"
    assert catalog.find(base + "pytorch-inference").version == "2.6.0"
    assert catalog.find("763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.6").version == "2.6.0"
    for tag, said in {"2.99-cpu-py312": "does not know version", "1.2.0-cpu-py2": "is for Python 2"}.items():
        with pytest.raises(catalog.ImageUnknown, match=said):
            catalog.find(f"{base}pytorch-training:{tag}")
    xgboost = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:"
    for tag, said in {"1-1": "does not know version", "1.7-1-gpu-py3": "needs a GPU"}.items():
        with pytest.raises(catalog.ImageUnknown, match=said):
            catalog.find(xgboost + tag)


def test_torch_is_pinned_to_wheels_without_cuda() -> None:
    lock = (catalog.LOCKS / f"{catalog.TORCH}.txt").read_text()
    assert "torch==2.13.0+cpu ; sys_platform != 'darwin'" in lock
    assert lock.count("--hash=sha256:") == 12 and "://" not in lock
    for environment in catalog.USES_TORCH:
        text = (catalog.LOCKS / f"{environment}.txt").read_text()
        assert "\ntorch==" not in text and "nvidia" not in text and "triton" not in text


def test_tags_of_hugging_face_and_tensorflow() -> None:
    base = "763104351884.dkr.ecr.us-east-1.amazonaws.com/"
    for tag, key in {
        "huggingface-pytorch-training:2.8.0-transformers4.56.2-gpu-py312-cu129-ubuntu22.04": "2.8.0-transformers4.56.2",
        "huggingface-pytorch-training:2.1-transformers4.36-gpu-py310-cu121-ubuntu20.04": "2.1.0-transformers4.36.0",
        "huggingface-pytorch-inference:2.6.0-transformers4.51.3-cpu-py312-ubuntu22.04": "2.6.0-transformers4.51.3",
        "tensorflow-training:2.16-cpu-py310": "2.16.2",
        "tensorflow-inference:2.18.0-cpu": "2.18.0",
        "tensorflow-inference:2.8-gpu": "2.8.4",
    }.items():
        assert catalog.find(base + tag).version == key
