"""Lists in which one entry is odd: the others are there, and a warning names what could not be read."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest

from stratuslab.client.errors import MalformedAnswerError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.libcloud.conftest import ScriptedServer


DISK = "95b75092-17d2-459f-9fa0-cd1deaa721f1"
NO_IDS = ["-5", "1_0", "\u0667", "../../x", "+7", "7.0", "", "99999999999", "0x7"]
MESSAGES = [b"\x1b[31mred\x1b[0m", b"a\x08\x08", b"\x00", b"]]>", b"\xff\xfe caf\xe9", b"&#27;", b"&amp;#27;"]


def at(url: str) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("alice", "secret", host=url, timeout=10)


def pool(*vms: bytes) -> bytes:
    return b"<VM_POOL>" + b"".join(vms) + b"</VM_POOL>"


def vm(vm_id: str, message: bytes = b"") -> bytes:
    error = b"<TEMPLATE><ERROR><MESSAGE><![CDATA[%s]]></MESSAGE></ERROR></TEMPLATE>" % message
    return (
        f"<VM><ID>{vm_id}</ID><NAME>n</NAME><STATE>3</STATE><LCM_STATE>3</LCM_STATE>".encode()
        + error
        + b"</VM>"
    )


def rpc(document: bytes) -> bytes:
    escaped = document.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return (
        b"<methodResponse><params><param><value><array><data><value><boolean>1</boolean></value>"
        b"<value><string>" + escaped + b"</string></value><value><i4>0</i4></value></data></array></value>"
        b"</param></params></methodResponse>"
    )


def test_a_vm_that_is_listed_twice_is_one(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    marked = vm("2").replace(b"<TEMPLATE>", b"<TEMPLATE><LIBCLOUD_TOKEN>job-1</LIBCLOUD_TOKEN>")
    driver = at(serve(answer(rpc(pool(vm("1"), marked, vm("1"), marked)))).url)

    assert [node.id for node in driver.list_nodes()] == ["1", "2"]
    found = driver.ex_find_node("job-1")
    assert found is not None
    assert found.id == "2"


def test_a_disk_that_is_listed_twice_is_one(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    disk = {"uuid": DISK, "tag": "x", "size": "1", "count": "0", "identifier": "job-1"}
    driver = at(serve(answer(json.dumps([disk, disk]).encode(), media_type="application/json")).url)

    assert [volume.id for volume in driver.list_volumes()] == [DISK]
    assert driver.create_volume(1, "x", ex_token="job-1").id == DISK


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_an_odd_message_of_one_vm_hides_none(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    message: bytes,
) -> None:
    driver = at(serve(answer(rpc(pool(vm("1"), vm("2", message), vm("3"))))).url)

    assert [node.id for node in driver.list_nodes()] == ["1", "2", "3"]
    odd = driver.list_nodes()[1]
    assert odd.extra["error"] is None or "\x1b" not in odd.extra["error"]
    assert driver.ex_find_node("no such token") is None


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_an_odd_message_of_a_vm_does_not_hide_itself(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    message: bytes,
) -> None:
    node = at(serve(answer(rpc(vm("2", message)))).url).ex_get_node_details("2")

    assert node is not None
    assert node.id == "2"


@pytest.mark.parametrize("wrong", NO_IDS, ids=repr)
def test_what_is_no_id_of_a_vm_is_left_out_with_a_warning(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
    wrong: str,
) -> None:
    driver = at(serve(answer(rpc(pool(vm("1"), vm(wrong), vm("3"))))).url)
    with caplog.at_level(logging.WARNING):
        assert [node.id for node in driver.list_nodes()] == ["1", "3"]
    assert "one.vmpool.info: left out" in caplog.text


@pytest.mark.parametrize("wrong", NO_IDS, ids=repr)
def test_a_list_of_which_nothing_can_be_read_is_malformed(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    wrong: str,
) -> None:
    with pytest.raises(MalformedAnswerError, match="has no numeric <ID>"):
        at(serve(answer(rpc(pool(vm(wrong))))).url).list_nodes()


def test_a_vm_that_cannot_be_read_is_left_out_and_named(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = b"<VM><ID>4711</ID><NAME>a < b</NAME></VM>"
    driver = at(serve(answer(rpc(pool(vm("1"), broken, vm("3"))))).url)
    with caplog.at_level(logging.WARNING):
        assert [node.id for node in driver.list_nodes()] == ["1", "3"]
    assert "left out 4711: it is not well-formed XML" in caplog.text


@pytest.mark.parametrize(
    "odd",
    [
        {"uuid": "../../x", "size": "1"},
        {"uuid": DISK + "\n", "size": "1"},
        {"uuid": DISK, "size": "\u0661"},
        {"uuid": DISK, "size": "1_0"},
        {"uuid": DISK, "size": "-5"},
        {"size": "1", "tag": "nameless"},
        {},
    ],
)
def test_an_odd_disk_is_left_out_and_named(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
    odd: dict[str, str],
) -> None:
    fine = {"uuid": DISK.replace("9", "8"), "size": "1", "tag": "fine"}
    body = json.dumps([odd, fine]).encode()
    driver = at(serve(answer(body, media_type="application/json")).url)
    with caplog.at_level(logging.WARNING):
        assert [volume.name for volume in driver.list_volumes()] == ["fine"]
    assert (
        f"left out {odd.get('uuid', odd.get('tag', 'a disk without a name'))}".split("\n")[0] in caplog.text
    )


@pytest.mark.parametrize(
    "odd",
    [
        "null",
        "7",
        '"disk"',
        "[]",
        "[[{}]]",
        f'{{"uuid": "{DISK}", "size": {"9" * 5000}}}',
        f'{{"uuid": "{DISK}", "size": -{"9" * 5000}}}',
        f'{{"uuid": "{DISK}", "size": "1", "count": 1{"0" * 20}}}',
        f'{{"uuid": "{DISK}", "size": 1e999}}',
        f'{{"uuid": "{DISK}", "size": NaN}}',
    ],
    ids=lambda odd: odd[:60],
)
def test_an_entry_that_is_no_disk_hides_none(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
    odd: str,
) -> None:
    fine = json.dumps({"uuid": DISK.replace("9", "8"), "size": "1", "tag": "fine"})
    driver = at(serve(answer(f"[{odd}, {fine}]".encode(), media_type="application/json")).url)
    with caplog.at_level(logging.WARNING):
        assert [volume.name for volume in driver.list_volumes()] == ["fine"]
    assert "GET /disks/: left out" in caplog.text


@pytest.mark.parametrize("number", ["-5", "1_0", "\u0667", "+7", " 7", "7.0", True, 7.0, None])
def test_what_is_no_id_of_a_mounts_vm_is_refused(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    number: object,
) -> None:
    body = json.dumps([{"uuid": DISK, "vmId": number, "device": "vdz"}]).encode()
    driver = at(serve(answer(body, media_type="application/json")).url)
    with pytest.raises(MalformedAnswerError, match="vmId"):
        driver._at(None).disks.mounts(DISK)


ENTRY = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcterms="http://purl.org/dc/terms/">'
    "<rdf:Description><dcterms:identifier>{id}</dcterms:identifier><dcterms:title>{title}</dcterms:title>"
    "</rdf:Description></rdf:RDF>"
)


def entry(image_id: str, title: str = "fine") -> bytes:
    return ENTRY.format(id=escape(image_id), title=title).encode("latin-1")


@pytest.mark.parametrize(
    ("odd", "names"),
    [
        (entry("B" * 27, "caf\xe9 \x1b"), ["fine", "caf\ufffd \ufffd", "fine"]),
        (entry("B" * 27, "a < b"), ["fine", "fine"]),
        (entry("../../x"), ["fine", "fine"]),
        (entry("-5"), ["fine", "fine"]),
    ],
)
def test_an_odd_image_hides_none(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: Callable[..., bytes],
    odd: bytes,
    names: list[str],
) -> None:
    body = b"<metadata>" + entry("A" * 27) + odd + entry("C" * 27) + b"</metadata>"
    driver = at(serve(answer(body, media_type="application/xml")).url)

    assert [image.name for image in driver.list_images()] == names


def test_nodes_are_in_the_order_of_their_ids(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], answer: Callable[..., bytes]
) -> None:
    driver = at(serve(answer(rpc(pool(vm("10"), vm("9"), vm("11"))))).url)

    assert [node.id for node in driver.list_nodes()] == ["9", "10", "11"]
