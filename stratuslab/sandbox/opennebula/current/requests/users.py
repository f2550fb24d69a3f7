"""The requests about users: look, update, login tokens, quotas; and whose session a call has."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from stratuslab.sandbox.opennebula.current.attributes import updated
from stratuslab.sandbox.opennebula.current.objects import GROUPS, Token
from stratuslab.sandbox.opennebula.current.quotas import changed_quotas
from stratuslab.sandbox.opennebula.model.documents import id_elements, pool
from stratuslab.sandbox.opennebula.refusals import Code, RefusalError, missing, not_authorized
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import Account
    from stratuslab.sandbox.opennebula.current.quotas import Quotas
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests

_DEFAULTS = (
    "<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA>"
    "<IMAGE_QUOTA></IMAGE_QUOTA>"
)
_DEFAULT_QUOTAS = f"<DEFAULT_USER_QUOTAS>{_DEFAULTS}</DEFAULT_USER_QUOTAS>"
_OWN, _FOR_EVER = -1, -1
_RESTRICTED = ("VM_ADMIN_OPERATIONS", "VM_MANAGE_OPERATIONS", "VM_USE_OPERATIONS")


@dataclass(frozen=True)
class UserRequests:
    """Answers the requests about users."""

    books: Books
    quotas: Quotas

    def requests(self) -> Requests:
        """Return what answers each method."""
        return {
            "one.user.info": self._show,
            "one.user.update": self._update,
            "one.user.login": self._login,
            "one.user.quota": self._set_quota,
            "one.group.quota": self._set_group_quota,
            "one.group.info": self._show_group,
            "one.userpool.info": self._list,
            "one.userquota.info": lambda _: _DEFAULT_QUOTAS,
        }

    def authenticated(self, session: str, now: float) -> Account:
        """Return the user whose name, and password or login token, a session holds; raises RefusalError."""
        name, colon, secret = session.partition(":")
        user = self.books.user_named(name) if colon else None
        if user is not None:
            digest = hashlib.sha256(secret.encode()).hexdigest()
            tokens = (token for token in user.tokens if _is_valid(token, now))
            if secrets.compare_digest(digest, user.password_hash) or any(
                secrets.compare_digest(token.text.encode(), secret.encode()) for token in tokens
            ):
                return user
        raise RefusalError(Code.AUTHENTICATION, "User couldn't be authenticated, aborting call.")

    def _show(self, request: Request) -> str:
        user = self._user(request, "USE")
        tokens = "".join(
            f"<LOGIN_TOKEN><TOKEN>{escape(token.text)}</TOKEN><EXPIRATION_TIME>{token.expires}</EXPIRATION_TIME>"
            f"<EGID>{token.group}</EGID></LOGIN_TOKEN>"
            for token in user.tokens
        )
        quotas = self.quotas.document(user)
        return f"<USER>{self._elements(user)}{tokens}{user.template.to_xml()}{quotas}{_DEFAULT_QUOTAS}</USER>"

    def _elements(self, user: Account) -> str:
        return (
            f"<ID>{user.uid}</ID><GID>{user.gid}</GID><GROUPS><ID>{user.gid}</ID></GROUPS>"
            f"<GNAME>{GROUPS[user.gid]}</GNAME><NAME>{escape(user.name)}</NAME>"
            f"<PASSWORD><![CDATA[{user.password_hash}]]></PASSWORD>"
            "<AUTH_DRIVER><![CDATA[core]]></AUTH_DRIVER><ENABLED>1</ENABLED>"
        )

    def _list(self, request: Request) -> str:
        users = [*self.books.users.values()] if request.user.is_admin else [request.user]
        documents = [
            f"<USER>{self._elements(user)}{user.template.to_xml()}</USER>"
            f"<QUOTAS><ID>{user.uid}</ID>{self.quotas.document(user)}</QUOTAS>"
            for user in sorted(users, key=lambda user: -user.uid)
        ]
        return pool("USER_POOL", [*documents, _DEFAULT_QUOTAS])

    def _update(self, request: Request) -> int:
        user = self._user(request, "MANAGE")
        kept = user.template if request.arguments.integer(2) == 1 else Template()
        changes = dict(request.template(1).attributes)  # of a name given twice, the last one counts
        for name in () if request.user.is_admin else _RESTRICTED:
            if name in changes:
                text = f"User Template includes a restricted attribute {name}"
                raise RefusalError(Code.INTERNAL, f"Cannot update template. {text}")
        user.template = updated(kept, Template([*changes.items()]), 1)
        self.books.users[user.uid] = user
        return user.uid

    def _login(self, request: Request) -> str:
        name, text = request.arguments.string(0), request.arguments.string(1)
        seconds, group = request.arguments.integer(2), request.arguments.integer(3, -1)
        user = self.books.user_named(name)
        if user is None:
            raise RefusalError(Code.NO_EXISTS, "Error getting user Pool.")
        if user.uid != request.user.uid and not request.user.is_admin:
            raise not_authorized(request.user, "MANAGE USER", user.uid)
        user.tokens = [t for t in user.tokens if t.text != text and _is_valid(t, request.now)]
        if seconds:
            text = text or secrets.token_hex(32)
            expires = _FOR_EVER if seconds < 0 else int(request.now) + seconds
            user.tokens.append(Token(text, expires, group))
        self.books.users[user.uid] = user
        return text

    def _set_quota(self, request: Request) -> int:
        user = self._user(request, "ADMIN")
        user.quotas.update(changed_quotas(request.template(1)))
        self.books.users[user.uid] = user
        return user.uid

    def _set_group_quota(self, request: Request) -> int:
        group_id = request.arguments.integer(0)
        if not request.user.is_admin:
            raise not_authorized(request.user, "ADMIN GROUP", group_id)
        self.books.group_quotas.update(changed_quotas(request.template(1)))
        return group_id

    def _show_group(self, request: Request) -> str:
        group_id = request.arguments.integer(0)
        group_id = request.user.gid if group_id == _OWN else group_id
        if group_id not in GROUPS:
            raise missing("GROUP", group_id)
        members = id_elements(user.uid for user in self.books.users.values() if user.gid == group_id)
        return (
            f"<GROUP><ID>{group_id}</ID><NAME>{GROUPS[group_id]}</NAME><TEMPLATE></TEMPLATE><USERS>{members}</USERS>"
            f"<ADMINS></ADMINS>{_DEFAULTS}<DEFAULT_GROUP_QUOTAS>{_DEFAULTS}</DEFAULT_GROUP_QUOTAS></GROUP>"
        )

    def _user(self, request: Request, right: str) -> Account:
        user_id = request.arguments.integer(0)
        user_id = request.user.uid if user_id == _OWN else user_id
        is_own = user_id == request.user.uid and right != "ADMIN"
        if user_id not in self.books.users:
            raise missing("USER", user_id)
        if not is_own and not request.user.is_admin:
            raise not_authorized(request.user, f"{right} USER", user_id)
        return self.books.users[user_id]


def _is_valid(token: Token, now: float) -> bool:
    return token.expires == _FOR_EVER or token.expires > now
