"""OpenNebula's users at one location."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote_plus

from stratuslab.sandbox.table import Table

ONEADMIN = "oneadmin"
_FIRST_UID = 2


@dataclass(frozen=True)
class User:
    """A user by the login name, as PDisk has it, and by what OpenNebula makes of it."""

    login: str
    uid: int
    gid: int
    gname: str

    @property
    def uname(self) -> str:
        """The name in OpenNebula's documents: the login name, encoded as in a URL."""
        return quote_plus(self.login, safe="*").replace("~", "%7E")  # as Java's URLEncoder

    @property
    def is_admin(self) -> bool:
        """Whether the user may see and do everything."""
        return self.gid == 0


class OfUser:
    """What belongs to a user; 3.2 has no locks."""

    owner: User
    lock = 0

    @property
    def uid(self) -> int:
        """The number of the owner."""
        return self.owner.uid

    @property
    def gid(self) -> int:
        """The number of the owner's group."""
        return self.owner.gid


ADMIN = User(ONEADMIN, 0, 0, ONEADMIN)
SERVERADMIN = User("serveradmin", 1, 0, ONEADMIN)


@dataclass
class UserPool:
    """The users, each known from the first call on; uid 0 and 1 are OpenNebula's own."""

    users: Table[str, User] = field(default_factory=lambda: Table({ONEADMIN: ADMIN}))

    def contact(self, login: str) -> User:
        """Return the user of that login name, who becomes a member of the group users if unknown."""
        if login not in self.users:
            self.users[login] = User(login, _FIRST_UID + len(self.users) - 1, 1, "users")
        return self.users[login]
