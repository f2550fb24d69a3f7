"""OpenNebula's rules of who may do what: kept and shown, but this cloud has no use for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.requests.request import ErrorCode, RequestError, not_authorized

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.model.users import User
    from stratuslab.sandbox.opennebula.requests.request import Arguments, Requests
    from stratuslab.sandbox.table import Table

_INDIVIDUAL = 0x100000000
_GROUP = 0x200000000
_ALL = 0x400000000
_SCOPES = _INDIVIDUAL | _GROUP | _ALL
_ID = 0xFFFFFFFF
_TYPES = {
    "VM": 0x1000000000,
    "HOST": 0x2000000000,
    "NET": 0x4000000000,
    "IMAGE": 0x8000000000,
    "USER": 0x10000000000,
    "TEMPLATE": 0x20000000000,
    "GROUP": 0x40000000000,
}
_RIGHTS = {"USE": 0x1, "MANAGE": 0x2, "ADMIN": 0x4, "CREATE": 0x8}


@dataclass(frozen=True)
class AclRule:
    """A rule, in OpenNebula's bits: whom it is for, on which objects, and what they may."""

    user: int
    resource: int
    rights: int

    def __str__(self) -> str:
        types = "+".join(name for name, bit in _TYPES.items() if self.resource & bit)
        rights = "+".join(name for name, bit in _RIGHTS.items() if self.rights & bit)
        return f"{_scope(self.user)} {types}/{_scope(self.resource)} {rights}"

    def fault(self) -> str:
        """Return what is wrong with the rule, nothing if it is a proper one."""
        for name, value in (("user", self.user), ("resource", self.resource)):
            if not value & _SCOPES:
                return f"[{name}] is missing one of the INDIVIDUAL, GROUP or ALL bits"
            if value & _INDIVIDUAL and value & _GROUP:
                return f"[{name}] INDIVIDUAL (#) and GROUP (@) bits are exclusive"
            if value & _ALL and value & _ID:
                return f"when using the ALL bit, [{name}] ID must be 0"
        if not any(self.resource & bit for bit in _TYPES.values()):
            return "[resource] type is missing"
        if not self.rights:
            return "wrong [rights], it cannot be 0"
        return ""


DEFAULT_RULES = {
    0: AclRule(
        _GROUP | 1,
        _TYPES["VM"] | _TYPES["NET"] | _TYPES["IMAGE"] | _TYPES["TEMPLATE"] | _ALL,
        _RIGHTS["CREATE"],
    ),
    1: AclRule(_GROUP | 1, _TYPES["HOST"] | _ALL, _RIGHTS["MANAGE"]),
}
"""The rules with which an OpenNebula begins: the group users may create things, and use hosts."""


class AclRequests:
    """The requests which concern the rules; they are the administrator's."""

    def __init__(self, rules: Table[int, AclRule]) -> None:
        self._rules = rules
        self.requests: Requests = {
            "one.acl.info": self._show,
            "one.acl.addrule": self._add,
            "one.acl.delrule": self._delete,
        }

    def _show(self, user: User, _arguments: Arguments) -> str:
        _require_admin(user)
        rules = (
            f"<ACL><ID>{rule_id}</ID><USER>{rule.user:x}</USER><RESOURCE>{rule.resource:x}</RESOURCE>"
            f"<RIGHTS>{rule.rights:x}</RIGHTS><STRING>{rule}</STRING></ACL>"
            for rule_id, rule in sorted(self._rules.items())
        )
        return f"<ACL_POOL>{''.join(rules)}</ACL_POOL>"

    def _add(self, user: User, arguments: Arguments) -> int:
        rule = AclRule(*(_hexadecimal(arguments.string(index)) for index in range(3)))
        _require_admin(user)
        if fault := rule.fault():
            raise RequestError(ErrorCode.INTERNAL, f"Rule {rule} is malformed: {fault}")
        if rule in self._rules.values():
            raise RequestError(ErrorCode.INTERNAL, f"Rule {rule} already exists")
        rule_id = max(self._rules, default=-1) + 1
        self._rules[rule_id] = rule
        return rule_id

    def _delete(self, user: User, arguments: Arguments) -> int:
        rule_id = arguments.integer(0)
        _require_admin(user)
        if rule_id not in self._rules:
            raise RequestError(ErrorCode.INTERNAL, f"Rule {rule_id} does not exist")
        del self._rules[rule_id]
        return rule_id


def _require_admin(user: User) -> None:
    if not user.is_admin:
        raise not_authorized(user, "MANAGE ACL")


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _scope(value: int) -> str:
    if value & _INDIVIDUAL:
        return f"#{value & _ID}"
    if value & _GROUP:
        return f"@{value & _ID}"
    return "*" if value & _ALL else "??"
