"""Training jobs: from a plan to a model in S3, by way of a real process.

``Training`` is the face. ``machine`` is the table of states, ``driver`` says what each state demands: ``stage_inputs``,
``start``, ``finish``, by way of ``cloche.jobs``. ``publish`` is what others see.
"""

from cloche.engines.training.plan import Channel, KeptFolder, Metric, Plan
from cloche.engines.training.publish import TrainingState, Transition, from_document
from cloche.engines.training.training import Training

__all__ = [
    "Channel",
    "KeptFolder",
    "Metric",
    "Plan",
    "Training",
    "TrainingState",
    "Transition",
    "from_document",
]
