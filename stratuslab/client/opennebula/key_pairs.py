"""The public keys that a user keeps in OpenNebula, by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.client.errors import ConflictError, InvalidArgumentError, NotFoundError, StratusLabError
from stratuslab.client.opennebula.pool import describe, object_id, text
from stratuslab.client.opennebula.public_keys import is_private_key
from stratuslab.client.opennebula.template_text import vector
from stratuslab.client.transport.settlement import settled, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.opennebula.rpc import Rpc

__all__ = ["KeyPairs", "PublicKey"]

_PREFIX = "LIBCLOUD_KEY_"
_MYSELF = -1
_APPEND = 1


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; ``attribute`` is what it is called in the user's template."""

    name: str
    public_key: str
    attribute: str


@dataclass(frozen=True, slots=True)
class _User:
    """What is read of a user. The rest of the document holds tokens and hashes, and is kept nowhere."""

    id: int
    keys: tuple[PublicKey, ...]

    @classmethod
    def from_element(cls, user: Element) -> _User:
        number = object_id(user)
        keys = (_key(item) for item in user.iterfind("TEMPLATE/*") if item.tag.startswith(_PREFIX))
        return cls(number, tuple(key for key in keys if key is not None))


class KeyPairs:
    """The user's named public keys, each an attribute of the user's template, which holds other things too.

    So keys are added, and emptied when they are deleted; the template is never replaced.
    """

    def __init__(self, cloud: Cloud, rpc: Rpc) -> None:
        self._cloud = cloud
        self._rpc = rpc

    def list_keys(self) -> list[PublicKey]:
        """Return the keys by name (``one.user.info``)."""
        return sorted(self._user().keys, key=lambda key: key.name)

    def key(self, name: str) -> PublicKey:
        """Return one key (``one.user.info``)."""
        return self._named(self._user(), name)

    def add(self, name: str, public_key: str) -> PublicKey:
        """Keep a public key (``one.user.info``, then ``one.user.update``).

        :raises ConflictError: if there is a key of this name.
        """
        if not isinstance(name, str) or not name.strip():
            raise InvalidArgumentError(f"found {name!r}; give text", argument="name")
        if not isinstance(public_key, str) or not public_key.strip():
            raise InvalidArgumentError("holds no key; give the public key as text", argument="key_material")
        if is_private_key(public_key):
            raise InvalidArgumentError(
                "found a private key, which must not leave your machine", argument="key_material"
            )
        key = PublicKey(name, public_key.strip(), _attribute_of(name))
        template = vector(
            key.attribute, {"NAME": (name, "name"), "PUBLIC_KEY": (key.public_key, "key_material")}
        )
        user = self._user()
        if any(known.name == name for known in user.keys):
            raise ConflictError(
                f"there is a key pair {name!r} already; delete it, or choose another name",
                location=self._cloud.location,
                operation="one.user.update",
            )
        self._update(user, template, lambda keys: key.attribute in keys)
        return key

    def delete(self, name: str) -> None:
        """Forget a key (``one.user.info``, then ``one.user.update``)."""
        user = self._user()
        attribute = self._named(user, name).attribute
        self._update(user, f'{attribute} = ""', lambda keys: attribute not in keys)

    def _update(self, user: _User, template: str, done: Callable[[set[str]], bool]) -> None:
        """Change the user's template; if the call fails, the keys that there are tell whether it was done."""
        try:
            self._rpc.call_about(user.id, "one.user.update", user.id, template, _APPEND, changes=True)
        except StratusLabError as error:

            def look() -> _User | None:
                seen = self._user()
                return seen if done({key.attribute for key in seen.keys}) else None

            if settled(error, look, self._cloud.timeout) is None:
                raise unsettled(error) from error

    def _named(self, user: _User, name: str) -> PublicKey:
        found = next((key for key in user.keys if key.name == name), None)
        if found is None:
            raise NotFoundError(
                f"there is no key pair {name!r}", location=self._cloud.location, operation="one.user.info"
            )
        return found

    def _user(self) -> _User:
        return describe(self._rpc, "one.user.info", _MYSELF, tag="USER", read=_User.from_element)


def _attribute_of(name: str) -> str:
    """Return an attribute of its own for every name: a second one would replace the first."""
    return _PREFIX + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16].upper()


def _key(item: Element) -> PublicKey | None:
    """Return a key, None for one that is emptied."""
    if len(item) == 0:
        plain = (item.text or "").strip()
        return PublicKey(item.tag.removeprefix(_PREFIX).lower(), plain, item.tag) if plain else None
    name, public_key = text(item, "NAME"), text(item, "PUBLIC_KEY") or text(item, "KEY")
    return PublicKey(name, public_key, item.tag) if name and public_key else None
