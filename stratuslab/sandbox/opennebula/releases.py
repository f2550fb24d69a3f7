"""What differs between the releases of OpenNebula from 5.12 on, as far as clients see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.restricted import IN_5_12, IN_6_10, IN_7_4

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Release:
    """A release; the defaults are those of 6.10.

    `aliases`: which action each accepted action of older releases means.
    `config_is_public`: every user may see `one.system.config`.
    `locked_images_are_admins`: only administrators may delete a LOCKED image.
    `failed_deletions_show`: an image whose deletion fails stays, in ERROR; otherwise it is gone.
    `resizes_running`: a RUNNING VM may be resized.
    `saves_off_host`: disks of an UNDEPLOYED or STOPPED VM may be saved.
    `memory_is_quota`: a MEMORY or CPU that is no number is refused as if it were above a quota.
    `raw_is_restricted`: RAW/DATA is refused as restricted, not as a wrong section.
    `restricted`: the attributes of VMs that only administrators may give.
    `search`: what the refusal calls the search by `KEY=VALUE`.
    `no_nic`: the text for a NIC that is none.
    `no_such_disk`: the text for a DISK_ID that is not there.
    `disk_calls_answer_vm`: calls about a disk or a snapshot of an image answer the object's id.
    `snapshot_calls_answer`: `one.vm.snapshotrevert` and `snapshotdelete` answer the VM's id, else -1.
    `active_snapshot_counts`: revert to, and deletion of, the active snapshot are refused.
    `update_prefix`: what stands before a syntax error of `one.vm.update`, and its code.
    `failures_name_object`: failures of `one.vm.disksaveas` bear the VM's id.
    `id_is_read_first`: `one.vm.action` looks at its second argument before the first.
    `system_datastore`: why no image goes into a system datastore.
    `busy_before_image`: an attach looks at the VM's state before it looks at the image.
    The other fields say what the documents have.
    """

    version: str
    aliases: Mapping[str, str] = field(default_factory=lambda: _NO_ALIASES)
    config_is_public: bool = True
    locked_images_are_admins: bool = False
    failed_deletions_show: bool = True
    resizes_running: bool = True
    saves_off_host: bool = True
    memory_is_quota: bool = False
    raw_is_restricted: bool = True
    restricted: tuple[str, ...] = IN_6_10
    search: str = "JSON query search"
    no_nic: str = "Wrong format or missing NIC/NIC_ALIAS/PCI attribute"
    no_such_disk: str = "Could not detach disk with DISK_ID {}, it does not exist."
    disk_calls_answer_vm: bool = False
    snapshot_calls_answer: bool = False
    active_snapshot_counts: bool = False
    update_prefix: tuple[str, int] = ("", 2048)
    failures_name_object: bool = False
    id_is_read_first: bool = False
    system_datastore: str = "New images can only be allocated in a files or image datastore."
    busy_before_image: bool = False
    vcpu_in_short_list: bool = True
    has_formats: bool = True
    has_backups: bool = True
    has_network_states: bool = True
    has_uuids: bool = True
    has_plans: bool = False
    host_requirement: str = "!(PUBLIC_CLOUD = YES) & "
    persistent_snapshots: bool = False
    has_modification_times: bool = False
    context_of_nic: tuple[str, ...] = ("IP6_GATEWAY", "IP6_METHOD", "IP6_METRIC", "METHOD")


RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "opennebula-5.12": Release(
            "5.12.13",
            aliases=MappingProxyType(
                {"shutdown": "terminate", "shutdown-hard": "terminate-hard", "delete": "terminate-hard"}
            ),
            config_is_public=False,
            locked_images_are_admins=True,
            failed_deletions_show=False,
            resizes_running=False,
            saves_off_host=False,
            memory_is_quota=True,
            raw_is_restricted=False,
            restricted=IN_5_12,
            search="Full text search",
            no_nic="Wrong format or missing NIC/NIC_ALIAS attribute",
            snapshot_calls_answer=True,
            active_snapshot_counts=True,
            update_prefix=("Cannot update template. ", 8192),
            system_datastore="New images cannot be allocated in a system datastore.",
            busy_before_image=True,
            vcpu_in_short_list=False,
            has_formats=False,
            has_backups=False,
            has_network_states=False,
            has_uuids=False,
            context_of_nic=("CONTEXT_FORCE_IPV4", "GATEWAY6", "METRIC6"),
        ),
        "opennebula-6.10": Release("6.10.5"),
        "opennebula-7.4": Release(
            "7.4.0",
            restricted=IN_7_4,
            no_such_disk="VM disk does not exist",
            disk_calls_answer_vm=True,
            snapshot_calls_answer=True,
            failures_name_object=True,
            id_is_read_first=True,
            has_plans=True,
            host_requirement="",
            persistent_snapshots=True,
            has_modification_times=True,
            context_of_nic=("IP6_GATEWAY", "IP6_METHOD", "IP6_METRIC", "METHOD", "ROUTES"),
        ),
    }
)
"""The releases by the name of the cloud that speaks them."""
