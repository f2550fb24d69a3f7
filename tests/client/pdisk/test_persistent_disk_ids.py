from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import ConfigurationError
from stratuslab.client.pdisk.disk import is_disk_id, source_of_disk

if TYPE_CHECKING:
    from tests.client.conftest import CloudOf


UUID = "29eca93d-3832-4721-bfe4-3d15a6efa2df"


@pytest.mark.parametrize("text", [UUID, UUID.upper(), "00000000-0000-0000-0000-000000000000"])
def test_a_disk_s_id_is_a_uuid(text: str) -> None:
    assert is_disk_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        UUID[:-1],
        f"{UUID}0",
        f" {UUID}",
        f"{UUID}\n",
        f"{UUID}/",
        UUID.replace("-", ""),
        UUID.replace("2", "g", 1),
        UUID.replace("2", "٢", 1),
        f"../{UUID}",
        "BEE8-MMAw-Lk_IgsEExAy3d9R8h",
    ],
    ids=repr,
)
def test_nothing_else_is(text: str) -> None:
    assert not is_disk_id(text)


@pytest.mark.parametrize(
    ("endpoint", "source"),
    [
        ("https://disks.example.org/pdisk", f"pdisk:https://disks.example.org/pdisk/{UUID}"),
        ("https://disks.example.org/pdisk/pswd/", f"pdisk:https://disks.example.org/pdisk/{UUID}"),
        ("http://disks.example.org:9206/pdisk", f"pdisk:http://disks.example.org:9206/pdisk/{UUID}"),
        ("disks.example.org", f"pdisk:disks.example.org:8445/{UUID}"),
        ("https://disks.example.org:8445/", f"pdisk:disks.example.org:8445/{UUID}"),
        ("192.0.2.7", f"pdisk:192.0.2.7:8445/{UUID}"),
    ],
)
@pytest.mark.parametrize("written", [UUID, UUID.upper()], ids=["lower-case", "upper-case"])
def test_what_a_template_calls_a_disk(cloud_of: CloudOf, endpoint: str, source: str, written: str) -> None:
    cloud = cloud_of(pdisk_endpoint=endpoint, allow_plain_http="true")
    assert source_of_disk(cloud, written) == source


def test_without_pdisk_there_is_no_source(cloud_of: CloudOf) -> None:
    with pytest.raises(ConfigurationError, match="key pdisk_endpoint: is missing"):
        source_of_disk(cloud_of(endpoint="localhost"), UUID)
