"""Processing jobs: a program over files from S3, and the files it writes back to S3.

``Processing`` is the face. ``machine`` is the table of states, ``driver`` says what each state demands: ``staging``,
``start``, ``finish``, by way of ``cloche.jobs``. ``publish`` is what others see.
"""

from cloche.engines.processing.plan import Input, Output, Plan
from cloche.engines.processing.processing import Processing
from cloche.engines.processing.publish import ProcessingState, from_document

__all__ = ["Input", "Output", "Plan", "Processing", "ProcessingState", "from_document"]
