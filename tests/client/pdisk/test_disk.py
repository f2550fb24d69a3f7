from __future__ import annotations

from typing import Any

import pytest

from stratuslab.client import Disk, Mount
from stratuslab.client.transport.xml_document import DocumentError

UUID = "29eca93d-3832-4721-bfe4-3d15a6efa2df"
MINIMUM = {"uuid": UUID, "size": "1"}


def test_everything_that_pdisk_says() -> None:
    disk = Disk.from_json(
        {
            "uuid": UUID,
            "tag": "data",
            "size": "1,024",
            "count": "2",
            "owner": "alice",
            "type": "MACHINE_IMAGE_ORIGIN",
            "visibility": "PUBLIC",
            "identifier": "BEE8-MMAw-Lk_IgsEExAy3d9R8h",
            "quarantine": "2014-03-08 14:10:40",
        }
    )
    assert (disk.uuid, disk.tag, disk.size_gib, disk.count) == (UUID, "data", 1024, 2)
    assert (disk.owner, disk.type, disk.visibility) == ("alice", "MACHINE_IMAGE_ORIGIN", "public")
    assert (disk.identifier, disk.quarantine) == ("BEE8-MMAw-Lk_IgsEExAy3d9R8h", "2014-03-08 14:10:40")


@pytest.mark.parametrize("value", ["", None, 5, 1.5, True, [], {"a": []}], ids=repr)
def test_what_is_no_text_is_as_if_it_was_missing(value: Any) -> None:
    texts = dict.fromkeys(("tag", "owner", "type", "visibility", "identifier", "quarantine"), value)
    disk = Disk.from_json({**MINIMUM, **texts})
    assert (disk.tag, disk.owner) == ("", "")
    assert (disk.type, disk.visibility, disk.identifier, disk.quarantine) == (None, None, None, None)
    assert disk.snapshot_of is None


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0", 0),
        ("1,024", 1024),
        ("1.024", 1024),
        ("1\u202f024", 1024),
        ("1'024", 1024),
        ("1 024", 1024),
        (1024, 1024),
    ],
)
def test_numbers_however_the_service_writes_them(written: int | str, number: int) -> None:
    assert Disk.from_json({**MINIMUM, "size": written, "count": written}).size_gib == number
    assert Disk.from_json({**MINIMUM, "size": written, "count": written}).count == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "much",
        "-1",
        "1e3",
        "1_0",
        "9" * 19,
        10**30,
        "," * 1000 + "1",
        -1,
        5.0,
        True,
        None,
        [],
        {},
        [1],
    ],
    ids=repr,
)
@pytest.mark.parametrize("key", ["size", "count"])
def test_what_is_no_number_is_refused(key: str, value: Any) -> None:
    with pytest.raises(DocumentError, match="a disk has no number for 'size' or 'count'"):
        Disk.from_json({**MINIMUM, key: value})


@pytest.mark.parametrize("value", [True, 1.0], ids=repr)
def test_a_remembered_number_is_not_taken_for_what_equals_it(value: Any) -> None:
    assert Disk.from_json({**MINIMUM, "size": 1}).size_gib == 1
    with pytest.raises(DocumentError, match="a disk has no number"):
        Disk.from_json({**MINIMUM, "size": value})


@pytest.mark.parametrize("value", ["", None, 5, [UUID]], ids=repr)
def test_without_a_uuid_there_is_no_disk(value: int | list[str] | str | None) -> None:
    with pytest.raises(DocumentError, match="a disk has no text for 'uuid'"):
        Disk.from_json({**MINIMUM, "uuid": value})


@pytest.mark.parametrize(
    ("identifier", "origin"),
    [(f"snapshot:{UUID}", UUID), ("BEE8-MMAw-Lk_IgsEExAy3d9R8h", None), ("", None), (None, None)],
)
def test_a_snapshot_names_its_origin(identifier: str | None, origin: str | None) -> None:
    disk = Disk.from_json({**MINIMUM, "identifier": identifier})
    assert disk.snapshot_of == origin


@pytest.mark.parametrize(("device", "static"), [("static", True), ("vdz", False), ("", False)])
def test_a_mount_from_the_start_is_static(device: str, static: bool) -> None:
    assert Mount(42, device).static is static
