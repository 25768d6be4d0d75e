"""The same by the core resources of SageMaker Python SDK v3: a linear shift of the endpoint that main.py left."""

import json

from sagemaker.core.resources import Endpoint
from sagemaker.core.shapes import BlueGreenUpdatePolicy, CapacitySize, DeploymentConfig, TrafficRoutingConfig

endpoint = Endpoint.get("guarded")
endpoint.endpoint_config_name = "guarded-newer"
routing = TrafficRoutingConfig(
    type="LINEAR",
    linear_step_size=CapacitySize(type="CAPACITY_PERCENT", value=50),
    wait_interval_in_seconds=1,
)
policy = BlueGreenUpdatePolicy(traffic_routing_configuration=routing, termination_wait_in_seconds=0)
endpoint.update(deployment_config=DeploymentConfig(blue_green_update_policy=policy))
endpoint.wait_for_status("InService", poll=1)
answer = endpoint.invoke(body="?", content_type="text/csv").body.read().decode()
last = endpoint.last_deployment_config.blue_green_update_policy.traffic_routing_configuration
endpoint.delete()
print("RESULT " + json.dumps({"answer": answer, "routing": last.type}))
