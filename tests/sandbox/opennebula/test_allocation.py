"""What OpenNebula from 5.12 on makes of a VM's template, and what it refuses, as a real one answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

import pytest

from stratuslab.sandbox import Sandbox
from stratuslab.sandbox.opennebula.model.permissions import USED_BY_ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIZES = "CPU = 1\nMEMORY = 64\n"
_DISK = "DISK = [ IMAGE_ID = 0 ]\n"
_PREFIX = "Error allocating a new virtual machine template. "
_FORBIDDEN, _INTERNAL, _ALLOCATE = 512, 8192, 16384


class Client:
    """Calls of a user; VMs are held, so that nothing happens to them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._proxy = ServerProxy(sandbox.endpoints["here"]["endpoint"])

    def call(self, method: str, *arguments: object, session: str = "demo:demo-pass") -> list[Any]:
        answer: Any = getattr(self._proxy, method)(session, *arguments)
        return list(answer)

    def allocate(self, text: str) -> list[Any]:
        return self.call("one.vm.allocate", text, True)

    def instantiate(self, template_id: int, extra: str = "", name: str = "vm") -> list[Any]:
        return self.call("one.template.instantiate", template_id, name, True, extra, False)

    def template(self, text: str) -> int:
        """Make a VM template as an administrator, which everybody may use."""
        made, template_id, *_ = self.call(
            "one.template.allocate", f"NAME = own\n{_SIZES}{text}", session="oneadmin:"
        )
        assert made, template_id
        oned = self.sandbox.opennebula("here").oned
        with oned.lock:
            oned.books.templates[template_id].permissions = USED_BY_ALL
        return int(template_id)

    def document(self, answer: list[Any]) -> str:
        assert answer[0], answer
        made, document, *_ = self.call("one.vm.info", answer[1])
        assert made, document
        return str(document)


@pytest.fixture(params=["opennebula-5.12", "opennebula-6.10", "opennebula-7.4"])
def one(request: pytest.FixtureRequest) -> Iterator[Client]:
    with Sandbox(locations=["here"], cloud=request.param, users={"demo": "demo-pass"}) as sandbox:
        yield Client(sandbox)


RESTRICTED = [
    ("DISK = [ IMAGE_ID = 0, READ_IOPS_SEC = 100 ]", "DISK", "READ_IOPS_SEC"),
    (_DISK + "NIC = [ NETWORK_ID = 0, INBOUND_AVG_BW = 100 ]", "NIC", "INBOUND_AVG_BW"),
    (_DISK + "CONTEXT = [ FILES = 100 ]", "CONTEXT", "FILES"),
    (_DISK + "EMULATOR = 100", "EMULATOR", "EMULATOR"),
    (_DISK + "CPU_COST = 100", "CPU_COST", "CPU_COST"),
    (_DISK + "USER_PRIORITY = 100", "USER_PRIORITY", "USER_PRIORITY"),
    (_DISK + "TOPOLOGY = [ PIN_POLICY = 100 ]", "TOPOLOGY", "PIN_POLICY"),
    (_DISK + "USER_INPUTS = [ CPU = 100 ]", "USER_INPUTS", "CPU"),
]


@pytest.mark.parametrize(("text", "_attribute", "part"), RESTRICTED)
def test_users_cannot_give_a_vm_what_is_for_administrators(
    one: Client, text: str, _attribute: str, part: str
) -> None:
    refused = one.allocate(f"{_SIZES}{text}\n")

    assert refused[0] is False
    assert refused[2] == _FORBIDDEN
    assert refused[1].endswith(f"VM Template includes a restricted attribute {part}.")


