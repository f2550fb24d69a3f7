from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.sandbox.http.restlet import ResourceError
from stratuslab.sandbox.pdisk.disk_form import check_contents, check_size, revised
from stratuslab.sandbox.pdisk.disks import Disk, Visibility

DISK = Disk(uuid="u", owner="alice", created=0.0)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_java_long_is_a_size(size: int) -> None:
    disk = revised(DISK, {"size": str(size)})
    assert disk.size_gib == size
    if 1 <= size <= 1024:
        check_size(disk)
    else:
        with pytest.raises(ResourceError, match="between 1 and 1024"):
            check_size(disk)


@given(st.text().filter(lambda text: not text.lstrip("+-").isascii() or not text.lstrip("+-").isdigit()))
def test_nothing_else_is_a_size(text: str) -> None:
    with pytest.raises(ResourceError) as refusal:
        revised(DISK, {"size": text})
    assert refusal.value.status == 400
    assert refusal.value.description == f'Error parsing size: For input string: "{text}"'


@pytest.mark.parametrize("size", [2**63, -(2**63) - 1, 10**400])
def test_a_number_beyond_a_java_long_is_no_size(size: int) -> None:
    with pytest.raises(ResourceError, match="Error parsing size"):
        revised(DISK, {"size": str(size) if size < 10**300 else "9" * 400})


def test_a_plus_sign_is_allowed() -> None:
    assert revised(DISK, {"size": "+7"}).size_gib == 7


def test_all_fields_are_taken() -> None:
    form = {
        "tag": "t",
        "owner": "bob",
        "identifier": "i",
        "quarantine": "q",
        "group": "g",
        "seed": "on",
        "visibility": "pUbLiC",
        "type": "DATA_IMAGE_RAW_READONLY",
    }
    disk = revised(DISK, form)
    assert (disk.tag, disk.owner, disk.identifier, disk.quarantine, disk.group) == ("t", "bob", "i", "q", "g")
    assert (disk.seed, disk.visibility, disk.type.value) == (
        True,
        Visibility.PUBLIC,
        "DATA_IMAGE_RAW_READONLY",
    )
    assert not revised(disk, {"seed": "true"}).seed


@pytest.mark.parametrize("url", ["http://h/x", "https://h/x", "ftp://h/x", "file:///x"])
def test_contents_from_a_url(url: str) -> None:
    check_contents({"url": url, "sha1": "0aF", "bytes": "7"})
