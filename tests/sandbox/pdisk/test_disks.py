from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.pdisk.disks import (
    AlreadyMountedError,
    DiskInUseError,
    DiskType,
    Mount,
    NoFreeDeviceError,
    NotMountedError,
    UnknownDiskError,
    Visibility,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox import Clock
    from stratuslab.sandbox.pdisk.disks import Disk, DiskStore


def test_a_new_disk_is_dated_named_and_not_yet_stored(disks: DiskStore, clock: Clock) -> None:
    clock.step(5)
    disk = disks.new("alice")
    assert disk.created == clock.now()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", disk.uuid)
    assert (disk.type, disk.visibility) == (DiskType.DATA_IMAGE_RAW_READ_WRITE, Visibility.PRIVATE)
    with pytest.raises(UnknownDiskError):
        disks.get(disk.uuid)


def test_disks_are_listed_newest_first_and_keep_their_place_when_changed(
    disks: DiskStore, saved: Callable[..., Disk]
) -> None:
    first, second, third = saved(), saved(owner="bob"), saved()
    disks.save(replace(first, tag="changed"))
    assert [disk.uuid for disk in disks.disks()] == [third.uuid, second.uuid, first.uuid]
    assert [disk.uuid for disk in disks.disks("alice")] == [third.uuid, first.uuid]
    assert disks.get(first.uuid).tag == "changed"


@pytest.mark.parametrize(
    ("user", "visibility", "views", "edits"),
    [
        ("alice", Visibility.PRIVATE, True, True),
        ("pdisk", Visibility.PRIVATE, True, True),
        ("bob", Visibility.PRIVATE, False, False),
        ("bob", Visibility.PUBLIC, True, False),
    ],
)
def test_rights(
    saved: Callable[..., Disk], user: str, visibility: Visibility, views: bool, edits: bool
) -> None:
    disk = saved(visibility=visibility)
    assert (disk.viewable_by(user), disk.editable_by(user)) == (views, edits)


def test_a_mounted_disk_cannot_be_deleted(disks: DiskStore, saved: Callable[..., Disk]) -> None:
    disk = saved()
    mount = Mount(disk.uuid, "42", "vdz", "node-1")
    disks.mount(mount)
    with pytest.raises(DiskInUseError):
        disks.delete(disk.uuid)
    disks.unmount(mount)
    disks.delete(disk.uuid)
    with pytest.raises(UnknownDiskError):
        disks.delete(disk.uuid)


def test_mounts_are_counted_and_found_by_disk_and_by_machine(
    disks: DiskStore, saved: Callable[..., Disk]
) -> None:
    disk, other = saved(), saved()
    mounts = [
        Mount(disk.uuid, "1", "vdz"),
        Mount(disk.uuid, "2", "static"),
        Mount(other.uuid, "1", "vdy"),
    ]
    for mount in mounts:
        disks.mount(mount)
    assert disks.count(disk) == 2
    assert disks.mounts(disk.uuid) == mounts[:2]
    assert disks.mounts_on("1") == [mounts[0], mounts[2]]
    assert mounts[1].id == f"{disk.uuid}_2"
    with pytest.raises(AlreadyMountedError):
        disks.mount(Mount(disk.uuid, "1", "vdx"))
    with pytest.raises(UnknownDiskError):
        disks.mount(Mount("no-such-disk", "1", "vdx"))
    disks.unmount(mounts[0])
    with pytest.raises(NotMountedError):
        disks.unmount(mounts[0])
    assert disks.mounts_on("1") == [mounts[2]]


def test_devices_go_down_from_vdz_and_come_to_an_end(disks: DiskStore, saved: Callable[..., Disk]) -> None:
    given = []
    for _ in range(26):
        given.append(disks.free_device("7"))
        disks.mount(Mount(saved().uuid, "7", given[-1]))
    assert (given[:3], given[-1]) == (["vdz", "vdy", "vdx"], "vda")
    with pytest.raises(NoFreeDeviceError):
        disks.free_device("7")
    assert disks.free_device("8") == "vdz"


def test_a_device_is_free_again_after_its_mount(disks: DiskStore, saved: Callable[..., Disk]) -> None:
    mount = Mount(saved().uuid, "7", "vdz")
    disks.mount(mount)
    disks.mount(Mount(saved().uuid, "7", "vdy"))
    disks.unmount(mount)
    assert disks.free_device("7") == "vdz"


def test_an_origin_counts_its_snapshots(disks: DiskStore, saved: Callable[..., Disk]) -> None:
    origin = saved(type=DiskType.MACHINE_IMAGE_ORIGIN, size_gib=3)
    copy = disks.snapshot(origin, "bob")
    disks.snapshot(origin, "alice")
    assert disks.count(origin) == 2
    assert (copy.owner, copy.size_gib, copy.identifier) == ("bob", 3, f"snapshot:{origin.uuid}")
    assert copy.type is DiskType.MACHINE_IMAGE_LIVE


def test_one_machine_never_gets_a_device_twice(disks: DiskStore, saved: Callable[..., Disk]) -> None:
    def attach(disk: Disk) -> str:
        with disks.lock:
            device = disks.free_device("1")
            disks.mount(Mount(disk.uuid, "1", device))
        return device

    with ThreadPoolExecutor(8) as pool:
        devices = list(pool.map(attach, [saved() for _ in range(26)]))
    assert len(set(devices)) == 26
