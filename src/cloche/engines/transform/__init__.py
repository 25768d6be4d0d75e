"""Batch transform: a model server, and beside it a program that sends it whole files and keeps what it answers.

``Transforms`` is the face, ``machine`` the table of states, ``driver`` says what each state demands: ``staging`` the
inputs and the orders for the program (``cloche_jobs.transform``), ``start`` the process, ``finish`` the outputs.
``plan`` is what a job is to do, ``publish`` what others see of it.
"""

from cloche.engines.transform.plan import Capture, Plan
from cloche.engines.transform.publish import TransformState, from_document
from cloche.engines.transform.transforms import Transforms

__all__ = ["Capture", "Plan", "TransformState", "Transforms", "from_document"]
