from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.sandbox.guests.conftest import Machines, run


def test_files_are_where_the_commands_are(machines: Machines) -> None:
    client = machines.connect(machines.start())
    home = run(client, "pwd").out.strip()
    with client.open_sftp() as sftp:
        assert sftp.normalize(".") == home
        sftp.mkdir("scripts")
        with sftp.open("scripts/hello.sh", "w") as file:
            file.write("#!/bin/sh\necho hello $1\n")
        sftp.chmod("scripts/hello.sh", 0o755)
        assert run(client, "scripts/hello.sh Jane").out == "hello Jane\n"
        assert run(client, f"{sftp.normalize('scripts/hello.sh')} Joe").out == "hello Joe\n"
        run(client, "mv scripts/hello.sh ./bye")
        assert sorted(sftp.listdir()) == ["bye", "scripts"]
        sftp.remove(f"{home}/bye")
        assert run(client, "ls").out == "scripts\n"


@pytest.mark.parametrize(
    "way_out", ["{outside}", "../../../../../../../..{outside}", "{home}/../../..{outside}", "//{outside}"]
)
def test_nothing_else_of_the_machine_is_seen(machines: Machines, tmp_path: Path, way_out: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    client = machines.connect(machines.start())
    home = run(client, "pwd").out.strip()
    path = way_out.format(outside=outside, home=home)
    with client.open_sftp() as sftp:
        with pytest.raises(FileNotFoundError):
            sftp.open(path)
        with pytest.raises(FileNotFoundError):
            sftp.remove(path)
        assert sftp.normalize(path).startswith(home)
    assert outside.read_text() == "secret"


def test_the_root_is_the_folder(machines: Machines) -> None:
    client = machines.connect(machines.start())
    run(client, "echo x > top; mkdir etc; echo here > etc/hostname")
    with client.open_sftp() as sftp:
        assert sorted(sftp.listdir("/")) == ["etc", "top"]
        assert sftp.open("/etc/hostname").read() == b"here\n"
        sftp.symlink("/etc/hostname", "link")
        assert sftp.open("link").read() == b"here\n"


def test_neighbour_whose_name_begins_alike(machines: Machines) -> None:
    """The folders of the machines 1 and 10 lie side by side."""
    vm_ids = [machines.start() for _ in range(11)]
    machines.run(vm_ids[10], "echo secret > file")
    client = machines.connect(vm_ids[1])
    with client.open_sftp() as sftp, pytest.raises(FileNotFoundError):
        sftp.open("../10/file")


def test_folder_is_private_and_gone_in_the_end(machines: Machines) -> None:
    home = Path(machines.run(machines.start(), "mkdir a; touch a/b; chmod 500 a; pwd").out.strip())
    assert stat.S_IMODE(home.parents[2].stat().st_mode) == 0o700
    machines.sandbox.stop()
    assert not home.parents[2].exists()
