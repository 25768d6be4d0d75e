"""Data capture: what an endpoint is asked and answers, kept as AWS's JSON Lines and brought to S3.

An answer leaves the server after its line was copied into a file of the data directory, so a server that is killed
loses none. A file is what will be one object: it is closed after some seconds, by size and with the hour, stored under
the key that its first line names, and removed. A start finds the files that are left, cuts off what was not written
whole (its answer was not sent), and stores them.
"""

from cloche.engines.hosting.capture.captures import Captures
from cloche.engines.hosting.capture.heard import Heard, Known
from cloche.engines.hosting.capture.lines import Told
from cloche.engines.hosting.capture.plan import CapturePlan
from cloche.engines.hosting.capture.recorder import Recorder
from cloche.engines.hosting.capture.stream import Captured

__all__ = ["CapturePlan", "Captured", "Captures", "Heard", "Known", "Recorder", "Told"]