@pytest.mark.parametrize(("text", "attribute", "_part"), RESTRICTED)
def test_a_vm_template_gives_what_is_for_administrators_and_nobody_changes_it(
    one: Client, text: str, attribute: str, _part: str
) -> None:
    with_it, without = one.template(f"{text}\n"), one.call("one.template.allocate", f"NAME = b\n{_DISK}")[1]

    assert one.instantiate(with_it)[0]
    assert one.instantiate(with_it, f"{text}\n")[0], "the same value is no change"
    for refused in (
        one.instantiate(with_it, text.replace("100", "101")),
        one.instantiate(without, f"{_SIZES}{text}\n"),
    ):
        assert refused[0] is False
        assert refused[2] == _FORBIDDEN
        assert refused[1].endswith(f"User Template includes a restricted attribute {attribute}.")


def test_a_nic_without_the_limit_that_the_vm_template_sets_is_refused(one: Client) -> None:
    limited = one.template(_DISK + "NIC = [ NETWORK_ID = 0, INBOUND_AVG_BW = 100 ]\n")

    refused = one.instantiate(limited, "NIC = [ NETWORK_ID = 1 ]\n")

    assert refused[1].endswith("User Template includes a restricted attribute NIC.")
    assert one.instantiate(limited, "NIC = [ NETWORK_ID = 1, INBOUND_AVG_BW = 100 ]\n")[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("VCPU = 0", "VCPU attribute must be a positive integer value."),
        ("VCPU = two", "VCPU attribute must be a positive integer value."),
        ("MEMORY = 0", "MEMORY attribute must be a positive integer value."),
        ("CPU = 0", "CPU attribute must be a positive float or integer value."),
        ("NIC = [ NETWORK_ID = 77 ]", "Virtual network with ID: 77 does not exist"),
        ("NIC = [ NETWORK_ID = 0, IP = 1.2.3.4 ]", "Cannot get IP/MAC lease from virtual network 0."),
        ("DISK = [ IMAGE_ID = 77 ]", "DISK 0: Image with ID: 77 does not exist"),
        ("DISK = [ TYPE = fs ]", "DISK 0: SIZE attribute must be a positive integer value."),
        ("DISK = [ TYPE = swap, SIZE = 0 ]", "DISK 0: SIZE attribute must be a positive integer value."),
        ("GRAPHICS = [ TYPE = vnc, PORT = -1 ]", "Wrong PORT number in GRAPHICS attribute"),
        ("GRAPHICS = [ TYPE = vnc, PORT = 65536 ]", "Wrong PORT number in GRAPHICS attribute"),
        (
            "OS = [ BOOT = hd ]",
            'Wrong OS/BOOT value: "hd" should be a comma-separated list of disk# or nic#',
        ),
        ("OS = [ BOOT = nic9 ]", "Wrong OS/BOOT value. Device with NIC_ID 9 not found"),
        ("NIC_ALIAS = [ NETWORK_ID = 0, PARENT = NIC9 ]", "NIC named NIC9 not found for alias"),
        ("VMGROUP = [ VMGROUP_ID = 5, ROLE = x ]", "Cannot find VM Group to associate the VM"),
    ],
)
def test_a_wrong_template_is_refused_alike_when_it_is_sent_and_when_it_is_instantiated(
    one: Client, text: str, problem: str
) -> None:
    name = text.split()[0]
    sizes = "".join(line for line in _SIZES.splitlines(keepends=True) if not line.startswith(f"{name} "))
    own = one.template(_DISK)

    assert one.allocate(f"{sizes}{text}\n")[1:3] == [f"[one.vm.allocate] {problem}", _INTERNAL]
    assert one.instantiate(own, f"{text}\n")[1:3] == [
        f"[one.template.instantiate] {_PREFIX}{problem}",
        _ALLOCATE,
    ]


@pytest.mark.parametrize("name", ["a/b", "x" * 129])
def test_a_name_that_no_vm_may_have_fails_as_an_allocation(one: Client, name: str) -> None:
    refused = one.instantiate(one.template(_DISK), name=name)

    assert refused[1].startswith(f"[one.template.instantiate] {_PREFIX}Invalid NAME, ")
    assert refused[2] == _ALLOCATE


