"""Hyperparameters as a script sees them, and the ``SM_*`` variables.

Source: ``environment.py``, ``mapping.py`` and ``params.py`` of aws/sagemaker-training-toolkit.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloche_jobs.contract import configuration, sources
from cloche_jobs.contract.failure import PlatformError, UserError
from cloche_jobs.contract.layout import Layout

log = logging.getLogger(__name__)
_TUNING_METRIC: Final = "_tuning_objective_metric"
_PREFIX: Final = "sagemaker_"
MPI: Final = "sagemaker_mpi_enabled"
TORCH_DISTRIBUTED: Final = "sagemaker_torch_distributed_enabled"
MULTI_WORKER_MIRRORED: Final = "sagemaker_multi_worker_mirrored_strategy_enabled"
PARAMETER_SERVER: Final = "sagemaker_parameter_server_enabled"
SMDATAPARALLEL: Final = "sagemaker_distributed_dataparallel_enabled"
PYTORCH_DDP: Final = "sagemaker_pytorch_ddp_enabled"
PYTORCH_XLA: Final = "sagemaker_pytorch_xla_multi_worker_enabled"
LAUNCHES: Final = (
    MPI,
    PYTORCH_DDP,
    TORCH_DISTRIBUTED,
    SMDATAPARALLEL,
    PYTORCH_XLA,
    MULTI_WORKER_MIRRORED,
    PARAMETER_SERVER,
)
"""Settings that ask for a launch on several hosts, in the order in which AWS's toolkits look at them. Source also:
``training.py`` of aws/sagemaker-pytorch-training-toolkit and of aws/sagemaker-tensorflow-training-toolkit."""
_NOT_FRAMEWORK: Final = frozenset(
    {
        sources.PROGRAM,
        sources.SUBMIT_DIRECTORY,
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_region",
        "sagemaker_container_log_level",
        "sagemaker_job_name",
        "default_user_module_name",
        _TUNING_METRIC,
        "sagemaker_s3_output",
    }
)


@dataclass(frozen=True, slots=True)
class Training:
    """What the three configuration files say, decoded."""

    layout: Layout
    hyperparameters: dict[str, Any]
    """The user's own, JSON-decoded."""
    settings: dict[str, Any]
    """Those that begin with ``sagemaker_``."""
    channels: dict[str, Any]
    resources: dict[str, Any]
    program: str
    submit_directory: str | None

    @classmethod
    def read(cls, layout: Layout) -> Training:
        """Raises ``JobError``."""
        raw = {name: str(value) for name, value in configuration.read_hyperparameters(layout).items()}
        program = sources.program(raw, os.environ)
        if program is None:
            raise UserError(
                "Missing required hyperparameter: sagemaker_program. This image runs a script: name it, and its "
                "bundle in sagemaker_submit_directory."
            )
        decoded = {name: _decoded(name, value) for name, value in raw.items()}
        own = {n: v for n, v in decoded.items() if not n.startswith(_PREFIX) and n not in _NOT_FRAMEWORK}
        resources = configuration.read_resource_config(layout)
        if not isinstance(resources.get("hosts"), list):
            raise PlatformError("resourceconfig.json names no hosts")
        return cls(
            layout,
            own,
            {name: value for name, value in decoded.items() if name not in own},
            configuration.read_input_data_config(layout),
            resources,
            program,
            sources.submit_directory(raw, os.environ),
        )

    @property
    def module_name(self) -> str:
        return self.program.removesuffix(".py")

    @property
    def current_host(self) -> str:
        return str(self.resources["current_host"])

    @property
    def groups(self) -> list[dict[str, Any]]:
        return list(self.resources.get("instance_groups", []))

    @property
    def current_group(self) -> str:
        return str(self.resources.get("current_group_name", configuration.HOMOGENEOUS))

    @property
    def distribution_groups(self) -> list[str]:
        """The instance groups that train together: those named, else the current one where anything is to be
        launched on several hosts."""
        named = self.settings.get("sagemaker_distribution_instance_groups")
        if named is not None:
            return list(named)
        return [self.current_group] if any(self.settings.get(name) for name in LAUNCHES) else []

    @property
    def distribution_hosts(self) -> list[str]:
        """The hosts that train together; empty where each is for itself."""
        return [
            host
            for group in self.groups
            if group["instance_group_name"] in self.distribution_groups
            for host in group["hosts"]
        ]

    @property
    def master(self) -> str:
        return str((self.distribution_hosts or self.resources["hosts"])[0])

    def launch(self) -> str | None:
        """Which way of launching this host is to take part in; ``None`` where the script runs by itself."""
        if self.current_group not in self.distribution_groups:
            return None
        return next((name for name in LAUNCHES if self.settings.get(name)), None)

    def arguments(self) -> list[str]:
        """``--name value`` of each, sorted by name; one letter gets one dash."""
        given: list[str] = []
        for name in sorted(self.hyperparameters):
            given += [f"--{name}" if len(name) > 1 else f"-{name}", _argument(self.hyperparameters[name])]
        return given

    def variables(self) -> dict[str, str]:
        """All ``SM_*`` variables."""
        plain = self._plain()
        training_env = {key: value for key, value in plain.items() if key not in ("hps", "user_args")}
        everything = {
            **plain,
            "training_env": {
                **training_env,
                "hyperparameters": self.hyperparameters,
                "channel_input_dirs": {name: str(self.layout.channel(name)) for name in sorted(self.channels)},
                "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
                "additional_framework_parameters": plain["framework_params"],
                "distribution_hosts": self.distribution_hosts,
                "master_hostname": self.master,
                "is_master": self.resources["current_host"] == self.master,
            },
            **{f"channel_{name}": str(self.layout.channel(name)) for name in self.channels},
            **{f"hp_{name}": value for name, value in self.hyperparameters.items()},
        }
        return {f"SM_{name.upper()}": _variable(value) for name, value in everything.items()}

    def _plain(self) -> dict[str, Any]:
        layout, resources = self.layout, self.resources
        groups, current_group = self.groups, self.current_group
        return {
            "hosts": resources["hosts"],
            "network_interface_name": resources.get("network_interface_name", "eth0"),
            "hps": self.hyperparameters,
            "user_entry_point": self.program,
            "framework_params": {k: v for k, v in self.settings.items() if k not in _NOT_FRAMEWORK},
            "resource_config": resources,
            "input_data_config": self.channels,
            "output_data_dir": str(layout.output_data),
            "channels": sorted(self.channels),
            "current_host": resources["current_host"],
            "current_instance_type": resources.get("current_instance_type", "local"),
            "current_instance_group": current_group,
            "current_instance_group_hosts": next(
                (group["hosts"] for group in groups if group["instance_group_name"] == current_group), []
            ),
            "instance_groups": [group["instance_group_name"] for group in groups],
            "instance_groups_dict": {group["instance_group_name"]: group for group in groups},
            "distribution_instance_groups": self.distribution_groups,
            "is_hetero": len(groups) > 1,
            "module_name": self.module_name,
            "log_level": self.settings.get("sagemaker_container_log_level", logging.INFO),
            "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE"),
            "input_dir": str(layout.input),
            "input_config_dir": str(layout.config),
            "output_dir": str(layout.output),
            "num_cpus": os.cpu_count() or 1,
            "num_gpus": 0,
            "num_neurons": 0,
            "model_dir": str(layout.model),
            "module_dir": self.submit_directory or str(layout.code),
            "user_args": self.arguments(),
            "output_intermediate_dir": str(layout.intermediate),
        }


def _decoded(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        log.info("Failed to parse hyperparameter %s value %s to Json.\nReturning the value itself", name, value)
        return value


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={inner}" for key, inner in sorted(value.items()))
    return "" if value is None else str(value)


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
