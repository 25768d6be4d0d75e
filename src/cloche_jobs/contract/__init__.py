"""The job contract: what the server lays out before a job, what a job finds, what it leaves behind.

Both sides import this package, so it needs the standard library alone and loads in a few milliseconds. Nothing
in it starts a process or touches the network.

**The command.** ``command(python, "train")`` is ``[python, "-P", "-m", "cloche_jobs.entry", "train"]`` and
``command(python, "serve")`` the same with ``serve``. ``python`` is the interpreter of the image's environment
(``cloche.compute.images``). The package is not installed there: the runner binds the folder that holds
``cloche_jobs`` (``package_folder()`` is ``…/cloche_jobs`` itself) read-only at ``/opt/cloche/cloche_jobs`` and
sets ``PYTHONPATH=/opt/cloche`` (``PACKAGE_ROOT``); without a mount namespace ``PYTHONPATH`` is
``package_folder().parent``. A job whose request has a ``ContainerEntrypoint`` runs that instead, with
``<environment>/bin`` first on ``PATH``: ``python3`` and ``pip`` are there.

**Folders, below the ML root** (``/opt/ml``; elsewhere when ``CLOCHE_ML_ROOT`` says so, for machines without a
mount namespace and for tests). See ``layout.Layout``; the runner makes them all with ``Layout(root).make()``:

    input/config/hyperparameters.json     every value text                   written by ``configuration``
    input/config/inputdataconfig.json     one entry a channel
    input/config/resourceconfig.json      hosts
    input/config/checkpointconfig.json    only with a CheckpointConfig: where checkpoints are kept
    input/data/<channel>/                 inputs; hard links or read-only binds
    input/data/<channel>_<epoch>          in Pipe mode, in place of the folder: a named pipe for each epoch
    input/source/sourcedir.tar.gz         the script-mode bundle, when the request names one in S3 (see below)
    code/                                 the job unpacks the bundle here
    model/                                becomes model.tar.gz           (serve: unpacked from it, read-only)
    checkpoints/                          only when the request has a CheckpointConfig
    output/data/                          becomes output.tar.gz
    output/failure                        text of a failure; see below
    output/intermediate/

``/tmp`` should be the job's own. The working directory is the ML root's ``code`` when it is there, else the root.

**Environment.** ``environment.training_environment`` and ``environment.serving_environment`` build all of it (the
request's own ``Environment`` included); the runner starts the job with exactly that, adding the credentials
(``AWS_CONTAINER_CREDENTIALS_FULL_URI``, ``AWS_ENDPOINT_URL`` …) through ``extra``. The names Cloche adds are
``CLOCHE_IMAGE`` (``sagemaker-xgboost:1.7-1``, the catalog's key: which algorithm or framework runs),
``CLOCHE_ML_ROOT`` and, for serving, ``CLOCHE_BIND`` (``unix:/path/to/socket`` or ``tcp:127.0.0.1:8080``; absent:
port ``SAGEMAKER_BIND_TO_PORT``, by default 8080, on 127.0.0.1).

**Staging the script bundle.** Jobs hold no client for S3. ``sources.bundle_uri(hyperparameters, environment)``
tells the server which ``s3://…/sourcedir.tar.gz`` to fetch (``None``: nothing to do); the server places the
object, unopened, at ``Layout.bundle``. The job unpacks it, safely, into ``code/``. A bundle that is named but not
there is a platform error. ``/opt/ml/model/code`` (SDK v3) and plain folders need no staging.

**How a job ends.** Exit 0 is success. Anything else is failure, told by ``output/failure`` if the job wrote it:
``failure.failure_reason(text, exit_code)`` makes AWS's ``FailureReason`` of both. Text that begins with
``ClientError: ``, ``AlgorithmError: `` or ``InternalServerError: `` says whose fault it was (``failure.Kind``: user,
algorithm, platform); other text, a user script's for instance, is AWS's ``AlgorithmError: ``. On SIGTERM a job has
120 s (serving: 30 s), then SIGKILL; the runner signals the whole process group. A job stopped by SIGTERM that saved
what it had exits 0.

**What a job prints.** Standard output and error are lines of text with real tabs. CloudWatch shows control
characters as ``#`` and three octal digits (a tab is ``#011``), and AWS's metric expressions are written against
that form: whoever stores the lines passes each through ``loglines.as_stored`` first and looks for metrics in the
result.

**Archives.** ``packing.pack`` writes ``model.tar.gz`` and ``output.tar.gz``; ``unpacking.unpack`` opens what users
hand in, within limits on bytes, ratio and members, and refuses whatever would leave its folder.
"""

from __future__ import annotations

from cloche_jobs.contract.command import PACKAGE_ROOT, command, package_folder
from cloche_jobs.contract.layout import Layout

__all__ = ["PACKAGE_ROOT", "Layout", "command", "package_folder"]
