"""The model registry: groups, a group's versions, one version with its measures and its approval; model cards.

An approval goes the way of any client's: the buttons call ``UpdateModelPackage``.
"""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloche.aws.errors import AwsError
from cloche.console.asking import Ask, Members, ask_all, ask_or
from cloche.console.pages import Pages, form_of
from cloche.console.storage import whole_body

REPORT_BYTES_MAX: Final = 4 * 1024 * 1024
VERSIONS_SHOWN: Final = 50
NEWEST: Final = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": VERSIONS_SHOWN}
GROUPS_OF_MEASURES: Final = (
    "binary_classification_metrics",
    "multiclass_classification_metrics",
    "regression_metrics",
)
_CURVES: Final = (
    ("receiver_operating_characteristic_curve", "ROC", "false_positive_rates", "true_positive_rates"),
    ("precision_recall_curve", "precision and recall", "recalls", "precisions"),
)


class RegistryPages:
    def __init__(self, ask: Ask, pages: Pages) -> None:
        self._ask = ask
        self._pages = pages

    def routes(self) -> list[Route]:
        version = "/_cloche/registry/{group}/{number:int}"
        return [
            Route("/_cloche/registry", self.index),
            Route("/_cloche/registry/{group}", self.group),
            Route(version, self.version),
            Route(f"{version}/approval", self.approve, methods=["POST"]),
            Route("/_cloche/model-cards/{name}", self.card),
        ]

    async def index(self, request: Request) -> Response:
        members: Members = dict(NEWEST)
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        groups, cards = await ask_all(
            self._ask("sagemaker", "ListModelPackageGroups", members),
            ask_or(self._ask, "sagemaker", "ListModelCards", NEWEST, {"ModelCardSummaries": []}),
        )
        return self._pages.show(
            "registry.html",
            groups=groups["ModelPackageGroupSummaryList"],
            next=groups.get("NextToken"),
            cards=cards["ModelCardSummaries"],
        )

    async def group(self, request: Request) -> Response:
        name = request.path_params["group"]
        named = {"ModelPackageGroupName": name}
        members: Members = {**NEWEST, **named}
        if token := request.query_params.get("next"):
            members["NextToken"] = token
        try:
            group = await self._ask("sagemaker", "DescribeModelPackageGroup", named)
            listed = await self._ask("sagemaker", "ListModelPackages", members)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        versions = listed["ModelPackageSummaryList"]
        return self._pages.show("registry_group.html", group=group, versions=versions, next=listed.get("NextToken"))

    async def version(self, request: Request) -> Response:
        return await self._show(request, "registry_version.html")

    async def approve(self, request: Request) -> Response:
        """Say what the form says of the version, and show what became of it."""
        form = await form_of(request)
        members: Members = {"ModelPackageArn": form.get("arn", ""), "ModelApprovalStatus": form.get("status", "")}
        if words := form.get("description", "").strip():
            members["ApprovalDescription"] = words
        refusal = ""
        try:
            await self._ask("sagemaker", "UpdateModelPackage", members)
        except AwsError as error:
            refusal = error.message
        return await self._show(request, "_registry_version.html", refusal=refusal)

    async def _show(self, request: Request, template: str, refusal: str = "") -> Response:
        group, number = request.path_params["group"], request.path_params["number"]
        try:
            described = await self._ask("sagemaker", "DescribeModelPackageGroup", {"ModelPackageGroupName": group})
            arn = described["ModelPackageGroupArn"].replace(":model-package-group/", ":model-package/")
            package = await self._ask("sagemaker", "DescribeModelPackage", {"ModelPackageName": f"{arn}/{number}"})
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        quality = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
        report = await self._report(quality.get("S3Uri", ""))
        return self._pages.show(
            template,
            package=package,
            measures=measures_of(report),
            charts=charts_of(report),
            sources=list(_sources(package.get("ModelMetrics", {}))),
            baselines=list(_sources(package.get("DriftCheckBaselines", {}))),
            refusal=refusal,
            json=json.dumps,
        )

    async def card(self, request: Request) -> Response:
        named: Members = {"ModelCardName": request.path_params["name"]}
        asked = dict(named)
        if (number := request.query_params.get("version", "")).isdigit():
            asked["ModelCardVersion"] = int(number)
        try:
            card = await self._ask("sagemaker", "DescribeModelCard", asked)
        except AwsError as error:
            return self._pages.show("missing.html", 404, message=error.message)
        versions, exports = await ask_all(
            ask_or(self._ask, "sagemaker", "ListModelCardVersions", named, {"ModelCardVersionSummaryList": []}),
            ask_or(self._ask, "sagemaker", "ListModelCardExportJobs", named, {"ModelCardExportJobSummaries": []}),
        )
        return self._pages.show(
            "model_card.html",
            card=card,
            content=json.loads(card["Content"]),
            versions=versions["ModelCardVersionSummaryList"],
            exports=exports["ModelCardExportJobSummaries"],
        )

    async def _report(self, uri: str) -> Members:
        """The evaluation that the version's metrics name; empty where it is not to be had or is something else."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not key:
            return {}
        try:
            head = await self._ask("s3", "HeadObject", {"Bucket": bucket, "Key": key})
            if head.get("ContentLength", 0) > REPORT_BYTES_MAX:
                return {}
            answer = await self._ask("s3", "GetObject", {"Bucket": bucket, "Key": key})
            report = json.loads(await whole_body(answer["Body"]))
        except (AwsError, ValueError, RecursionError):
            return {}
        return report if isinstance(report, dict) else {}


def measures_of(report: Members) -> list[tuple[str, float, float | None]]:
    """Name, value and standard deviation of each measure of a report in the registry's form."""
    found: list[tuple[str, float, float | None]] = []
    for name in GROUPS_OF_MEASURES:
        group = report.get(name)
        for measure, told in group.items() if isinstance(group, dict) else ():
            value = told.get("value") if isinstance(told, dict) else None
            if isinstance(value, (int, float)) and not measure.endswith("_best_constant_classifier"):
                spread = told.get("standard_deviation")
                found.append((measure, float(value), float(spread) if isinstance(spread, (int, float)) else None))
    return found


def charts_of(report: Members) -> list[dict[str, Any]]:
    """Curves of a report as the console's charts take them; what is no curve is passed over."""
    group = report.get("binary_classification_metrics")
    charts: list[dict[str, Any]] = []
    if not isinstance(group, dict):
        return charts
    for name, title, across, up in _CURVES:
        curve = group.get(name)
        x, y = (curve.get(across), curve.get(up)) if isinstance(curve, dict) else (None, None)
        if isinstance(x, list) and isinstance(y, list) and len(x) == len(y) > 1 and _numbers(x) and _numbers(y):
            charts.append({"title": title, "x": x, "x_is": across, "series": [{"label": up, "values": y}]})
    return charts


def _numbers(values: list[Any]) -> bool:
    return all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)


def _sources(members: Members, path: str = "") -> Any:
    """(path, S3 address) of all that metrics or baselines name."""
    for name, held in members.items():
        if isinstance(held, dict):
            where = f"{path} {name}".strip()
            if "S3Uri" in held:
                yield where, held["S3Uri"]
            else:
                yield from _sources(held, where)
