"""The requests to OpenNebula 3.2 about the templates that it keeps, to make VMs of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import owner_elements, permission_elements, pool
from stratuslab.sandbox.opennebula.model.names import check_name, fault_if_taken
from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY, USED_BY_ALL, found
from stratuslab.sandbox.opennebula.model.users import OfUser
from stratuslab.sandbox.opennebula.requests.request import Selection
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratuslab.sandbox.opennebula.model.ids import NextIds
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.template.template import Value
    from stratuslab.sandbox.table import Table


@dataclass(frozen=True)
class KeptTemplate(OfUser):
    """A template; `regtime` in Unix seconds."""

    id: int
    owner: User
    name: str
    regtime: int
    attributes: Sequence[tuple[str, Value]]

    @property
    def template(self) -> Template:
        """The template, for changing it."""
        return Template([*self.attributes]).copy()

    @property
    def permissions(self) -> str:
        """Nine digits."""
        return USED_BY_ALL if self.template.single("PUBLIC").upper() == "YES" else OWNER_ONLY

    def to_xml(self) -> str:
        """Return `<VMTEMPLATE>`."""
        return (
            f"<VMTEMPLATE>{owner_elements(self, self.owner.uname, self.owner.gname)}"
            f"{permission_elements(self)}<REGTIME>{self.regtime}</REGTIME>{self.template.to_xml()}</VMTEMPLATE>"
        )


class TemplateRequests:
    """Keeps templates; `make_vm` makes a VM of one, and returns its id or raises RefusalError."""

    def __init__(
        self,
        templates: Table[int, KeptTemplate],
        next_ids: NextIds,
        make_vm: Callable[[Template, Request[User]], int],
    ) -> None:
        self._templates = templates
        self._next_ids = next_ids
        self._make_vm = make_vm
        self.requests: Requests[User] = {
            "one.template.allocate": self._allocate,
            "one.template.delete": self._delete,
            "one.template.info": self._show,
            "one.template.instantiate": self._instantiate,
            "one.template.update": self._update,
            "one.templatepool.info": self._list,
        }

    def _allocate(self, request: Request[User]) -> int:
        template = request.template(0, "Error allocating a new virtual machine template. ")
        name = template.single("NAME") or f"template-{self._next_ids.next('template')}"
        taken = fault_if_taken(name, request.user.uid, self._templates.values(), "TEMPLATE")
        check_name(name, "TEMPLATE", taken)
        template.replace("NAME", name)
        number = self._next_ids.take("template")
        self._templates[number] = KeptTemplate(
            number, request.user, name, int(request.now), template.attributes
        )
        return number

    def _show(self, request: Request[User]) -> str:
        return self._found(request, "USE").to_xml()

    def _list(self, request: Request[User]) -> str:
        selection = Selection.of(request.arguments, has_pages=False)
        templates = selection.pick(self._templates.values(), request.user)
        return pool("VMTEMPLATE_POOL", (template.to_xml() for template in templates))

    def _update(self, request: Request[User]) -> int:
        kept = self._found(request, "MANAGE")
        attributes = request.template(1, "Cannot update template. ").attributes
        self._templates[kept.id] = replace(kept, attributes=attributes)
        return kept.id

    def _delete(self, request: Request[User]) -> int:
        kept = self._found(request, "MANAGE")
        del self._templates[kept.id]
        return kept.id

    def _instantiate(self, request: Request[User]) -> int:
        kept = self._found(request, "USE")
        template = kept.template
        template.replace("NAME", request.arguments.string(1) or kept.name)
        template.replace("TEMPLATE_ID", str(kept.id))
        return self._make_vm(template, request)

    def _found(self, request: Request[User], right: str) -> KeptTemplate:
        return found(self._templates, request.user, request.arguments.integer(0), right, "TEMPLATE")
