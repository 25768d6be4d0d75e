"""The registry HTTP API v2 (OCI distribution spec 1.1), on Cloche's one port, over the rows that ECR's operations see.

``door`` tells which requests are its own, ``addresses`` what a path asks for, ``callers`` who asks and for which
registry; ``pulling`` and ``pushing`` answer, ``refusals`` words what was refused. ``registry`` is the whole.
"""
