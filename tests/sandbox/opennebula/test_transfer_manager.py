from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.opennebula.transfer_manager import TransferError
from stratuslab.sandbox.pdisk.disks import DiskType, Mount, Visibility

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox import Clock
    from stratuslab.sandbox.marketplace.catalogue import Catalogue
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry
    from stratuslab.sandbox.opennebula.transfer_manager import TransferManager
    from stratuslab.sandbox.pdisk.disks import Disk, DiskStore


MARKET = "http://127.0.0.1:9/somewhere/marketplace"
LIVE = DiskType.MACHINE_IMAGE_LIVE


@pytest.fixture
def image(catalogue: Catalogue) -> ImageEntry:
    return catalogue.entries()[2]


@pytest.fixture
def url(image: ImageEntry) -> str:
    return f"{MARKET}/metadata/{image.identifier}"


def test_an_image_becomes_a_snapshot_of_the_owner(
    transfer_manager: TransferManager, disks: DiskStore, image: ImageEntry, url: str
) -> None:
    transfer_manager.clone(7, "alice", [url])
    (snapshot,) = disks.disks("alice")
    (origin,) = disks.disks("pdisk")
    assert (origin.identifier, origin.type) == (image.identifier, DiskType.MACHINE_IMAGE_ORIGIN)
    assert (snapshot.identifier, snapshot.type) == (f"snapshot:{origin.uuid}", LIVE)
    assert (snapshot.tag, snapshot.size_gib, origin.size_gib) == ("", 5, 5)
    assert disks.mounts(snapshot.uuid) == [Mount(snapshot.uuid, "7", "static", snapshot=True)]
    assert disks.count(origin) == 1


def test_the_size_is_rounded_up(
    transfer_manager: TransferManager, disks: DiskStore, catalogue: Catalogue
) -> None:
    tiny = catalogue.entries()[0]
    assert tiny.size_bytes < 10**9
    transfer_manager.clone(1, "alice", [f"{MARKET}/metadata/{tiny.identifier}"])
    assert disks.disks("alice")[0].size_gib == 1


def test_the_origin_is_made_once(transfer_manager: TransferManager, disks: DiskStore, url: str) -> None:
    transfer_manager.clone(1, "alice", [url])
    transfer_manager.clone(2, "bob", [url])
    (origin,) = disks.disks("pdisk")
    assert disks.count(origin) == 2
    assert len(disks.disks("alice")) == len(disks.disks("bob")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "{market}/metadata/{id}/",
        "{market}/metadata/{id}/images@example.org/2014-01-01T00:00:00Z",
        "https://marketplace.stratuslab.eu/metadata/{id}",
        "frontend:{id}",
    ],
)
def test_ways_to_name_an_image(
    transfer_manager: TransferManager, disks: DiskStore, image: ImageEntry, source: str
) -> None:
    transfer_manager.clone(1, "alice", [source.format(market=MARKET, id=image.identifier)])
    assert disks.disks("pdisk")[0].identifier == image.identifier


def test_expired_and_deprecated_images_are_cloned(
    transfer_manager: TransferManager, catalogue: Catalogue, disks: DiskStore, image: ImageEntry, url: str
) -> None:
    catalogue.expire(image.identifier)
    catalogue.deprecate(image.identifier, "old")
    transfer_manager.clone(1, "alice", [url])
    assert len(disks.disks("alice")) == 1


def test_any_other_url_is_an_image_of_unknown_contents(
    transfer_manager: TransferManager, disks: DiskStore
) -> None:
    transfer_manager.clone(1, "alice", ["http://images.example.org/my.img"])
    transfer_manager.clone(2, "alice", ["http://images.example.org/my.img"])
    assert len(disks.disks("alice")) == 2
    assert [disk.identifier for disk in disks.disks("pdisk")] == ["http://images.example.org/my.img"]


@pytest.mark.parametrize(
    "source",
    ["pdisk:https://cloud.example.org/pdisk/{}", "pdisk:192.0.2.7:8445/{}", "pdisk:cloud.example.org/{}"],
)
def test_boot_from_a_live_disk(
    transfer_manager: TransferManager, disks: DiskStore, saved: Callable[..., Disk], source: str
) -> None:
    disk = saved(type=LIVE)
    transfer_manager.clone(3, "alice", [source.format(disk.uuid)])
    assert disks.mounts(disk.uuid) == [Mount(disk.uuid, "3", "static")]
    assert disks.disks() == [disk]


