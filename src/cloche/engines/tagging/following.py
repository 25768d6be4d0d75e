"""How the index of tags follows those who keep tags, or resources, in tables of their own.

Triggers, because then it is one transaction with its cause, whoever wrote it: a bucket's tags are part of its
configuration, and whatever goes takes its entry in the index along.
"""

from __future__ import annotations

from typing import Final

_ARN: Final = "'arn:aws:s3:::' || NEW.name"
_HAS: Final = "json_extract({}.configuration, '$.Tagging')"
_TAGGED: Final = f"INSERT OR IGNORE INTO tagged SELECT {_ARN}, NEW.account, NEW.region, 's3', 'bucket'"
_TAGS: Final = (
    "INSERT INTO tags (arn, key, value, account, region) "  # noqa: S608 - all of it is written here
    f"SELECT {_ARN}, t.key, t.value, NEW.account, NEW.region FROM json_each(NEW.configuration, '$.Tagging') t"
)
_LOG_GROUP: Final = "'arn:aws:logs:' || OLD.region || ':' || OLD.account || ':log-group:' || OLD.name"

# A migration's statements end at the end of a line; those inside of a trigger do not.
MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "tagging-1",
        f"""
CREATE TRIGGER bucket_tags_made AFTER INSERT ON buckets WHEN {_HAS.format("NEW")} IS NOT NULL
    BEGIN {_TAGGED}; {_TAGS}; END;
CREATE TRIGGER bucket_tags_changed AFTER UPDATE OF configuration ON buckets
    WHEN {_HAS.format("OLD")} IS NOT {_HAS.format("NEW")}
    BEGIN DELETE FROM tags WHERE arn = {_ARN}; {_TAGGED}; {_TAGS}; END;
CREATE TRIGGER bucket_tags_gone AFTER DELETE ON buckets
    BEGIN DELETE FROM tags WHERE arn = 'arn:aws:s3:::' || OLD.name; DELETE FROM tagged
    WHERE arn = 'arn:aws:s3:::' || OLD.name; END;
CREATE TRIGGER record_tags_gone AFTER DELETE ON records
    BEGIN DELETE FROM tags WHERE arn = OLD.arn; DELETE FROM tagged WHERE arn = OLD.arn; END;
CREATE TRIGGER log_group_tags_gone AFTER DELETE ON log_groups
    BEGIN DELETE FROM tags WHERE arn = {_LOG_GROUP}; DELETE FROM tagged WHERE arn = {_LOG_GROUP}; END;
INSERT OR IGNORE INTO tagged SELECT 'arn:aws:s3:::' || name, account, region, 's3', 'bucket' FROM buckets
    WHERE json_extract(configuration, '$.Tagging') IS NOT NULL;
INSERT OR IGNORE INTO tags (arn, key, value, account, region)
    SELECT 'arn:aws:s3:::' || b.name, t.key, t.value, b.account, b.region
    FROM buckets b, json_each(b.configuration, '$.Tagging') t
""",  # noqa: S608 - all of it is written here
    ),
]
