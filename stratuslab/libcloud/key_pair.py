"""The operations of the driver on key pairs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from libcloud.compute.base import KeyPair, NodeDriver
from libcloud.utils.publickey import get_pubkey_openssh_fingerprint
from stratuslab.client.errors import InvalidArgumentError, NotOfferedError
from stratuslab.libcloud.arguments import text

if TYPE_CHECKING:
    from stratuslab.client.kinds.offers import KeyPairs, PublicKey
    from stratuslab.libcloud.locations import Locations

__all__ = ["KeyPairOperations"]


class KeyPairOperations(NodeDriver):
    """The part of the driver that keeps public keys in the cloud, at the default location.

    OpenNebula keeps them in the user's own template. A StratusLab cloud keeps none.

    :raises NotOfferedError: from every method, at a StratusLab cloud.
    """

    _locations: Locations

    def list_key_pairs(self) -> list[KeyPair]:
        """Return the key pairs by name (``one.user.info``)."""
        return [self._as_key_pair(key) for key in self._key_pairs().list_keys()]

    def get_key_pair(self, name: str) -> KeyPair:
        """Return one key pair (``one.user.info``).

        :raises NotFoundError: if there is no key pair of this name.
        """
        keys = self._key_pairs()
        keys.check()
        return self._as_key_pair(keys.key(text("name", name)))

    def create_key_pair(self, name: str) -> KeyPair:
        """Make a key pair on this machine, and keep the public key in the cloud (``one.user.update``).

        The private key is in ``private_key`` of the result and nowhere else. Needs the package
        ``cryptography``, which the extra ``deploy`` brings.
        """
        keys = self._key_pairs()
        keys.check()
        private, public = _new_key(text("name", name))
        pair = self._as_key_pair(keys.add(name, public))
        pair.private_key = private
        return pair

    def import_key_pair_from_string(self, name: str, key_material: str) -> KeyPair:
        """Keep a public key in the cloud (``one.user.info``, then ``one.user.update``).

        :raises ConflictError: if there is a key pair of this name already.
        """
        return self._as_key_pair(self._key_pairs().add(name, key_material))

    def import_key_pair_from_file(self, name: str, key_file_path: str) -> KeyPair:
        """Keep the public key of a file in the cloud, as :meth:`import_key_pair_from_string`."""
        self._key_pairs().check()
        try:
            material = Path(key_file_path).expanduser().read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError, RuntimeError, TypeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise InvalidArgumentError(
                f"found {key_file_path!r}; it cannot be read: {reason}", argument="key_file_path"
            ) from None
        return self.import_key_pair_from_string(name, material)

    def delete_key_pair(self, key_pair: KeyPair) -> bool:
        """Forget a key pair (``one.user.info``, then ``one.user.update``)."""
        keys = self._key_pairs()
        keys.check()
        if not isinstance(key_pair, KeyPair):
            raise InvalidArgumentError(
                f"found {key_pair!r}; give one of list_key_pairs()", argument="key_pair"
            )
        keys.delete(key_pair.name)
        return True

    def _key_pairs(self) -> KeyPairs:
        return self._locations.site(self._locations.default).key_pairs

    def _as_key_pair(self, key: PublicKey) -> KeyPair:
        try:
            fingerprint = get_pubkey_openssh_fingerprint(key.public_key)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001  whatever a user keeps there
            fingerprint = ""
        return KeyPair(key.name, key.public_key, fingerprint, self)


def _new_key(name: str) -> tuple[str, str]:
    """Return a new private key and its public one."""
    try:
        serialization = import_module("cryptography.hazmat.primitives.serialization")
        ed25519 = import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        raise NotOfferedError(
            "a key is made by the package cryptography, which is not installed; install it, or make "
            "the key with "
            "ssh-keygen and give import_key_pair_from_string the public one",
            operation="create_key_pair",
        ) from None
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return private.decode("ascii"), f"{public.decode('ascii')} {name}"
