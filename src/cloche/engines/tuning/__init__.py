"""Tuning jobs: many training jobs that search for the best hyperparameters.

``Tuning`` is the face. ``plan`` is what is to be done, ``ranges`` where is searched, ``proposing`` what is tried next,
``stopping_early`` which trial is not worth its time, ``progress`` how far it is and when it ends. All of these are
pure. ``driver`` does it, through the API like any client; ``trials`` are the rows, ``searching`` the process in which
a library searches.
"""

from cloche.engines.tuning.plan import Completion, Definition, Objective, Observation, Plan
from cloche.engines.tuning.proposing import combinations
from cloche.engines.tuning.publish import TuningState, from_document
from cloche.engines.tuning.ranges import Range
from cloche.engines.tuning.trials import MIGRATIONS, Trial
from cloche.engines.tuning.tuning import Tuning

__all__ = [
    "MIGRATIONS",
    "Completion",
    "Definition",
    "Objective",
    "Observation",
    "Plan",
    "Range",
    "Trial",
    "Tuning",
    "TuningState",
    "combinations",
    "from_document",
]
