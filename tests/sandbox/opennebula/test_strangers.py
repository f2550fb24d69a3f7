"""Clients that others wrote, or would write: `pyone`, and one in the manner of DIRAC's."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xmlrpc.client import ServerProxy

import pytest

from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = "demo:demo-pass"


@pytest.fixture(params=["opennebula-5.12", "opennebula-6.10", "opennebula-7.4"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    with Sandbox(cloud=request.param, users={"demo": "demo-pass"}, boot_seconds=0) as sandbox:
        yield sandbox.endpoints["sandbox"]["endpoint"]


def test_the_manner_of_dirac(endpoint: str) -> None:
    """A VM template by its name is the flavour, an image is found by its name, states are polled."""
    one: Any = ServerProxy(endpoint, context=ssl.create_default_context()).one

    def ask(answer: list[Any]) -> ElementTree.Element:
        assert answer[0], answer
        return ElementTree.fromstring(answer[1])

    images = {image.findtext("NAME"): image for image in ask(one.imagepool.info(SESSION, -2, -1, -1))}
    networks = [network.findtext("NAME") for network in ask(one.vnpool.info(SESSION, -2, -1, -1))]
    templates = ask(one.templatepool.info(SESSION, -2, -1, -1))
    flavours = {item.findtext("NAME"): int(item.findtext("ID", "")) for item in templates}
    assert {"debian-12", "ubuntu-24.04"} <= images.keys()
    assert sorted(filter(None, networks)) == ["local", "private", "public"]
    disk = f"DISK = [ IMAGE_ID = {images['debian-12'].findtext('ID')} ]"
    made = [
        one.template.instantiate(SESSION, flavours["small"], "by-template", False, disk)[1],
        one.vm.allocate(SESSION, f"NAME = by-text\nCPU = 1\nMEMORY = 512\n{disk}", False)[1],
    ]
    pool = ask(one.vmpool.info(SESSION, -2, 0, -1, -1))
    assert {vm.findtext("NAME"): vm.findtext("LCM_STATE") for vm in pool} == {
        "by-template": "3",
        "by-text": "3",
    }
    assert ask(one.vm.info(SESSION, made[0])).findtext("TEMPLATE/NIC/IP", "").startswith("198.18.")
    for vm_id in made:
        assert one.vm.action(SESSION, "terminate-hard", vm_id)[0]
    assert len(ask(one.vmpool.info(SESSION, -2, 0, -1, -1))) == 0


def test_pyone(endpoint: str) -> None:
    """Its classes are made of OpenNebula's own schemas, which so judge the documents."""
    pyone = pytest.importorskip("pyone", reason="it is in the extra benchmarks")
    one = pyone.OneServer(endpoint, session=SESSION)
    vm_id = one.template.instantiate(0, "pyone", False, "", False)
    vm = one.vm.info(vm_id)
    assert (vm.NAME, vm.STATE, vm.LCM_STATE) == ("pyone", 3, 3)
    assert [item.ID for item in one.vmpool.info(-3, -1, -1, -1).VM] == [vm_id]
    assert [item.ID for item in one.vmpool.infoextended(-3, -1, -1, -1).VM] == [vm_id]
    volume = one.image.allocate({"NAME": "data", "TYPE": "DATABLOCK", "SIZE": 10, "PERSISTENT": "YES"}, 1)
    assert one.image.info(volume).STATE == 1
    one.vm.attach(vm_id, {"TEMPLATE": {"DISK": {"IMAGE_ID": volume}}})
    assert [image.NAME for image in one.imagepool.info(-3, -1, -1).IMAGE] == ["data"]
    assert one.image.info(volume).STATE == 8
    assert {network.NAME for network in one.vnpool.info(-2, -1, -1).VNET} == {"public", "local", "private"}
    assert {store.NAME for store in one.datastorepool.info().DATASTORE} == {"system", "default", "ssd"}
    assert {item.NAME for item in one.templatepool.info(-2, -1, -1).VMTEMPLATE} == {"small", "medium"}
    assert one.user.info(-1).NAME == "demo"
    with pytest.raises(pyone.OneNoExistsException):
        one.vm.info(4242)
    with pytest.raises(pyone.OneActionException):
        one.image.delete(volume)
    one.vm.action("terminate-hard", vm_id)
    assert one.vm.info(vm_id).STATE == 6
