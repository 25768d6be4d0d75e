"""Finding control groups: versions 1 and 2, whole and in part, on folders that look like them."""

from __future__ import annotations

from pathlib import Path

from cloche.compute.local.cgroups import GROUP, LEAF, ControlGroups, end_group, found, memory_bytes_of_all
from cloche.compute.local.runner.groups import Groups
from cloche.compute.runtime import Limits

LIMITS = Limits(memory_bytes=1 << 30, processes=100)


def system(folder: Path, groups: str, mounts: list[str]) -> Path:
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(groups)
    (proc / "mountinfo").write_text("".join(f"{line}\n" for line in mounts))
    return proc


def tree(folder: Path, *files: str) -> Path:
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).touch()
    return folder


def test_version_1(tmp_path: Path) -> None:
    memory = tree(tmp_path / "sys" / "memory" / "slice")
    tree(tmp_path / "sys" / "pids")
    proc = system(
        tmp_path,
        "3:memory:/slice\n2:pids:/\n1:cpu,cpuacct:/gone\n0::/\n",
        [
            f"30 20 0:1 / {tmp_path}/sys/memory rw - cgroup cgroup rw,memory",
            f"31 20 0:2 / {tmp_path}/sys/pids rw - cgroup cgroup rw,pids",
            f"32 20 0:3 / {tmp_path}/sys/cpu rw - cgroup cgroup rw,cpu,cpuacct",
        ],
    )
    groups = found(proc)
    assert groups.version == 1
    assert groups.folders == {"memory": memory / GROUP, "pids": tmp_path / "sys" / "pids" / GROUP}
    assert (memory / GROUP / "memory.limit_in_bytes").read_text() == str(memory_bytes_of_all())
    document = groups.document("token-0", LIMITS)
    assert document is not None
    assert document["files"] == {
        f"{memory}/{GROUP}/token-0": {"memory.limit_in_bytes": str(1 << 30)},
        f"{tmp_path}/sys/pids/{GROUP}/token-0": {"pids.max": "100"},
    }
    assert document["holds_processes"]
    assert document["killed"] == f"{memory}/{GROUP}/token-0/memory.oom_control"


def test_version_1_of_which_a_container_sees_a_part(tmp_path: Path) -> None:
    tree(tmp_path / "sys" / "memory" / "inner")
    proc = system(
        tmp_path,
        "3:memory:/docker/abc/inner\n",
        [f"30 20 0:1 /docker/abc {tmp_path}/sys/memory rw - cgroup cgroup rw,memory"],
    )
    assert found(proc).folders == {"memory": tmp_path / "sys" / "memory" / "inner" / GROUP}


def test_version_2(tmp_path: Path) -> None:
    own = tree(tmp_path / "sys" / "user" / "scope", "cgroup.subtree_control")
    (own / "cgroup.controllers").write_text("cpu io memory pids\n")
    proc = system(tmp_path, "0::/user/scope\n", [f"30 20 0:1 / {tmp_path}/sys rw - cgroup2 cgroup2 rw"])
    groups = found(proc)
    assert groups.version == 2
    assert groups.folders == dict.fromkeys(("memory", "pids", "cpu"), own / GROUP)
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert not (own / LEAF).exists()
    document = groups.document("token-1", LIMITS)
    assert document is not None
    assert document["files"] == {
        f"{own}/{GROUP}/token-1": {
            "memory.max": str(1 << 30),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": "100",
            "cpu.weight": "25",
        }
    }
    assert document["share"] == {}


def test_what_is_made_ahead_has_its_share_later(tmp_path: Path) -> None:
    groups = ControlGroups(1, {"cpu": tmp_path})
    document = groups.document("token-0", LIMITS, yields=True)
    assert document is not None
    assert document["files"] == {f"{tmp_path}/token-0": {"cpu.shares": "64"}}
    made = Groups(document)  # a folder that is none of the kernel's has no files yet: what may lack is passed over
    (tmp_path / "token-0" / "cpu.shares").touch()
    made.take_share()
    assert (tmp_path / "token-0" / "cpu.shares").read_text() == "256"


def test_what_somebody_waits_for_has_a_share_like_the_servers(tmp_path: Path) -> None:
    for version, files in ((1, {}), (2, {f"{tmp_path}/token-0": {}})):
        document = ControlGroups(version, {"cpu": tmp_path}).document("token-0", LIMITS, prompt=True)
        assert document is not None
        assert document["files"] == files
        assert document["share"] == {}


def test_none(tmp_path: Path) -> None:
    assert found(tmp_path / "nowhere").why_not == "this system has no control groups"
    proc = system(tmp_path, "0::/a\n", [f"30 20 0:1 / {tmp_path}/sys rw - cgroup2 cgroup2 rw"])
    groups = found(proc)
    assert groups.why_not == "no group may be made in any"
    assert groups.document("token", LIMITS) is None


def test_ending_a_group_that_is_gone(tmp_path: Path) -> None:
    end_group(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    end_group(tmp_path / "empty")
    assert not (tmp_path / "empty").exists()
