"""The registry in the console: groups, a version with what its evaluation says, approval by a click; model cards."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from cloche.console.registry import charts_of, measures_of

GROUP, CARD, BUCKET = "console-models", "console-card", "console-evaluations"
REPORT = {
    "binary_classification_metrics": {
        "auc": {"value": 0.93125, "standard_deviation": 0.0125},
        "precision": {"value": "NaN", "standard_deviation": "NaN"},
        "accuracy_best_constant_classifier": {"value": 0.5, "standard_deviation": 0.0},
        "confusion_matrix": {"0": {"0": 5, "1": 1}, "1": {"0": 2, "1": 4}},
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0, 0.2, 1],
            "true_positive_rates": [0, 0.9, 1],
        },
    }
}


class Browsing:
    """Pages as a browser asks for them, with the console's cookie and without scripts."""

    def __init__(self, server: Any) -> None:
        self._url = server.url
        token = (server.data / "keys" / "console.token").read_text().strip()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self._opener.open(f"{server.url}/?token={token}").close()

    def page(self, path: str, form: dict[str, str] | None = None) -> str:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        headers = {} if form is None else {"Origin": self._url}
        with self._opener.open(urllib.request.Request(self._url + path, data, headers)) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def browsing(server: Any) -> Browsing:
    sagemaker, s3 = server.client("sagemaker"), server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="evaluation.json", Body=json.dumps(REPORT))
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP, ModelPackageGroupDescription="who <leaves>")
    for key in ("evaluation.json", "not-there.json"):
        statistics = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{key}"}
        sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            InferenceSpecification={"Containers": [{"Image": "an-image", "ModelDataUrl": "s3://models/model.tar.gz"}]},
            ModelMetrics={"ModelQuality": {"Statistics": statistics}},
            CustomerMetadataProperties={"team": "risk"},
        )
    content = {"model_overview": {"model_name": "leaver"}, "intended_uses": {"risk_rating": "Low"}}
    sagemaker.create_model_card(ModelCardName=CARD, Content=json.dumps(content), ModelCardStatus="Draft")
    content["model_overview"]["model_name"] = "leaver again"
    sagemaker.update_model_card(ModelCardName=CARD, Content=json.dumps(content))
    return Browsing(server)


def test_groups_and_cards_are_listed(browsing: Browsing) -> None:
    page = browsing.page("/_cloche/registry")
    assert f'href="/_cloche/registry/{GROUP}"' in page and f'href="/_cloche/model-cards/{CARD}"' in page
    assert "who &lt;leaves&gt;" in page and "who <leaves>" not in page


def test_a_version_tells_what_its_evaluation_says(browsing: Browsing) -> None:
    assert f'href="/_cloche/registry/{GROUP}/2"' in browsing.page(f"/_cloche/registry/{GROUP}")
    page = browsing.page(f"/_cloche/registry/{GROUP}/1")
    assert "0.93125" in page and "0.0125" in page and "PendingManualApproval" in page
    assert "an-image" in page and "risk" in page and "data-chart" in page
    without = browsing.page(f"/_cloche/registry/{GROUP}/2")
    assert "PendingManualApproval" in without and "0.93125" not in without


def test_a_click_approves_and_another_rejects(browsing: Browsing, server: Any) -> None:
    sagemaker = server.client("sagemaker")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    arn = listed[0]["ModelPackageArn"]
    path = f"/_cloche/registry/{GROUP}/1/approval"
    page = browsing.page(path, {"arn": arn, "status": "Approved", "description": "good enough"})
    assert "good enough" in page and "Reject" in page and ">Approve<" not in page
    told = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (told["ModelApprovalStatus"], told["ApprovalDescription"]) == ("Approved", "good enough")
    browsing.page(path, {"arn": arn, "status": "Rejected"})
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Rejected"
    assert 'role="alert"' in browsing.page(path, {"arn": arn, "status": "Perhaps"})


def test_a_card_and_its_versions(browsing: Browsing) -> None:
    assert "leaver again" in browsing.page(f"/_cloche/model-cards/{CARD}")
    first = browsing.page(f"/_cloche/model-cards/{CARD}?version=1")
    assert "leaver" in first and "leaver again" not in first and "Low" in first


@pytest.mark.parametrize("path", ["registry/no-such-group", f"registry/{GROUP}/99", "model-cards/none"])
def test_what_is_not_there(browsing: Browsing, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        browsing.page(f"/_cloche/{path}")
    assert error.value.code == 404
    error.value.close()


def test_only_numbers_are_measures() -> None:
    assert measures_of(REPORT) == [("auc", 0.93125, 0.0125)]
    assert [chart["title"] for chart in charts_of(REPORT)] == ["ROC"]


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"binary_classification_metrics": 3},
        {"binary_classification_metrics": {"auc": 3, "f1": {"value": None}, "precision_recall_curve": {"recalls": 1}}},
        {"binary_classification_metrics": {"precision_recall_curve": {"recalls": [1, "x"], "precisions": [1, 2]}}},
    ],
    ids=str,
)
def test_a_report_of_another_form_tells_nothing(report: dict[str, Any]) -> None:
    assert measures_of(report) == [] and charts_of(report) == []
