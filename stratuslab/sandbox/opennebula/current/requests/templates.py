"""The requests about VM templates: look, instantiate, make, clone, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.attributes import fault_of_name, merged, updated
from stratuslab.sandbox.opennebula.current.books import selected
from stratuslab.sandbox.opennebula.current.documents import pool, template_document
from stratuslab.sandbox.opennebula.current.objects import Vm, VmTemplate
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.devices import Devices
    from stratuslab.sandbox.opennebula.current.requests.images import ImageRequests
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.template.template import Value, Vector

_PREFIX = "Error allocating a new virtual machine template. "


class TemplateRequests:
    """Answers the requests about VM templates; `create` makes a VM of a template."""

    def __init__(
        self,
        books: Books,
        devices: Devices,
        images: ImageRequests,
        create: Callable[[Template, Request, bool], int],
    ) -> None:
        self._books = books
        self._devices = devices
        self._images = images
        self._create = create
        self.requests: Requests = {
            "one.template.info": self._show,
            "one.template.instantiate": self._instantiate,
            "one.template.allocate": self._allocate,
            "one.template.clone": self._clone,
            "one.template.delete": self._delete,
            "one.template.update": self._update,
            "one.template.rename": self._rename,
            "one.templatepool.info": self._list,
        }

    def _show(self, request: Request) -> str:
        template = self._books.template(request.user, request.arguments.integer(0), "USE")
        if not request.optional_boolean(1, default=False):
            return template_document(template, self._books)
        return template_document(template, self._books, self._expanded(template, request))

    def _expanded(self, template: VmTemplate, request: Request) -> Template:
        """Return a template with what its disks and NICs have from images and networks."""
        shown: list[tuple[str, Value]] = []
        sketch = Vm(-1, 0, 0, "")
        disks = 0
        for name, value in template.template.attributes:
            if isinstance(value, dict):
                value = dict(value)
            if name == "DISK" and isinstance(value, dict):
                image = self._devices.image_of(value, request.user)
                if image is not None:
                    self._devices.fill_disk(value, disks, image, sketch)
                    value.pop("TARGET", None)
                value["DISK_ID"] = str(disks)
                disks += 1
            if name == "NIC" and isinstance(value, dict):
                network = self._devices.network_of(value, request.user)
                if network is not None:
                    value.update(NETWORK=network.name, NETWORK_ID=str(network.id))
            shown.append((name, value))
        return Template(shown)

    def _instantiate(self, request: Request) -> int:
        template = self._books.template(request.user, request.arguments.integer(0), "USE")
        name, hold = request.arguments.string(1), request.optional_boolean(2, default=False)
        extra = request.template(3) if request.arguments.has(3) else Template()
        persistent = request.optional_boolean(4, default=False)
        wanted = merged(template.template, extra)
        if name:
            wanted.replace("NAME", name)
        elif not wanted.single("NAME"):
            wanted.replace("NAME", f"{template.name}-{self._books.next_ids.get('vm', 0)}")
        wanted.replace("TEMPLATE_ID", str(template.id))
        if persistent:
            copy = self._copy(template, wanted.single("NAME"), request, persistent=True)
            wanted = merged(self._books.templates[copy].template, extra)
            wanted.replace("NAME", self._books.templates[copy].name)
            wanted.replace("TEMPLATE_ID", str(copy))
            wanted.replace("CLONING_TEMPLATE_ID", str(template.id))
        try:
            return self._create(wanted, request, hold)
        except RefusalError as refusal:
            if refusal.code != Code.INTERNAL or not str(refusal).startswith("DISK"):
                raise
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{refusal}") from refusal

    def _allocate(self, request: Request) -> int:
        template = request.template(0)
        name = template.single("NAME")
        kept = Template([item for item in template.attributes if item[0] != "NAME"])
        return self._add(name, kept, request)

    def _clone(self, request: Request) -> int:
        source = self._books.template(request.user, request.arguments.integer(0), "USE")
        if request.optional_boolean(2, default=False):
            return self._copy(source, request.arguments.string(1), request, persistent=False)
        return self._add(request.arguments.string(1), Template([*source.template.attributes]), request)

    def _copy(self, source: VmTemplate, name: str, request: Request, *, persistent: bool) -> int:
        """Copy a template with the images of its disks."""
        attributes: list[tuple[str, Value]] = []
        copied: list[Vector] = []
        for attribute, value in source.template.attributes:
            if attribute == "DISK" and isinstance(value, dict):
                copied.append(dict(value))
                attributes.append((attribute, copied[-1]))
            else:
                attributes.append((attribute, value))
        template_id = self._add(name, Template(attributes), request)
        for number, disk in enumerate(copied):
            image = self._devices.image_of(disk, request.user)
            if image is not None:
                image_id = self._images.copy(image, f"{name}-disk-{number}", -1, request)
                self._books.images[image_id].persistent = persistent
                for key in ("IMAGE", "IMAGE_UNAME"):
                    disk.pop(key, None)
                disk["IMAGE_ID"] = str(image_id)
        return template_id

    def _add(self, name: str, template: Template, request: Request) -> int:
        if fault := fault_of_name(name):
            raise RefusalError(Code.ALLOCATE, f"{_PREFIX}{fault}")
        for other in self._books.templates.values():
            if other.name == name and other.uid == request.user.id:
                text = f"{_PREFIX}NAME is already taken by TEMPLATE {other.id}."
                raise RefusalError(Code.ALLOCATE, text)
        item = VmTemplate(
            self._books.new_id("template"),
            request.user.id,
            request.user.gid,
            name,
            regtime=int(request.now),
            template=template,
        )
        self._books.templates[item.id] = item
        return item.id

    def _delete(self, request: Request) -> int:
        template = self._books.template(request.user, request.arguments.integer(0), "MANAGE")
        del self._books.templates[template.id]
        return template.id

    def _update(self, request: Request) -> int:
        template = self._books.template(request.user, request.arguments.integer(0), "MANAGE")
        changes = request.template(1)
        append = request.arguments.integer(2) == 1
        template.template = updated(template.template, changes) if append else changes
        self._books.templates[template.id] = template
        return template.id

    def _rename(self, request: Request) -> int:
        template = self._books.template(request.user, request.arguments.integer(0), "MANAGE")
        name = request.arguments.string(1)
        if fault := fault_of_name(name):
            raise RefusalError(Code.ACTION, fault)
        template.name = name
        self._books.templates[template.id] = template
        return template.id

    def _list(self, request: Request) -> str:
        filter_flag, first, last = (request.arguments.integer(index) for index in range(3))
        if filter_flag < -4:
            raise RefusalError(Code.API, "Incorrect filter_flag")
        templates = sorted(self._books.templates.values(), key=lambda template: -template.id)
        documents = (
            template_document(template, self._books)
            for template in templates
            if selected(request.user, template, filter_flag, first, last)
        )
        return pool("VMTEMPLATE_POOL", documents)
