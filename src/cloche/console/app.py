"""The console as one ASGI application: the door, then the pages."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from cloche.aws.errors import AwsError
from cloche.console.alarms import AlarmPages
from cloche.console.asking import Ask, ask_all, ask_or
from cloche.console.clock import ClockPages
from cloche.console.dashboards import DashboardPages
from cloche.console.door import HEADERS, Door
from cloche.console.endpoints import FORM_BYTES_MAX, EndpointPages
from cloche.console.events import EventPages
from cloche.console.experiments import ExperimentPages
from cloche.console.feed import Feed
from cloche.console.flow import Flow
from cloche.console.functions import FunctionPages
from cloche.console.images import ImagePages
from cloche.console.insights import InsightsPages
from cloche.console.lineage import LineagePages
from cloche.console.monitors import MonitorPages
from cloche.console.pages import HERE, Pages, Place
from cloche.console.pipelines import PipelinePages
from cloche.console.processing import ProcessingPages
from cloche.console.recent import Recent
from cloche.console.registry import RegistryPages
from cloche.console.scaling import ScalingPages
from cloche.console.storage import StoragePages
from cloche.console.topics import Mails, TopicPages
from cloche.console.training import TrainingPages
from cloche.console.transform import TransformPages
from cloche.console.tuning import TuningPages
from cloche.foundation.agenda import Agenda

STATIC = "/_cloche/static"


class Console:
    """The console's pages at ``/`` and below ``/_cloche/`` (no bucket can have that name): an ASGI application.

    ``ask`` enters the chain as the root; ``token`` is what the printed link carries; ``agenda`` tells and
    turns Cloche's clock, ``mails`` is the outbox: of neither is there an operation of AWS's.
    """

    def __init__(
        self,
        ask: Ask,
        recent: Recent,
        flow: Flow,
        place: Place,
        token: str,
        agenda: Agenda,
        mails: Mails = tuple,
    ) -> None:
        pages = Pages(place, agenda.standing)
        self._door = Door(token)
        self._feed = Feed(recent, pages)
        routes = [
            Route("/", Overview(ask, pages, recent).show),
            *TrainingPages(ask, pages).routes(),
            *ProcessingPages(ask, pages).routes(),
            *TuningPages(ask, pages).routes(),
            *TransformPages(ask, pages).routes(),
            *PipelinePages(ask, pages).routes(),
            *ExperimentPages(ask, pages).routes(),
            *LineagePages(ask, pages).routes(),
            *RegistryPages(ask, pages).routes(),
            *EndpointPages(ask, pages).routes(),
            *MonitorPages(ask, pages).routes(),
            *FunctionPages(ask, pages).routes(),
            *StoragePages(ask, pages).routes(),
            *ImagePages(ask, pages).routes(),
            *EventPages(ask, pages, flow).routes(),
            *TopicPages(ask, pages, mails).routes(),
            *AlarmPages(ask, pages).routes(),
            *ScalingPages(ask, pages).routes(),
            *DashboardPages(ask, pages).routes(),
            *InsightsPages(ask, pages).routes(),
            *ClockPages(agenda, pages).routes(),
            *self._feed.routes(),
            Mount(STATIC, StaticFiles(directory=HERE / "static")),
        ]
        self._app = Starlette(routes=routes, exception_handlers={AwsError: _refused}, max_body_size=FORM_BYTES_MAX)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(STATIC + "/"):
            turned_away = self._door.enter(Request(scope))
            if turned_away is not None:
                await turned_away(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def close(self) -> None:
        """End what streams to open pages; the server is going down."""
        self._feed.close()


class Overview:
    """What runs now."""

    def __init__(self, ask: Ask, pages: Pages, recent: Recent) -> None:
        self._ask = ask
        self._pages = pages
        self._recent = recent

    async def show(self, request: Request) -> Response:
        newest = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 8}
        running = {"StatusEquals": "InProgress", "MaxResults": 50}
        now, jobs, endpoints, buckets = await ask_all(
            ask_or(self._ask, "sagemaker", "ListTrainingJobs", running, {"TrainingJobSummaries": []}),
            ask_or(self._ask, "sagemaker", "ListTrainingJobs", newest, {"TrainingJobSummaries": []}),
            ask_or(self._ask, "sagemaker", "ListEndpoints", newest, {"Endpoints": []}),
            ask_or(self._ask, "s3", "ListBuckets", {}, {"Buckets": []}),
        )
        template = "_overview.html" if "hx-request" in request.headers else "overview.html"
        return self._pages.show(
            template,
            running=now["TrainingJobSummaries"],
            jobs=jobs["TrainingJobSummaries"],
            endpoints=endpoints["Endpoints"],
            buckets=buckets.get("Buckets") or [],
            requests=self._recent.newest(12),
        )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AwsError)
    return Response(error.message, error.status, HEADERS)
