"""Where model servers listen: short names in a private folder, since a socket's path holds 108 bytes.

The folder lies below the machine's temporary folder and is named by a digest of the data directory, so a second
Cloche on other data has another one. It belongs to us and nobody else may enter it; a folder somebody else put
there first is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cloche.foundation.errors import Broken

PATH_BYTES_MAX: Final = 107
"""``sun_path`` holds 108 bytes on Linux (104 elsewhere), a final NUL among them: unix(7)."""


def socket_folder(data: Path) -> Path:
    """The private folder for the Cloche that keeps its data in ``data``. Raises ``Broken``."""
    name = "cloche-" + hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:8]
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / name)) > PATH_BYTES_MAX - 40:
        base = Path("/tmp")  # noqa: S108 - private below, and checked
    folder = base / name
    make_private(folder)
    return folder


def make_private(folder: Path) -> None:
    """Make ``folder`` (mode 0700) unless it is there and ours. Raises ``Broken``."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise Broken(f"{folder} is not Cloche's own folder") from None
        folder.chmod(0o700)
