"""What is to be hosted, as plain values: made from a request by the service, kept whole in the endpoint's document.

An endpoint runs on this snapshot: models and configurations may be deleted under it, as AWS allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from cloche.engines.hosting.capture import CapturePlan
from cloche.serving.model import ModelData, ServedModel

STARTUP_SECONDS: Final = 240.0
"""Until the first good ``/ping``. Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
("the container must pass health checks within 4 minutes" unless ContainerStartupHealthCheckTimeoutInSeconds says)."""
INSTANCES_PER_VARIANT_MAX: Final = 4
"""Every instance is a process on this machine."""
VARIANTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """One production variant: a model, how many processes serve it, and its share of the traffic."""

    name: str
    model_name: str
    image: str
    """The address of the image as the model names it."""
    model_data: ModelData | None
    """Bucket and key of ``model.tar.gz``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    role_arn: str = ""
    weight: float = 1.0
    instance_count: int = 1
    startup_seconds: float | None = None
    network: bool = True
    memory_mb: int | None = None
    """What an instance of its type has; ``None`` where that is not known."""
    reserved_cores: float = 0.0
    """For each copy of an inference component; 0: none are."""
    reserved_memory_mb: int = 0
    hosts_only: bool = False
    """No model of its own: instances for inference components, which bring theirs. Nothing runs for it."""
    at_random: bool = False
    """Instances by lot instead of by how busy they are (``RoutingStrategy`` ``RANDOM``)."""
    container: str = ""
    """What the model's first container is called, where it has several."""
    further: tuple[ServedModel, ...] = ()
    """The others. They run beside the first on every instance."""
    direct: bool = False
    """Each request is for one of the containers, which it names; else it goes through all of them in turn."""
    own: str = ""
    """The digest of an image of the user's own, as the first container's address meant when this was planned."""
    notice: str = ""
    """What the log of each instance begins with."""

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """One for each container."""
        first = ServedModel(
            self.image,
            self.model_data,
            self.environment,
            self.role_arn,
            self.network,
            self.memory_mb,
            self.container,
            self.own,
            self.notice,
        )
        return (first, *self.further)

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of(document: Mapping[str, Any]) -> VariantPlan:
        further = tuple(map(ServedModel.of, document.get("further") or ()))
        return VariantPlan(**{**document, "model_data": ModelData.of(document["model_data"]), "further": further})


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """An endpoint configuration's snapshot: what serves together and is replaced together."""

    configuration: str
    variants: tuple[VariantPlan, ...]
    capture: CapturePlan | None = None


COMPONENT: Final = "/"
"""Between an endpoint's name and that of a component on it: no name holds it."""


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """``name`` is what requests are sent to: an endpoint, or ``ENDPOINT/COMPONENT``, an inference component on one,
    which is a fleet like any other, of one variant whose instances are the component's copies."""

    arn: str
    name: str
    account: str
    region: str
    fleet: FleetPlan


@dataclass(frozen=True, slots=True)
class Capacity:
    """What ``UpdateEndpointWeightsAndCapacities`` asks for one variant; ``None`` leaves it as it is."""

    variant: str
    weight: float | None = None
    instance_count: int | None = None
