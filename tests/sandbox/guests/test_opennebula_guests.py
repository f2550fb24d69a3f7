"""Machines that answer in an OpenNebula of today: a volume appears as a file when it is attached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox import Sandbox
from tests.sandbox.guests.conftest import Machines, password_of

if TYPE_CHECKING:
    from tests.sandbox.guests.conftest import Key


@dataclass
class Guests(Machines):
    """The VMs of an OpenNebula."""

    def call(self, method: str, *arguments: object) -> object:
        session = f"demo:{password_of(self.sandbox, 'demo')}"
        ok, value, *_ = self.sandbox.opennebula("sandbox").oned.call(method, [session, *arguments])
        assert ok, value
        return value


def test_a_volume_is_a_file_while_it_is_attached(key: Key) -> None:
    with Sandbox(cloud="opennebula-6.10", boot_seconds=0, ssh=True) as sandbox:
        guests = Guests(sandbox, key)
        with guests.connections:
            vm_id = guests.start(f'SSH_PUBLIC_KEY = "{key.public}", NETWORK = "YES"')
            assert re.fullmatch(r"127\.\d+\.\d+\.\d+", guests.address(vm_id))
            volume = guests.call(
                "one.image.allocate", 'NAME="data" TYPE=DATABLOCK SIZE=1024 PERSISTENT=YES', 1
            )
            guests.call("one.vm.attach", vm_id, f"DISK = [ IMAGE_ID = {volume} ]")
            assert guests.run(vm_id, "ls dev").out == "sda\n"
            write = "printf 12345 | dd of=dev/sda conv=notrunc status=none"
            assert guests.run(vm_id, write).status == 0
            guests.call("one.vm.detach", vm_id, 1)
            assert guests.run(vm_id, "ls dev").out == ""
            other = guests.start(f'SSH_PUBLIC_KEY = "{key.public}"')
            guests.call("one.vm.attach", other, f"DISK = [ IMAGE_ID = {volume} ]")
            assert guests.run(other, "head -c 5 dev/*").out == "12345"
