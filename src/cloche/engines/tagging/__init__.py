"""Tags over everything: found by an index, changed by whoever owns the resource.

``Tagging`` is what the Resource Groups Tagging API asks. An ``Owner`` is what a part of Cloche gives that has
resources with tags: a form of ARN that is its own, and how tags are set and removed there.
"""

from cloche.engines.tagging.following import MIGRATIONS
from cloche.engines.tagging.owners import BucketOwner, LogGroupOwner, Owner, RecordOwner, checked
from cloche.engines.tagging.tagging import TAGS_MAX, Tagging
from cloche.storage.metadata.tag_index import Search, Tagged

__all__ = [
    "MIGRATIONS",
    "TAGS_MAX",
    "BucketOwner",
    "LogGroupOwner",
    "Owner",
    "RecordOwner",
    "Search",
    "Tagged",
    "Tagging",
    "checked",
]
