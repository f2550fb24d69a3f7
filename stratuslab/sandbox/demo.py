"""The demonstration: the life of a virtual machine and of a volume, told call by call."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from stratuslab.sandbox.demo_client import DemoClient
from stratuslab.sandbox.opennebula.model.virtual_machine import LcmState, VmState

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

_WIDTH = 96
_LOOK_SECONDS = 0.05
_IDENTIFIER = "{http://purl.org/dc/terms/}identifier"
_TITLE = "{http://purl.org/dc/terms/}title"
_SYSTEM = "{http://mp.stratuslab.eu/slterms#}os"
_SIZES = """\
t1.micro    1 CPU    512 MiB
m1.small    1 CPU   1536 MiB
m1.large    2 CPUs  6144 MiB
"""
_TEMPLATE = """\
NAME   = "demo"
CPU    = 1
VCPU   = 1
MEMORY = 1536
DISK   = [ SOURCE = "{image}", TARGET = "hda" ]
NIC    = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]
"""
_END = """\
stratuslab-sandbox serve               a cloud of your own, until Ctrl-C
stratuslab-sandbox exec -- COMMAND     a cloud for the time of one command
stratuslab-sandbox --help              the rest
"""


def tell(url: str, config_file: Path) -> None:
    """Walk through a lifecycle on the sandbox at that URL with that configuration, and print every step."""
    _say(
        f"A StratusLab cloud has started on this machine. Open {url}/ in a browser to watch it while it is"
        f" there; it goes with the end of this demonstration. Clients find it by {config_file}. Below, > is a"
        " request and < the answer; the user's name and password go along by HTTP Basic."
    )
    client = DemoClient(config_file)
    image = _choose(client)
    vm_id, host = _start(client, image)
    volume = _make_volume(client)
    _attach_and_detach(client, volume, vm_id, host)
    _clean_up(client, volume, vm_id)
    _head("What next?")
    _quote(_END)


def _choose(client: DemoClient) -> str:
    _head("1. What is there to choose from?")
    _say(
        "Sizes: how many CPUs and how much memory a machine gets. The cloud keeps no list of them; every"
        " client has its own and sends the numbers. Some usual ones:"
    )
    _quote(_SIZES)
    _say("Images: what is on the disk of a new machine. They are in the Marketplace, which anybody may read.")
    entries = client.metadata()
    titles = {
        entry.findtext(_IDENTIFIER, ""): entry.findtext(_TITLE) or entry.findtext(_SYSTEM) or "(no title)"
        for entry in entries
    }
    _quote("\n".join(f"{identifier}  {title}" for identifier, title in titles.items()))
    identifier, title = next(iter(titles.items()))
    _say(f"We take the first one, {title}.")
    return f"{client.marketplace}/metadata/{identifier}"


def _start(client: DemoClient, image: str) -> tuple[int, str]:
    _head("2. Start a machine")
    _say("A machine is asked for with a template. This one asks for the size m1.small and a public address:")
    template = _TEMPLATE.format(image=image)
    _quote(template)
    _say("It is the argument of an XML-RPC call; the answer is the machine's number:")
    vm_id = int(client.call("one.vm.allocate", template))
    _say("It does not run yet. First it waits for a host, then its disk is copied, then it boots. We look:")
    client.call("one.vm.info", vm_id)
    vm = _watch(client, vm_id, "RUNNING")
    address, host = vm.findtext("TEMPLATE/NIC/IP", ""), vm.findtext("HISTORY_RECORDS/HISTORY/HOSTNAME", "")
    _say(f"Its address is {address}, which it had from the beginning; it runs on {host}.")
    return vm_id, host


def _make_volume(client: DemoClient) -> str:
    _head("3. Make a volume")
    _say("Volumes outlast machines. They are PDisk's, which speaks HTTP with forms and JSON. 5 GiB, please:")
    uuid = str(client.pdisk("POST", "/disks/", {"size": 5, "tag": "demo data"})["uuid"])
    _say("The list has one more: the machine's own disk, a copy of the image, which goes with the machine.")
    client.pdisk("GET", "/disks/")
    return uuid


def _attach_and_detach(client: DemoClient, volume: str, vm_id: int, host: str) -> None:
    _head("4. Plug it in, and out again")
    _say("PDisk must be told on which host the machine runs; the cloud chooses the device:")
    mounts = f"/disks/{volume}/mounts/"
    device = client.pdisk("POST", mounts, {"node": host, "vm_id": vm_id})["target"]
    _say(f"In the machine it is /dev/{device} now. A volume in use cannot be deleted, so we detach it:")
    client.pdisk("DELETE", f"{mounts}{volume}_{vm_id}")


def _clean_up(client: DemoClient, volume: str, vm_id: int) -> None:
    _head("5. Leave nothing behind")
    _say("A machine ends at once with the action finalize, whatever its state:")
    client.call("one.vm.action", "finalize", vm_id)
    _watch(client, vm_id, "DONE")
    client.pdisk("DELETE", f"/disks/{volume}")
    _say("My machines (-3), any id (-1, -1), any state but DONE (-1), and my volumes:")
    client.call("one.vmpool.info", -3, -1, -1, -1)
    client.pdisk("GET", "/disks/")


def _watch(client: DemoClient, vm_id: int, last_state: str) -> Element:
    """Print every state that the machine comes to until the last one; return its last document."""
    begin = time.monotonic()
    seen = ""
    while True:
        vm = ElementTree.fromstring(str(client.ask("one.vm.info", vm_id)))  # noqa: S314 - the sandbox's own
        state = _state(vm)
        if state != seen:
            print(f"    after {time.monotonic() - begin:.1f} s: {state}")
            seen = state
        if state == last_state:
            return vm
        time.sleep(_LOOK_SECONDS)


def _state(vm: Element) -> str:
    state = VmState(int(vm.findtext("STATE", "")))
    return LcmState(int(vm.findtext("LCM_STATE", ""))).name if state is VmState.ACTIVE else state.name


def _head(text: str) -> None:
    print(f"\n\n{text}")


def _say(text: str) -> None:
    print("\n" + textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _quote(text: str) -> None:
    print("\n" + textwrap.indent(text.rstrip("\n"), "    "))
