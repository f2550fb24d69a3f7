"""The requests about users: look, update, login tokens, quotas; and who a session is."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from stratuslab.sandbox.opennebula.current.attributes import updated, xml_of
from stratuslab.sandbox.opennebula.current.documents import pool
from stratuslab.sandbox.opennebula.current.objects import Token
from stratuslab.sandbox.opennebula.current.quotas import changed_quotas
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError, missing, not_authorized
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


class UserRequests:
    """Answers the requests about users."""

    def __init__(self, books: Books, quotas: Quotas) -> None:
        self._books = books
        self._quotas = quotas
        self.requests: Requests = {
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
        """Return the user whose name and password, or login token, a session is; raises RefusalError."""
        name, colon, secret = session.partition(":")
        user = self._books.user_named(name) if colon else None
        if user is not None:
            digest = hashlib.sha256(secret.encode()).hexdigest()
            if secrets.compare_digest(digest, user.password_hash) or any(
                secrets.compare_digest(token.text.encode(), secret.encode())
                for token in user.tokens
                if token.expires == _FOR_EVER or token.expires > now
            ):
                return user
        raise RefusalError(Code.AUTHENTICATION, "User couldn't be authenticated, aborting call.")

    def _show(self, request: Request) -> str:
        user_id = request.arguments.integer(0)
        user = self._user(request, user_id, "USE")
        tokens = "".join(
            f"<LOGIN_TOKEN><TOKEN>{escape(token.text)}</TOKEN><EXPIRATION_TIME>{token.expires}</EXPIRATION_TIME>"
            f"<EGID>{token.group}</EGID></LOGIN_TOKEN>"
            for token in user.tokens
        )
        quotas = self._quotas.document(user)
        return f"<USER>{self._elements(user)}{tokens}{xml_of(user.template)}{quotas}{_DEFAULT_QUOTAS}</USER>"

    def _elements(self, user: Account) -> str:
        return (
            f"<ID>{user.id}</ID><GID>{user.gid}</GID><GROUPS><ID>{user.gid}</ID></GROUPS>"
            f"<GNAME>{user.gname}</GNAME><NAME>{escape(user.name)}</NAME>"
            f"<PASSWORD><![CDATA[{user.password_hash}]]></PASSWORD>"
            "<AUTH_DRIVER><![CDATA[core]]></AUTH_DRIVER><ENABLED>1</ENABLED>"
        )

    def _list(self, request: Request) -> str:
        users = [*self._books.users.values()] if request.user.is_admin else [request.user]
        documents = [
            f"<USER>{self._elements(user)}{xml_of(user.template)}</USER>"
            f"<QUOTAS><ID>{user.id}</ID>{self._quotas.document(user)}</QUOTAS>"
            for user in sorted(users, key=lambda user: -user.id)
        ]
        return pool("USER_POOL", [*documents, _DEFAULT_QUOTAS])

    def _update(self, request: Request) -> int:
        user = self._user(request, request.arguments.integer(0), "MANAGE")
        changes = request.template(1)
        append = request.arguments.integer(2) == 1
        user.template = updated(user.template if append else Template(), changes)
        self._books.users[user.id] = user
        return user.id

    def _login(self, request: Request) -> str:
        name, text = request.arguments.string(0), request.arguments.string(1)
        seconds, group = request.arguments.integer(2), request.optional_integer(3, -1)
        user = self._books.user_named(name)
        if user is None:
            raise RefusalError(Code.NO_EXISTS, f"Error getting user {name}")
        if user.id != request.user.id and not request.user.is_admin:
            raise not_authorized(request.user, "MANAGE USER", user.id)
        user.tokens = [token for token in user.tokens if token.text != text]
        user.tokens = [t for t in user.tokens if t.expires == _FOR_EVER or t.expires > request.now]
        if seconds:
            text = text or secrets.token_hex(32)
            expires = _FOR_EVER if seconds < 0 else int(request.now) + seconds
            user.tokens.append(Token(text, expires, group))
        self._books.users[user.id] = user
        return text

    def _set_quota(self, request: Request) -> int:
        user = self._user(request, request.arguments.integer(0), "ADMIN")
        user.quotas.update(changed_quotas(request.template(1)))
        self._books.users[user.id] = user
        return user.id

    def _set_group_quota(self, request: Request) -> int:
        group_id = request.arguments.integer(0)
        if not request.user.is_admin:
            raise not_authorized(request.user, "ADMIN GROUP", group_id)
        for key, limit in changed_quotas(request.template(1)).items():
            self._books.group_quotas[key] = limit
        return group_id

    def _show_group(self, request: Request) -> str:
        group_id = request.arguments.integer(0)
        group_id = request.user.gid if group_id == _OWN else group_id
        if group_id not in (0, 1):
            raise missing("group", group_id)
        name = "oneadmin" if group_id == 0 else "users"
        members = "".join(f"<ID>{u.id}</ID>" for u in self._books.users.values() if u.gid == group_id)
        return (
            f"<GROUP><ID>{group_id}</ID><NAME>{name}</NAME><TEMPLATE></TEMPLATE><USERS>{members}</USERS>"
            f"<ADMINS></ADMINS>{_DEFAULTS}<DEFAULT_GROUP_QUOTAS>{_DEFAULTS}</DEFAULT_GROUP_QUOTAS></GROUP>"
        )

    def _user(self, request: Request, user_id: int, right: str) -> Account:
        user_id = request.user.id if user_id == _OWN else user_id
        is_own = user_id == request.user.id and right != "ADMIN"
        if not is_own and not request.user.is_admin:
            raise not_authorized(request.user, f"{right} USER", user_id)
        if user_id not in self._books.users:
            raise missing("user", user_id)
        return self._books.users[user_id]
