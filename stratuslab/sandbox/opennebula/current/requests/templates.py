"""The requests about VM templates: look, instantiate, make, clone, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import merged, updated
from stratuslab.sandbox.opennebula.current.documents import template_document
from stratuslab.sandbox.opennebula.current.objects import Vm, VmTemplate
from stratuslab.sandbox.opennebula.current.requests.request import changing, listed, rename
from stratuslab.sandbox.opennebula.model.names import fault_if_taken, fault_of_name
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.allocation import Allocation
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.requests.images import ImageRequests
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.current.requests.vms import VmRequests

_PREFIX = "Error allocating a new virtual machine template. "
_UPDATE_PREFIX = "Cannot update template. "


@dataclass(frozen=True)
class TemplateRequests:
    """Answers the requests about VM templates."""

    books: Books
    devices: Devices
    allocation: Allocation
    images: ImageRequests
    vms: VmRequests

    def requests(self) -> Requests:
        """Return what answers each method."""
        templates = self.books.templates
        return {
            "one.template.info": self._show,
            "one.template.instantiate": self._instantiate,
            "one.template.allocate": self._allocate,
            "one.template.clone": self._clone,
            "one.template.delete": self._delete,
            "one.template.update": changing(templates, "TEMPLATE", self._update),
            "one.template.rename": changing(templates, "TEMPLATE", rename),
            "one.templatepool.info": lambda request: listed(
                request,
                templates.values(),
                "VMTEMPLATE_POOL",
                lambda template: template_document(template, self.books),
            ),
        }

    def _show(self, request: Request) -> str:
        template = self.books.template(request.user, request.arguments.integer(0), "USE")
        is_expanded = request.arguments.boolean(1, default=False)
        shown = self._expanded(template, request) if is_expanded else None
        return template_document(template, self.books, shown)

    def _expanded(self, template: VmTemplate, request: Request) -> Template:
        """Return a template with what its disks and NICs have from images and networks."""
        shown = template.template.copy()
        for disk_id, disk in enumerate(shown.vectors("DISK")):
            image = self.devices.image_of(disk, request.user)
            if image is not None:
                self.devices.fill_disk(disk, disk_id, image, Vm(-1, 0, 0, ""))
                disk.pop("TARGET", None)
            disk["DISK_ID"] = str(disk_id)
        for nic in shown.vectors("NIC"):
            network = self.devices.network_of(nic, request.user)
            if network is not None:
                nic.update(NETWORK=network.name, NETWORK_ID=str(network.id))
        return shown

    def _instantiate(self, request: Request) -> int:
        template = self.books.template(request.user, request.arguments.integer(0), "USE")
        name, hold = request.arguments.string(1), request.arguments.boolean(2, default=False)
        extra = request.template(3, default="")
        persistent = request.arguments.boolean(4, default=False)
        self.allocation.refuse_changed(extra, template.template, request.user)
        wanted = merged(template.template, extra)
        if name:
            wanted.replace("NAME", name)
        elif not wanted.single("NAME"):
            wanted.replace("NAME", f"{template.name}-{self.books.next_ids.next('vm')}")
        wanted.replace("TEMPLATE_ID", str(template.id))
        if persistent:
            copy = self._copy(template, wanted.single("NAME"), request, persistent=True)
            wanted = merged(self.books.templates[copy].template, extra)
            wanted.replace("NAME", self.books.templates[copy].name)
            wanted.replace("TEMPLATE_ID", str(copy))
            wanted.replace("CLONING_TEMPLATE_ID", str(template.id))
        try:
            return self.vms.create(wanted, request, hold=hold)
        except RefusalError as refusal:
            if refusal.code != Code.INTERNAL:
                raise
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{refusal}") from refusal

    def _allocate(self, request: Request) -> int:
        template = request.template(0)
        self.allocation.refuse_restricted(template, request.user)
        name = template.single("NAME")
        if fault := self._fault_of_name(name, request):
            raise RefusalError(Code.INTERNAL, fault)
        kept = Template([item for item in template.attributes if item[0] != "NAME"])
        return self._add(name, kept, request)

    def _clone(self, request: Request) -> int:
        source = self.books.template(request.user, request.arguments.integer(0), "USE")
        if request.arguments.boolean(2, default=False):
            return self._copy(source, request.arguments.string(1), request, persistent=False)
        return self._add(request.arguments.string(1), source.template.copy(), request)

    def _copy(self, source: VmTemplate, name: str, request: Request, *, persistent: bool) -> int:
        """Copy a template with the images of its disks."""
        template = source.template.copy()
        template_id = self._add(name, template, request)
        for number, disk in enumerate(template.vectors("DISK")):
            image = self.devices.image_of(disk, request.user)
            if image is not None:
                image_id = self.images.copy(image, f"{name}-disk-{number}", request)
                self.books.images[image_id].persistent = persistent
                for key in ("IMAGE", "IMAGE_UNAME"):
                    disk.pop(key, None)
                disk["IMAGE_ID"] = str(image_id)
        return template_id

    def _add(self, name: str, template: Template, request: Request) -> int:
        if fault := self._fault_of_name(name, request):
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{fault}")
        item = VmTemplate(
            self.books.next_ids.take("template"),
            request.user.uid,
            request.user.gid,
            name,
            regtime=int(request.now),
            template=template,
        )
        self.books.templates[item.id] = item
        return item.id

    def _fault_of_name(self, name: str, request: Request) -> str:
        taken = fault_if_taken(name, request.user.uid, self.books.templates.values(), "TEMPLATE")
        return fault_of_name(name) or taken

    def _delete(self, request: Request) -> int:
        template = self.books.template(request.user, request.arguments.integer(0), "MANAGE")
        del self.books.templates[template.id]
        return template.id

    def _update(self, request: Request, template: VmTemplate) -> None:
        changes = request.template(1, _UPDATE_PREFIX)
        self.allocation.refuse_update(changes, template.template, request.user, _UPDATE_PREFIX)
        template.template = updated(template.template, changes, request.arguments.integer(2))
