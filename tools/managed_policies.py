"""Make ``managed_policies_more.json.xz`` from a checkout of the public data set iann0036/iam-dataset.

    python tools/managed_policies.py <checkout>/aws/managedpolicies

The data set records, for each AWS-managed policy, what ``iam:ListPolicies`` and ``iam:GetPolicyVersion`` answer.
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

PREFIX = "arn:aws:iam::aws:policy/"
TARGET = Path(__file__).parents[1] / "src/cloche/engines/identity/managed_policies_more.json.xz"


def main(folder: Path) -> None:
    policies = {}
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text())
        if not said.get("arn", "").startswith(PREFIX) or said.get("deprecated"):
            continue
        policies[said["arn"].removeprefix(PREFIX)] = [
            int(said["version"].removeprefix("v")),
            said["createdate"],
            said["updatedate"],
            json.dumps(said["document"], separators=(",", ":")),
        ]
    text = json.dumps(policies, sort_keys=True, separators=(",", ":"))
    TARGET.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(policies)} policies, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
