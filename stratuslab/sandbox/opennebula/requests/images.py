"""The requests to OpenNebula 3.2 about its own images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import pool
from stratuslab.sandbox.opennebula.model.images import ImageTemplateError, image_of, saved_image
from stratuslab.sandbox.opennebula.model.names import check_name, fault_if_taken
from stratuslab.sandbox.opennebula.model.permissions import found
from stratuslab.sandbox.opennebula.model.states import VmState
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.requests.request import Selection

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.images import OneImage
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.oned import OnedState
    from stratuslab.sandbox.opennebula.requests.request import Request, Requests


class ImageRequests:
    """Shows, adds and removes images, and saves disks of VMs into new ones."""

    def __init__(self, state: OnedState) -> None:
        self._state = state
        self.requests: Requests[User] = {
            "one.image.info": self._show,
            "one.image.allocate": self._allocate,
            "one.image.delete": self._delete,
            "one.imagepool.info": self._list,
            "one.vm.savedisk": self._save_disk,
        }

    def _show(self, request: Request[User]) -> str:
        return self._document(self._found(request, "USE"))

    def _list(self, request: Request[User]) -> str:
        selection = Selection.of(request.arguments, has_pages=False)
        return pool(
            "IMAGE_POOL", map(self._document, selection.pick(self._state.images.values(), request.user))
        )

    def _allocate(self, request: Request[User]) -> int:
        prefix = "Error allocating a new image. "
        template = request.template(0, prefix)
        try:
            image = image_of(template, self._state.next_ids.next("image"), request.user, request.now)
        except ImageTemplateError as error:
            raise RefusalError(Code.INTERNAL, f"{prefix}{error}") from error
        return self._add(image)

    def _add(self, image: OneImage) -> int:
        images = self._state.images
        check_name(image.name, "IMAGE", fault_if_taken(image.name, image.uid, images.values(), "IMAGE"))
        images[self._state.next_ids.take("image")] = image
        return image.id

    def _delete(self, request: Request[User]) -> int:
        image = self._found(request, "MANAGE")
        if self._running_vms(image):
            raise RefusalError(Code.INTERNAL, "Cannot delete image. It is used by a VM")
        del self._state.images[image.id]
        return image.id

    def _save_disk(self, request: Request[User]) -> int:
        vm_id, disk_id = request.arguments.integer(0), request.arguments.integer(1)
        name, _ = request.arguments.string(2), request.arguments.string(3)
        vm = found(self._state.vms, request.user, vm_id, "MANAGE", "VM")
        disk = next((d for d in vm.template.vectors("DISK") if d.get("DISK_ID") == str(disk_id)), None)
        if disk is None:
            raise RefusalError(Code.INTERNAL, "Cannot use selected DISK. Can't find image of the disk")
        image_id = self._state.next_ids.next("image")
        self._add(saved_image(image_id, request.user, name, vm_id, disk_id, request.now))
        disk.update(SAVE="YES", SAVE_AS=str(image_id))
        self._state.vms[vm_id] = vm
        return image_id

    def _found(self, request: Request[User], right: str) -> OneImage:
        return found(self._state.images, request.user, request.arguments.integer(0), right, "IMAGE")

    def _running_vms(self, image: OneImage) -> int:
        return sum(
            any(disk.get("IMAGE_ID") == str(image.id) for disk in vm.template.vectors("DISK"))
            for vm in self._state.vms.values()
            if vm.state != VmState.DONE
        )

    def _document(self, image: OneImage) -> str:
        return image.to_xml(self._running_vms(image))
