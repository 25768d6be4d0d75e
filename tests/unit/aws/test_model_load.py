"""Models: stripped, patched, cached, and quick to come by."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.aws.model import load


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    load.use_cache(tmp_path)
    yield tmp_path
    load.use_cache(None)


def test_documentation_is_gone_but_a_member_of_that_name_stays() -> None:
    raw = {
        "documentation": "x",
        "operations": {"Do": {"documentation": "x", "errors": [{"shape": "E", "documentation": "x"}]}},
        "shapes": {
            "S": {
                "type": "structure",
                "documentation": "x",
                "members": {"documentation": {"shape": "T", "documentation": "x"}},
            }
        },
    }
    assert load.strip(raw) == {
        "operations": {"Do": {"errors": [{"shape": "E"}]}},
        "shapes": {"S": {"type": "structure", "members": {"documentation": {"shape": "T"}}}},
    }


def test_every_patch_has_a_place_and_a_reason() -> None:
    patches = json.loads(Path(load.__file__).with_name("patches.json").read_text())
    for patch in patches:
        assert patch["reason"]
        place = load.raw_model(patch["service"])
        for step in patch["at"]:
            place = place[step]
        assert place == patch["set"]


def test_the_cache_gives_back_what_was_made(cache: Path) -> None:
    made = load.raw_model("sts")
    assert [path.name for path in cache.iterdir()] == ["sts.marshal"]
    assert load.raw_model("sts") == made


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "other version", "folder"])
def test_a_torn_cache_is_made_anew(cache: Path, harm: str) -> None:
    made = load.raw_model("sts")
    file = cache / "sts.marshal"
    content = file.read_bytes()
    if harm == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        file.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    elif harm == "empty":
        file.write_bytes(b"")
    elif harm == "other version":
        file.write_bytes(content.replace(b"cloche-model-1 ", b"cloche-model-0 ", 1))
    else:
        file.unlink()
        file.mkdir()
    assert load.raw_model("sts") == made
    if harm != "folder":
        assert file.read_bytes() == content


def test_the_index_knows_all_services() -> None:
    index = load.service_index()
    assert set(index) == set(load.service_names())
    assert index["sagemaker-runtime"]["signingName"] == "sagemaker"
    assert index["cloudwatch"]["endpointPrefix"] == "monitoring"


def test_an_unknown_service_is_refused_by_name() -> None:
    with pytest.raises(load.UnknownService, match="nope"):
        load.service_model("nope")


def test_importing_the_wire_loads_no_client_and_no_model() -> None:
    code = (
        "import sys, cloche.aws.routing, cloche.aws.protocols, cloche.aws.validation, cloche.aws.protocols.rest_json;"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('boto3', 'botocore', 'urllib3', 'numpy')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
