"""Training jobs: from a plan to a model in S3, by way of a real process.

``Training`` is the face. ``machine`` is the table of states, ``driver`` says what each state demands, and each
demand has a file: ``stage_inputs``, ``start``, ``follow``, ``finish``, ``clean``. ``hosts`` says where it all happens,
``publish`` is what others see.
"""

from cloche.engines.training.hosts import Group
from cloche.engines.training.plan import Channel, CheckpointConfig, Metric, Plan
from cloche.engines.training.publish import TrainingState, Transition, from_document
from cloche.engines.training.start import Gateway
from cloche.engines.training.training import Training

__all__ = [
    "Channel",
    "CheckpointConfig",
    "Gateway",
    "Group",
    "Metric",
    "Plan",
    "Training",
    "TrainingState",
    "Transition",
    "from_document",
]