@pytest.mark.parametrize("attribute", ["NIC", "DISK", "CONTEXT"])
def test_an_empty_vector_takes_away_what_the_vm_template_has(one: Client, attribute: str) -> None:
    own = one.template(f"{_DISK}NIC = [ NETWORK_ID = 0 ]\nCONTEXT = [ NETWORK = YES ]\n")

    document = one.document(one.instantiate(own, f"{attribute} = []\n"))

    present = {name for name in ("NIC", "DISK", "CONTEXT") if re.search(f"<{name}>", document)}
    assert present == {"NIC", "DISK", "CONTEXT"} - {attribute}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$NAME-$VMID $UID $GID $UNAME $GNAME", "vm-{id} 2 1 demo users"),
        ("$FLAVOUR $flavour $USER[MINE] $DISK[IMAGE]", "big big mine debian-12"),
        ('$NIC[IP, NETWORK_ID="0"]x$NOTHING[HERE]$1', "198.18.0.10x"),
    ],
)
def test_a_context_names_what_is_known_of_the_vm_and_its_owner(one: Client, text: str, value: str) -> None:
    assert one.call("one.user.update", 2, "MINE = mine", 1)[0]
    escaped = text.replace('"', '\\"')
    vm = f'NAME = vm\nFLAVOUR = big\n{_SIZES}{_DISK}NIC = [ NETWORK_ID = 0 ]\nCONTEXT = [ A = "{escaped}" ]\n'

    answer = one.allocate(vm)

    assert f"<A><![CDATA[{value.format(id=answer[1])}]]></A>" in one.document(answer)


@pytest.mark.parametrize(
    ("text", "column"), [("cost 5$", 10), ("$$x", 4), ("ü$(ls)", 6), ("a$NAME ${X}", 11)]
)
def test_a_dollar_sign_in_a_context_begins_a_variable(one: Client, text: str, column: int) -> None:
    vm = f'{_SIZES}{_DISK}CONTEXT = [ B = "b", A = "{text}" ]\n'

    refused = one.allocate(vm)

    assert refused[1:3] == [
        f"[one.vm.allocate] Error parsing: A={text}@^_^@B=b@^_^@DISK_ID=1@^_^@TARGET=hda. syntax error, "
        "unexpected EOA, expecting $end or VARIABLE or RSTRING "
        f"at line 1, columns {column}:{column + 1}",
        _INTERNAL,
    ]
    assert one.call("one.vm.info", 0)[2] == 1024, "nothing of it is left"


@pytest.mark.parametrize(
    ("method", "arguments", "code", "problem"),
    [
        (
            "template.allocate",
            ["NAME = x\nEMULATOR = e"],
            512,
            "VM Template includes a restricted attribute EMULATOR.",
        ),
        ("template.allocate", ["CPU = 1"], 8192, "Invalid NAME, it cannot be empty"),
        ("template.allocate", ["NAME = own"], 8192, "NAME is already taken by TEMPLATE 2."),
        (
            "template.update",
            [2, "EMULATOR = e", 1],
            8192,
            "User Template includes a restricted attribute EMULATOR",
        ),
        ("vm.update", [0, "CPU_COST = 1", 1], 8192, "User Template includes a restricted attribute CPU_COST"),
        ("vm.update", [0, "X = 1", 2], 4096, "Wrong update type"),
        (
            "vm.updateconf",
            [0, "CONTEXT = [ FILES = x ]"],
            512,
            "Template includes a restricted attribute CONTEXT.",
        ),
        ("vm.resize", [0, "EMULATOR = e", True], 512, "Template includes a restricted attribute EMULATOR."),
        ("vm.resize", [0, "CPU = -1", True], 8192, "CPU must be a positive float or integer value."),
        ("vm.attachnic", [1, "NIC = [ MAC = x ]"], 512, "NIC includes a restricted attribute MAC."),
        ("vm.attachnic", [1, "X = 1"], 2048, "Wrong format or missing NIC/NIC_ALIAS"),
        (
            "vm.attach",
            [1, "DISK = [ TYPE = fs, SIZE = 1, READ_IOPS_SEC = 1 ]"],
            512,
            "DISK includes a restricted attri",
        ),
    ],
)
def test_changes_that_are_for_administrators_or_for_nobody(
    one: Client, method: str, arguments: list[object], code: int, problem: str
) -> None:
    assert one.call("one.template.allocate", f"NAME = own\n{_SIZES}{_DISK}")[1] == 2
    vm = f"{_SIZES}{_DISK}CONTEXT = [ A = 1 ]\n"
    assert one.allocate(vm)[1] == 0
    assert one.call("one.vm.allocate", vm)[1] == 1
    one.sandbox.clock.step(100)

    refused = one.call(f"one.{method}", *arguments)

    assert problem in refused[1]
    assert refused[2] == code


