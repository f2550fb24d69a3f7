"""What OpenNebula from 5.12 on refuses of images, and what locks forbid, as a real one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

import pytest

from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_VM = "CPU = 1\nMEMORY = 64\n"
_ACTION, _FORBIDDEN, _INTERNAL, _ALLOCATE = 2048, 512, 8192, 16384


@pytest.fixture(params=["opennebula-5.12", "opennebula-6.10", "opennebula-7.4"])
def call(request: pytest.FixtureRequest) -> Iterator[Callable[..., list[Any]]]:
    users = {"demo": "demo-pass", "guest": "guest-pass"}
    with Sandbox(locations=["here"], cloud=request.param, users=users, boot_seconds=0) as sandbox:
        proxy = ServerProxy(sandbox.endpoints["here"]["endpoint"])

        def asked(method: str, *arguments: object, session: str = "demo:demo-pass") -> list[Any]:
            answer: Any = getattr(proxy, method)(session, *arguments)
            return list(answer)

        yield asked


@pytest.fixture
def volume(call: Callable[..., list[Any]]) -> int:
    return int(call("one.image.allocate", "NAME = data\nTYPE = DATABLOCK\nSIZE = 10\nPERSISTENT = YES", 1)[1])


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ("TYPE = FOO", _ALLOCATE, "Error allocating a new image. Unknown type "),
        (
            "TYPE = KERNEL",
            _ALLOCATE,
            "Error allocating a new image. IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered "
            "in an IMAGE_DS datastore",
        ),
        ("SIZE = -1", _FORBIDDEN, "User [2] : user [2] Image size must be a positive integer value."),
        ("SOURCE = x", _FORBIDDEN, "User [2] : Template includes a restricted attribute SOURCE."),
    ],
)
def test_images_that_cannot_be(call: Callable[..., list[Any]], text: str, code: int, problem: str) -> None:
    lines = [
        line for line in ("NAME = x", "TYPE = DATABLOCK", "SIZE = 10") if line.split()[0] != text.split()[0]
    ]

    refused = call("one.image.allocate", "\n".join([*lines, text]), 1)

    assert refused[1:3] == [f"[one.image.allocate] {problem}", code]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("X = [", "Parse error: "), ("SOURCE = x", "User Template includes a restricted attribute SOURCE")],
)
def test_updates_that_cannot_be(call: Callable[..., list[Any]], volume: int, text: str, problem: str) -> None:
    refused = call("one.image.update", volume, text, 1)

    assert refused[1].startswith(f"[one.image.update] Cannot update template. {problem}")
    assert refused[2] == _INTERNAL


def test_no_copy_goes_into_a_system_datastore(call: Callable[..., list[Any]]) -> None:
    refused = call("one.image.clone", 0, "copy", 0)

    assert refused[1:3] == ["[one.image.clone] Clone only supported for IMAGE_DS Datastores", _ACTION]


def test_a_disabled_image_is_not_used(call: Callable[..., list[Any]], volume: int) -> None:
    assert call("one.image.enable", volume, False)[0]

    refused = call("one.vm.allocate", f"{_VM}DISK = [ IMAGE_ID = {volume} ]\n")

    assert refused[1:3] == [
        f"[one.vm.allocate] DISK 0: Cannot acquire image {volume}, it is in state: DISABLED",
        _INTERNAL,
    ]


@pytest.mark.parametrize(("level", "use", "change"), [(1, False, False), (2, True, False), (3, True, True)])
def test_what_the_lock_of_an_image_forbids_its_owner(
    call: Callable[..., list[Any]], volume: int, level: int, use: bool, change: bool
) -> None:
    assert call("one.image.lock", volume, level)[0]

    assert call("one.image.info", volume)[0]
    assert call("one.image.clone", volume, "copy", -1)[0] is use
    assert call("one.image.rename", volume, "other")[0] is change
    used = call("one.vm.allocate", f"{_VM}DISK = [ IMAGE_ID = {volume} ]\n")
    assert used[0] is use
    if not use:
        assert used[1].endswith(f"Not authorized to perform USE IMAGE [{volume}].")
    assert call("one.image.lock", volume, 1)[0], "the owner may change the lock"
    refused = call("one.image.unlock", volume, session="guest:guest-pass")
    assert refused[1].endswith(f"Not authorized to perform MANAGE IMAGE [{volume}].")
    assert call("one.image.unlock", volume)[0]


@pytest.mark.parametrize(("level", "allowed"), [(1, False), (2, False), (3, True), (4, False)])
def test_what_the_lock_of_a_vm_forbids_its_owner(
    call: Callable[..., list[Any]], level: int, allowed: bool
) -> None:
    vm_id = call("one.vm.allocate", f"{_VM}DISK = [ IMAGE_ID = 0 ]\n", True)[1]
    assert call("one.vm.lock", vm_id, level)[0]

    assert call("one.vm.info", vm_id)[0]
    assert call("one.vm.update", vm_id, "X = 1", 1)[0] is allowed
    assert call("one.vm.action", "terminate-hard", vm_id)[0] is allowed
    assert call("one.vm.unlock", vm_id)[0]
    assert call("one.vm.unlock", vm_id)[1:3] == [
        "[one.vm.unlock] Cannot unlock: Lock is owned by another user",
        _ACTION,
    ]