def test_data_disks_follow_the_root(
    transfer_manager: TransferManager, disks: DiskStore, saved: Callable[..., Disk], url: str
) -> None:
    data = saved()
    public = saved(owner="bob", visibility=Visibility.PUBLIC, type=DiskType.DATA_IMAGE_RAW_READONLY)
    transfer_manager.clone(4, "alice", [url, f"pdisk:h/{data.uuid}", f"pdisk:h/{public.uuid}", url])
    assert [mount.device for mount in disks.mounts_on("4")] == ["static"] * 4
    assert len(disks.disks("alice")) == 3


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("missing", "disk (nowhere) does not exist"),
        ("foreign", "insufficient access rights to view disk"),
        ("live", "Only DATA_IMAGE_RAW_READONLY, DATA_IMAGE_RAW_READ_WRITE type disks can be attached"),
        ("twice", "Mount already exists for: 5 and "),
        ("unknown image", "Failed to download: "),
        ("garbage", "Object should have a length of 2, got 1"),
    ],
)
def test_all_or_nothing(
    transfer_manager: TransferManager,
    disks: DiskStore,
    saved: Callable[..., Disk],
    url: str,
    kind: str,
    text: str,
) -> None:
    data = saved()
    bad = {
        "missing": "pdisk:h/nowhere",
        "foreign": f"pdisk:h/{saved(owner='bob').uuid}",
        "live": f"pdisk:h/{saved(type=LIVE).uuid}",
        "twice": f"pdisk:h/{data.uuid}",
        "unknown image": f"{MARKET}/metadata/{'Z' * 27}",
        "garbage": "not an image",
    }[kind]
    before = disks.disks()
    with pytest.raises(TransferError) as failure:
        transfer_manager.clone(5, "alice", [url, f"pdisk:h/{data.uuid}", bad])
    assert text in str(failure.value)
    assert disks.disks() == before
    assert disks.mounts_on("5") == []


def test_a_root_disk_is_live_and_free(
    transfer_manager: TransferManager, disks: DiskStore, saved: Callable[..., Disk]
) -> None:
    live = saved(type=LIVE)
    with pytest.raises(TransferError, match="Only a live persistent disk can be booted from"):
        transfer_manager.clone(1, "alice", [f"pdisk:h/{saved().uuid}"])
    transfer_manager.clone(1, "alice", [f"pdisk:h/{live.uuid}"])
    with pytest.raises(TransferError, match="User count must be zero"):
        transfer_manager.clone(2, "alice", [f"pdisk:h/{live.uuid}"])


def test_delete_unmounts_everything_and_quarantines_snapshots(
    transfer_manager: TransferManager, disks: DiskStore, saved: Callable[..., Disk], clock: Clock, url: str
) -> None:
    data, live, hot = saved(), saved(type=LIVE, identifier="snapshot:of-old"), saved()
    transfer_manager.clone(1, "alice", [url, f"pdisk:h/{data.uuid}"])
    transfer_manager.clone(2, "alice", [f"pdisk:h/{live.uuid}"])
    disks.mount(Mount(hot.uuid, "1", "vdz", "node-1"))
    (snapshot,) = [disk for disk in disks.disks("alice") if disk not in (data, live, hot)]
    clock.step(0.5)
    transfer_manager.delete(1)
    assert disks.mounts_on("1") == []
    assert len(disks.mounts_on("2")) == 1
    assert disks.get(snapshot.uuid) == replace(
        snapshot, owner="pdisk", quarantine="2014-05-13 16:53:20.500000"
    )
    transfer_manager.delete(2)
    assert set(disks.disks("alice")) == {data, live, hot}


def test_delete_may_be_repeated(
    transfer_manager: TransferManager, disks: DiskStore, clock: Clock, url: str
) -> None:
    transfer_manager.clone(1, "alice", [url])
    transfer_manager.delete(1)
    quarantined = disks.disks()
    clock.step(1)
    transfer_manager.delete(1)
    transfer_manager.delete(99)
    assert disks.disks() == quarantined


def test_a_machine_without_disks(transfer_manager: TransferManager, disks: DiskStore) -> None:
    transfer_manager.clone(1, "alice", [])
    assert disks.disks() == []