def test_an_update_of_a_vm_adds_all_values_of_a_name(one: Client) -> None:
    answer = one.allocate(f"{_SIZES}{_DISK}X = old\n")

    assert one.call("one.vm.update", answer[1], "X = 1\nX = 2", 1)[0]

    assert "<X><![CDATA[1]]></X><X><![CDATA[2]]></X>" in one.document(answer)


def test_the_short_list_has_no_aliases_of_network_cards(one: Client) -> None:
    nic = "NIC = [ NETWORK_ID = 0 ]\nNIC_ALIAS = [ NETWORK_ID = 1, PARENT = NIC0 ]\n"
    answer = one.allocate(f"{_SIZES}{_DISK}{nic}")

    short = one.call("one.vmpool.info", -3, -1, -1, -1)[1]
    long = one.call("one.vmpool.infoextended", -3, -1, -1, -1)[1]

    assert "<NIC_ALIAS>" not in short
    assert "<NIC_ALIAS>" in long
    assert "<NIC_ALIAS>" in one.document(answer)
    assert one.call("one.vmpool.info", -3, -1, -1, 99)[1:3] == [
        "[one.vmpool.info] Incorrect filter_flag, state",
        4096,
    ]


@pytest.mark.parametrize(
    ("method", "arguments", "code", "problem"),
    [
        ("user.info", [99], 1024, "Error getting user [99]."),
        ("user.info", [0], 512, "Not authorized to perform USE USER [0]."),
        ("user.login", ["nobody", "", 10, -1], 1024, "Error getting user Pool."),
        (
            "user.update",
            [2, "VM_USE_OPERATIONS = x", 1],
            8192,
            "Cannot update template. User Template includes a restricted attribute VM_USE_OPERATIONS",
        ),
    ],
)
def test_what_users_are_refused_about_users(
    one: Client, method: str, arguments: list[object], code: int, problem: str
) -> None:
    refused = one.call(f"one.{method}", *arguments)

    assert refused[1].endswith(problem)
    assert refused[2] == code


@pytest.mark.parametrize(
    ("method", "arguments", "code", "problem"),
    [
        ("vm.diskresize", [0, 0, "large"], 2048, "Disk SIZE is not a valid integer"),
        ("vm.diskresize", [0, 0, "-5"], 2048, "New disk size has to be greater than current one"),
        ("vm.disksaveas", [0, 0, "x", "FOO", -1], 16384, "Error allocating a new image. Unknown type "),
        ("vm.disksaveas", [0, 0, "x", "", 7], 8192, "Cannot use DISK. Snapshot does not exist."),
        ("vm.snapshotrevert", [0, 9], 2048, "Could not revert VM 0 to snapshot 9, it does not exist."),
        ("vm.snapshotdelete", [0, 9], 2048, "Could not delete snapshot 9 for VM 0, it does not exist."),
    ],
)
def test_what_is_refused_about_disks_and_snapshots(
    one: Client, method: str, arguments: list[object], code: int, problem: str
) -> None:
    assert one.call("one.vm.allocate", f"{_SIZES}{_DISK}")[1] == 0
    one.sandbox.clock.step(100)

    refused = one.call(f"one.{method}", *arguments)

    assert refused[1:3] == [f"[one.{method}] {problem}", code]
