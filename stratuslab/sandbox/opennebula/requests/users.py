"""What OpenNebula 3.2 tells of its users and groups."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.documents import id_elements, pool
from stratuslab.sandbox.opennebula.model.users import ADMIN, SERVERADMIN
from stratuslab.sandbox.opennebula.refusals import missing, not_authorized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratuslab.sandbox.opennebula.model.users import User, UserPool
    from stratuslab.sandbox.opennebula.requests.request import Request, Requests

_MYSELF = -1
_PROXY_PASSWORD = "a" * 40
_DRIVERS = {ADMIN.uid: "core", SERVERADMIN.uid: "server_cipher"}


class UserRequests:
    """Answers the requests about users and groups; only administrators see all of them."""

    def __init__(self, users: UserPool) -> None:
        self._users = users
        self.requests: Requests[User] = {
            "one.user.info": self._show_user,
            "one.userpool.info": self._list_users,
            "one.group.info": self._show_group,
            "one.grouppool.info": self._list_groups,
        }

    def _everybody(self) -> list[User]:
        return sorted([*self._users.users.values(), SERVERADMIN], key=lambda user: user.uid)

    def _show_user(self, request: Request[User]) -> str:
        user, uid = request.user, request.arguments.integer(0)
        uid = user.uid if uid == _MYSELF else uid
        if uid != user.uid and not user.is_admin:
            raise not_authorized(user, "USE USER", uid)
        for known in self._everybody():
            if known.uid == uid:
                return _user_document(known)
        raise missing("USER", uid)

    def _list_users(self, request: Request[User]) -> str:
        return pool("USER_POOL", map(_user_document, self._everybody() if request.user.is_admin else []))

    def _show_group(self, request: Request[User]) -> str:
        user, gid = request.user, request.arguments.integer(0)
        if gid != user.gid and not user.is_admin:
            raise not_authorized(user, "USE GROUP", gid)
        members = [known for known in self._everybody() if known.gid == gid]
        if not members:
            raise missing("GROUP", gid)
        return _group_document(members)

    def _list_groups(self, request: Request[User]) -> str:
        groups: dict[int, list[User]] = {}
        for known in self._everybody() if request.user.is_admin else []:
            groups.setdefault(known.gid, []).append(known)
        return pool("GROUP_POOL", (_group_document(members) for _, members in sorted(groups.items())))


def _user_document(user: User) -> str:
    """Return `<USER>`; the password is the proxy's, because OpenNebula never hears the real ones."""
    driver = _DRIVERS.get(user.uid, "dummy")
    own = hashlib.sha1(user.login.encode(), usedforsecurity=False).hexdigest()
    return (
        f"<USER><ID>{user.uid}</ID><GID>{user.gid}</GID><GNAME>{user.gname}</GNAME><NAME>{user.uname}</NAME>"
        f"<PASSWORD>{own if user.uid in _DRIVERS else _PROXY_PASSWORD}</PASSWORD>"
        f"<AUTH_DRIVER>{driver}</AUTH_DRIVER><ENABLED>1</ENABLED><TEMPLATE></TEMPLATE></USER>"
    )


def _group_document(members: Sequence[User]) -> str:
    ids = id_elements(user.uid for user in members)
    return f"<GROUP><ID>{members[0].gid}</ID><NAME>{members[0].gname}</NAME><USERS>{ids}</USERS></GROUP>"
