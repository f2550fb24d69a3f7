from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stratuslab.sandbox.dialect import DIALECTS, RELEASE_14_06
from stratuslab.sandbox.http.restlet import ResourceError
from stratuslab.sandbox.pdisk import disk_json
from stratuslab.sandbox.pdisk.disk_json import DiskJson
from stratuslab.sandbox.pdisk.disks import Disk, DiskType, Mount, Visibility

UUID = "6b1b36cb-1f4d-4a3e-9d52-0d3a8c2a1c11"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def disk(**fields: Any) -> Disk:
    given: dict[str, Any] = {"uuid": UUID, "owner": "alice", "created": 0.0, "size_gib": 5, **fields}
    return Disk(**given)


def test_one_disk_to_the_letter() -> None:
    written = DiskJson(RELEASE_14_06).disk(
        disk(tag='5" disk', identifier="snapshot:x", quarantine="2014-06-13", size_gib=1024), 1000
    )
    assert written == (
        '{\r\n    "uuid": "6b1b36cb-1f4d-4a3e-9d52-0d3a8c2a1c11",\r\n    "tag": "5\\" disk",\r\n'
        '    "count": "1,000",\r\n    "owner": "alice",\r\n    "identifier": "snapshot:x",\r\n'
        '    "quarantine": "2014-06-13",\r\n    "size": "1,024",\r\n'
        '    "type": "DATA_IMAGE_RAW_READ_WRITE",\r\n    "visibility": "PRIVATE"\r\n}\r\n'
    )


def test_a_list_to_the_letter() -> None:
    writer = DiskJson(DIALECTS["14.06-ungrouped"])
    assert writer.disks([]) == "[\r\n]\r\n"
    assert writer.disks([(disk(size_gib=1024), 0), (disk(tag="b", type=DiskType.DATA_IMAGE_LIVE), 2)]) == (
        '[\r\n  {\r\n    "uuid": "6b1b36cb-1f4d-4a3e-9d52-0d3a8c2a1c11",\r\n    "tag": "",\r\n'
        '    "count": "0",\r\n    "owner": "alice",\r\n    "size": "1024"\r\n  },\r\n'
        '  {\r\n    "uuid": "6b1b36cb-1f4d-4a3e-9d52-0d3a8c2a1c11",\r\n    "tag": "b",\r\n'
        '    "count": "2",\r\n    "owner": "alice",\r\n    "size": "5"\r\n  }\r\n]\r\n'
    )


@given(tag=TEXT, identifier=TEXT, quarantine=TEXT)
def test_any_text_survives_except_in_the_owner(tag: str, identifier: str, quarantine: str) -> None:
    one = disk(tag=tag, identifier=identifier, quarantine=quarantine, visibility=Visibility.PUBLIC)
    writer = DiskJson(RELEASE_14_06)
    for read in (json.loads(writer.disk(one, 0)), json.loads(writer.disks([(one, 0)]))[0]):
        assert read["tag"] == tag
        assert read.get("identifier", "") == identifier
        assert read.get("quarantine", "") == quarantine
        assert all(isinstance(value, str) for value in read.values())


def test_the_owner_is_written_unescaped() -> None:
    assert '"owner": "CN=A\\,B"' in DiskJson(RELEASE_14_06).disk(disk(owner="CN=A\\,B"), 0)


@given(node=TEXT, vm_id=TEXT)
def test_mounts_survive(node: str, vm_id: str) -> None:
    mount = Mount(UUID, vm_id, "vdz", node)
    assert json.loads(disk_json.attached(mount)) == {
        "node": node,
        "vm_id": vm_id,
        "target": "vdz",
        "uuid": [UUID],
    }
    assert json.loads(disk_json.mounts([mount, mount])) == [{"vmId": vm_id, "device": "vdz"}] * 2
    assert json.loads(disk_json.detached(mount))["mountId"] == f"{UUID}_{vm_id}"


@given(TEXT.filter(bool))
def test_errors_survive(text: str) -> None:
    assert json.loads(disk_json.error(ResourceError(409, text))) == {"message": text, "code": 409}
