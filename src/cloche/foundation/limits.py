"""Every bound on a body, queue, pool or page, in one place. Reaching one is an error that says so."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# The wire. Bodies that are parsed are held in memory, so they are small; S3 payloads stream and are not.
PARSED_BODY_BYTES_MAX: Final = 16 * MIB
INVOKE_BODY_BYTES_MAX: Final = 25 * MIB
PACKAGE_BODY_BYTES_MAX: Final = 69_905_067  # 50 MiB in Base64: the words of Lambda's refusal name this number
HEADER_BYTES_MAX: Final = 64 * KIB
HEADER_COUNT_MAX: Final = 200
HEADER_SECONDS_MAX: Final = 20  # until a request's headers are complete
IDLE_SECONDS_MAX: Final = 75  # a kept-alive connection without a request
STALLED_SECONDS_MAX: Final = 60  # a promised body of which nothing comes, an answer of which nothing is read
NESTING_DEPTH_MAX: Final = 64
CONTAINERS_MAX: Final = 1_000_000  # lists and structures in one JSON or CBOR body
XML_ELEMENTS_MAX: Final = 200_000  # 10,000 parts of a CompleteMultipartUpload with their checksums are 60,000
FORM_FIELDS_MAX: Final = 100_000
EVENT_FRAME_BYTES_MAX: Final = 16 * MIB  # smithy.io: a frame's payload is at most 16 MiB
PATTERN_STEPS_MAX: Final = 2_000_000  # work allowed for one regular expression of a model on one value
CLOCK_SKEW_SECONDS_MAX: Final = 15 * 60
PRESIGNED_SECONDS_MAX: Final = 7 * 24 * 3600

# S3 (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)
OBJECT_KEY_BYTES_MAX: Final = 1024
OBJECT_PUT_BYTES_MAX: Final = 5 * GIB
PART_BYTES_MIN: Final = 5 * MIB
PART_NUMBER_MAX: Final = 10_000
USER_METADATA_BYTES_MAX: Final = 2 * KIB

# Container images (docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html; API_UploadLayerPart.html)
LAYER_BYTES_MAX: Final = 52_000 * MIB
LAYER_PART_BYTES_MIN: Final = 5 * MIB
LAYER_PART_BODY_BYTES_MAX: Final = 28 * MIB  # a part of 20 MiB in Base64 is 26.7 of them

# The server
HANDLER_THREADS: Final = 16
HANDLER_QUEUE_MAX: Final = 1_000
CONNECTIONS_MAX: Final = 4_096  # beyond it those that wait longest give way to newcomers

# Archives that users hand us (sourcedir.tar.gz, model.tar.gz)
ARCHIVE_BYTES_MAX: Final = 20 * GIB
ARCHIVE_RATIO_MAX: Final = 200
ARCHIVE_MEMBERS_MAX: Final = 100_000

# Jobs
INSTANCES_PER_JOB_MAX: Final = 64  # each is a process tree on this machine
MANIFEST_BYTES_MAX: Final = 64 * MIB  # a channel's list of objects; held in memory while a job is staged
FAILURE_REASON_CHARACTERS_MAX: Final = 1_024
STOP_GRACE_SECONDS: Final = 120
LOG_LINE_BYTES_MAX: Final = 256 * KIB
LOG_BYTES_PER_JOB_MAX: Final = 1 * GIB
CAPTURED_BYTES_MAX: Final = 1 * GIB  # captured requests that wait because their bucket is missing
MODEL_SERVER_DISK_BYTES_MAX: Final = 32 * GIB  # below its /opt/ml, model included; a training job has VolumeSizeInGB

# Images of the user's own, that jobs run in
IMAGE_BYTES_MAX: Final = 64 * GIB  # unpacked, all layers together; this and the next two unless chosen otherwise
IMAGE_MEMBERS_MAX: Final = 500_000  # files, folders and links in all layers
IMAGE_LAYERS_MAX: Final = 127  # as many as Docker's overlay driver takes
IMAGE_ARCHIVE_MEMBERS_MAX: Final = 20_000  # of the file that images come in: a few for each layer
IMAGE_DOCUMENT_BYTES_MAX: Final = 4 * MIB  # a manifest, an index or a configuration
