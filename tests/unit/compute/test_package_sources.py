"""What jobs find of the machine's way to packages: everything that says where they come from, and nothing else."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.packages import PackageSources, pip_configuration
from cloche.compute.runtime import Mount


class Machine:
    """A home folder, an ``/etc/xdg``, and a data directory that nobody may see."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        for name in ("home", "xdg", "data/run", "wheels", "mirror/simple", "mirror/packages", "mirror/other"):
            (self.root / name).mkdir(parents=True)
        self.environment = {"HOME": str(self.root / "home"), "XDG_CONFIG_DIRS": str(self.root / "xdg")}

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def sources(self) -> PackageSources:
        return PackageSources(self.root / "data/run/packages", [self.root / "data"], self.environment)

    def pip(self, sources: PackageSources) -> dict[str, str]:
        parser = configparser.RawConfigParser()
        parser.read(sources.found(private_files=True).mounts[0].source)
        return {name: " ".join(value.split()) for name, value in parser.items("global")}

    def uv(self, sources: PackageSources) -> dict[str, Any]:
        return tomllib.loads(sources.found(private_files=True).mounts[1].source.read_text())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(pip_configuration, "ETC", tmp_path / "etc")
    return Machine(tmp_path)


def seen(sources: PackageSources) -> list[str]:
    return [mount.target for mount in sources.found(private_files=True).mounts[2:]]


def test_pips_files_override_each_other_in_pips_order(machine: Machine) -> None:
    machine.write("xdg/pip/pip.conf", "[global]\nindex-url = https://shared/simple\ntimeout = 5\ncert = /nowhere.pem\n")
    machine.write("home/.config/pip/pip.conf", "[global]\nindex_url = https://mine/simple\n[install]\nretries = 7\n")
    machine.environment |= {"PIP_DEFAULT_TIMEOUT": "9", "PIP_CONFIG_FILE": str(machine.root / "last.conf")}
    machine.write("last.conf", "[global]\nretries = 8\n")
    found = machine.pip(machine.sources())
    assert {name: found[name] for name in ("index-url", "timeout", "retries", "cert")} == {
        "index-url": "https://mine/simple",
        "timeout": "9",
        "retries": "8",
        "cert": "/nowhere.pem",
    }


def test_what_says_where_packages_go_stays_out(machine: Machine) -> None:
    text = "[global]\ntarget = /srv\nuser = true\nfind-links = /a\n  /b\n[list]\nformat = columns\n"
    machine.write("home/.config/pip/pip.conf", text)
    machine.environment |= {"PIP_PREFIX": "/srv", "PIP_CACHE_DIR": "/srv", "PIP_PYTHON": "/srv/python"}
    found = machine.pip(machine.sources())
    assert found["find-links"] == "/a /b"
    assert not {"target", "user", "prefix", "cache-dir", "python", "format"} & set(found)


def test_folders_and_files_that_are_named_can_be_read_inside(machine: Machine) -> None:
    root = machine.root
    constraint, cert = machine.write("limits.txt", "six<2\n"), machine.write("authority.pem", "")
    machine.environment |= {
        "PIP_INDEX_URL": f"file://{root}/mirror/simple",
        "PIP_FIND_LINKS": f"{root}/wheels https://far.example/wheels {root}/not-there relative",
        "PIP_CONSTRAINT": str(constraint),
        "PIP_CERT": str(cert),
    }
    sources = machine.sources()
    wanted = ["mirror/simple", "mirror/packages", "wheels", "limits.txt", "authority.pem"]
    assert sorted(seen(sources)) == sorted(str(root / name) for name in wanted)
    assert all(not mount.writable for mount in sources.found(private_files=True).mounts)


@pytest.mark.parametrize("named", ["/", "{root}", "{root}/home", "{root}/data", "{root}/data/run", "/proc", "/opt/ml"])
def test_what_is_private_is_not_shown_whatever_is_configured(machine: Machine, named: str) -> None:
    machine.environment["PIP_FIND_LINKS"] = named.format(root=machine.root)
    assert seen(machine.sources()) == []


def test_nor_through_a_link(machine: Machine) -> None:
    (machine.root / "link").symlink_to(machine.root / "data")
    machine.environment["PIP_FIND_LINKS"] = f"{machine.root}/link"
    assert seen(machine.sources()) == []


def test_a_folder_within_the_home_may_be_named(machine: Machine) -> None:
    own = machine.root / "home" / "own"
    own.mkdir()
    machine.environment["PIP_FIND_LINKS"] = str(own)
    assert seen(machine.sources()) == [str(own)]


def test_a_change_is_seen_by_the_next_job(machine: Machine) -> None:
    sources = machine.sources()
    assert "index-url" not in machine.pip(sources)
    path = machine.write("home/.config/pip/pip.conf", "[global]\nindex-url = https://one/simple\n")
    assert machine.pip(sources)["index-url"] == "https://one/simple"
    path.unlink()
    assert "index-url" not in machine.pip(sources)


def test_a_file_that_is_none_of_pips_keeps_no_job_from_running(machine: Machine) -> None:
    machine.write("home/.config/pip/pip.conf", "no section\n\x00")
    machine.write("home/.config/uv/uv.toml", "[[[\n")
    found = machine.sources().found(private_files=True)
    assert found.environment["PIP_CONFIG_FILE"] == "/etc/cloche/pip.conf"


def test_uvs_files_are_joined(machine: Machine) -> None:
    root = machine.root
    machine.write("xdg/uv/uv.toml", 'extra-index-url = ["https://shared/simple"]\ncache-dir = "/srv"\noffline = true\n')
    machine.write(
        "home/.config/uv/uv.toml",
        f'extra-index-url = ["https://mine/simple"]\n[[index]]\nname = "m"\nurl = "file://{root}/mirror/simple"\n'
        "default = true\n[pip]\nno-index = false\n",
    )
    machine.environment["UV_INDEX"] = f"w=file://{root}/wheels"
    sources = machine.sources()
    assert machine.uv(sources) == {
        "extra-index-url": ["https://mine/simple", "https://shared/simple"],
        "offline": True,
        "no-index": False,
        "index": [{"name": "m", "url": f"file://{root}/mirror/simple", "default": True}],
    }
    assert seen(sources) == [str(root / name) for name in ("mirror/simple", "mirror/packages", "wheels")]
    assert sources.found(private_files=True).environment["UV_INDEX"] == f"w=file://{root}/wheels"


def test_without_private_files_the_made_file_is_named_where_it_lies(machine: Machine) -> None:
    found = machine.sources().found(private_files=False)
    made = machine.root / "data/run/packages"
    assert found.environment == {"PIP_CONFIG_FILE": str(made / "pip.conf"), "UV_CONFIG_FILE": str(made / "uv.toml")}
    assert found.mounts[0] == Mount(made / "pip.conf", "/etc/cloche/pip.conf")
    assert (made / "pip.conf").stat().st_mode & 0o777 == 0o600, "an address may carry a password"
