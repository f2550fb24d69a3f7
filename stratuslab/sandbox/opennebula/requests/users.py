"""What OpenNebula tells of its users and groups."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.users import ADMIN, SERVERADMIN
from stratuslab.sandbox.opennebula.requests.request import missing, not_authorized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.opennebula.model.users import User, UserPool
    from stratuslab.sandbox.opennebula.requests.request import Arguments, Requests

_MYSELF = -1
_PROXY_PASSWORD = "a" * 40
_DRIVERS = {ADMIN.uid: "core", SERVERADMIN.uid: "server_cipher"}


class UserRequests:
    """The requests which concern users and groups: to look at them, for the administrator at all of them."""

    def __init__(self, users: UserPool) -> None:
        self._users = users
        self.requests: Requests = {
            "one.user.info": self._show_user,
            "one.userpool.info": self._list_users,
            "one.group.info": self._show_group,
            "one.grouppool.info": self._list_groups,
        }

    def _everybody(self) -> list[User]:
        return sorted([*self._users.users.values(), SERVERADMIN], key=lambda user: user.uid)

    def _show_user(self, user: User, arguments: Arguments) -> str:
        uid = arguments.integer(0)
        uid = user.uid if uid == _MYSELF else uid
        if uid != user.uid and not user.is_admin:
            raise not_authorized(user, "USE USER", uid)
        found = next((known for known in self._everybody() if known.uid == uid), None)
        if found is None:
            raise missing("user", uid)
        return _user_document(found)

    def _list_users(self, user: User, _arguments: Arguments) -> str:
        users = self._everybody() if user.is_admin else []
        return f"<USER_POOL>{''.join(map(_user_document, users))}</USER_POOL>"

    def _show_group(self, user: User, arguments: Arguments) -> str:
        gid = arguments.integer(0)
        if gid != user.gid and not user.is_admin:
            raise not_authorized(user, "USE GROUP", gid)
        members = [known for known in self._everybody() if known.gid == gid]
        if not members:
            raise missing("group", gid)
        return _group_document(members)

    def _list_groups(self, user: User, _arguments: Arguments) -> str:
        everybody = self._everybody() if user.is_admin else []
        groups: dict[int, list[User]] = {}
        for known in everybody:
            groups.setdefault(known.gid, []).append(known)
        documents = (_group_document(members) for _, members in sorted(groups.items()))
        return f"<GROUP_POOL>{''.join(documents)}</GROUP_POOL>"


def _user_document(user: User) -> str:
    """Return `<USER>`; the password is the proxy's, for the real ones OpenNebula never hears."""
    driver = _DRIVERS.get(user.uid, "dummy")
    own = hashlib.sha1(user.login.encode(), usedforsecurity=False).hexdigest()
    return (
        f"<USER><ID>{user.uid}</ID><GID>{user.gid}</GID><GNAME>{user.gname}</GNAME><NAME>{user.uname}</NAME>"
        f"<PASSWORD>{own if user.uid in _DRIVERS else _PROXY_PASSWORD}</PASSWORD>"
        f"<AUTH_DRIVER>{driver}</AUTH_DRIVER><ENABLED>1</ENABLED><TEMPLATE></TEMPLATE></USER>"
    )


def _group_document(members: Iterable[User]) -> str:
    users = [*members]
    ids = "".join(f"<ID>{user.uid}</ID>" for user in users)
    return f"<GROUP><ID>{users[0].gid}</ID><NAME>{users[0].gname}</NAME><USERS>{ids}</USERS></GROUP>"
