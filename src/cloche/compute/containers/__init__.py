"""Programs that run images of the user's own as containers, by everything an image may count on: Podman and Docker.

``program`` is what Cloche wants of either; ``podman`` and ``docker`` are how each is told.
"""
