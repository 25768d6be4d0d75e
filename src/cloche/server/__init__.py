"""The composition root: the only place that knows every part. ``app`` is the way of a request, on one screen."""
