"""The requests to OpenNebula which concern templates that it keeps, to make VMs of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.permissions import OWNER_ONLY, USED_BY_ALL
from stratuslab.sandbox.opennebula.requests.request import (
    ErrorCode,
    RequestError,
    Selection,
    missing,
    not_authorized,
    required_name,
)
from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.model.users import User, UserPool
    from stratuslab.sandbox.opennebula.requests.request import Arguments, Requests
    from stratuslab.sandbox.opennebula.template.template import Value
    from stratuslab.sandbox.table import Table

_NEXT_ID = "template"


@dataclass(frozen=True)
class KeptTemplate:
    """A template; `owner` is a login name, `regtime` in Unix seconds."""

    id: int
    owner: str
    name: str
    regtime: int
    attributes: Sequence[tuple[str, Value]]

    @property
    def is_public(self) -> bool:
        """Whether everybody may use it."""
        return Template([*self.attributes]).single("PUBLIC").upper() == "YES"

    def to_xml(self, owner: User) -> str:
        """Return `<VMTEMPLATE>`; `owner` is the user whose login name is the template's."""
        return (
            f"<VMTEMPLATE><ID>{self.id}</ID><UID>{owner.uid}</UID><GID>{owner.gid}</GID>"
            f"<UNAME>{owner.uname}</UNAME><GNAME>{owner.gname}</GNAME><NAME>{self.name}</NAME>"
            f"{USED_BY_ALL if self.is_public else OWNER_ONLY}<REGTIME>{self.regtime}</REGTIME>"
            f"{Template([*self.attributes]).to_xml()}</VMTEMPLATE>"
        )


class TemplateRequests:
    """Keeps templates; `make_vm` makes a VM of one for a user, and returns its id or raises RequestError."""

    def __init__(
        self,
        templates: Table[int, KeptTemplate],
        next_ids: Table[str, int],
        users: UserPool,
        clock: Clock,
        make_vm: Callable[[Template, User], int],
    ) -> None:
        self._templates = templates
        self._next_ids = next_ids
        self._users = users
        self._clock = clock
        self._make_vm = make_vm
        self.requests: Requests = {
            "one.template.allocate": self._allocate,
            "one.template.delete": self._delete,
            "one.template.info": self._show,
            "one.template.instantiate": self._instantiate,
            "one.template.update": self._update,
            "one.templatepool.info": self._list,
        }

    def _allocate(self, user: User, arguments: Arguments) -> int:
        template = _parsed(arguments.string(0), "Error allocating a new virtual machine template. ")
        taken = {known.name: known.id for known in self._templates.values() if known.owner == user.login}
        template_id = self._next_ids.get(_NEXT_ID, 0)
        name = template.single("NAME") or f"template-{template_id}"
        required_name(name, taken, "TEMPLATE", "virtual machine template")
        template.replace("NAME", name)
        self._templates[template_id] = KeptTemplate(
            template_id, user.login, name, int(self._clock.now()), template.attributes
        )
        self._next_ids[_NEXT_ID] = template_id + 1
        return template_id

    def _show(self, user: User, arguments: Arguments) -> str:
        template = self._template(user, arguments.integer(0), "USE")
        return template.to_xml(self._users.contact(template.owner))

    def _list(self, user: User, arguments: Arguments) -> str:
        selection = Selection.of(arguments)
        selected = (
            template.to_xml(owner)
            for template in [*self._templates.values()]
            for owner in [self._users.contact(template.owner)]
            if selection.has_id(template.id)
            and selection.has_owner(owner, user, usable=_may_use(template, user))
        )
        return f"<VMTEMPLATE_POOL>{''.join(selected)}</VMTEMPLATE_POOL>"

    def _update(self, user: User, arguments: Arguments) -> int:
        template = self._template(user, arguments.integer(0), "MANAGE")
        attributes = _parsed(arguments.string(1), "Cannot update template. ").attributes
        self._templates[template.id] = replace(template, attributes=attributes)
        return template.id

    def _delete(self, user: User, arguments: Arguments) -> int:
        template = self._template(user, arguments.integer(0), "MANAGE")
        del self._templates[template.id]
        return template.id

    def _instantiate(self, user: User, arguments: Arguments) -> int:
        kept = self._template(user, arguments.integer(0), "USE")
        name = arguments.string(1)
        template = Template(
            [(key, {**value} if isinstance(value, dict) else value) for key, value in kept.attributes]
        )
        template.replace("NAME", name or kept.name)
        template.replace("TEMPLATE_ID", str(kept.id))
        return self._make_vm(template, user)

    def _template(self, user: User, template_id: int, right: str) -> KeptTemplate:
        template = self._templates.get(template_id)
        if template is None:
            raise missing("virtual machine template", template_id)
        is_own = user.is_admin or template.owner == user.login
        if not (is_own or (right == "USE" and template.is_public)):
            raise not_authorized(user, f"{right} TEMPLATE", template_id)
        return template


def _may_use(template: KeptTemplate, user: User) -> bool:
    return template.is_public or user.is_admin or template.owner == user.login


def _parsed(text: str, prefix: str) -> Template:
    try:
        return parse(text)
    except TemplateError as error:
        raise RequestError(ErrorCode.INTERNAL, f"{prefix}{error}") from error
