"""What Libcloud offers and a StratusLab cloud has not: each function says so in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from libcloud.compute.base import NodeDriver

if TYPE_CHECKING:
    from libcloud.compute.base import (
        KeyPair,
        Node,
        NodeImage,
        StorageVolume,
        VolumeSnapshot,
    )

__all__ = ["UnsupportedOperations"]

_NO_KEYS = (
    "a StratusLab cloud keeps no key pairs: give create_node auth=NodeAuthSSHKey(public key), "
    "or name the file in the configuration key user_public_key_file"
)
_NO_SNAPSHOTS = "PDisk makes no snapshots of data volumes"
_NO_IMAGES = (
    "the Marketplace takes signed metadata, not images: start the node with ex_save_as and end it with "
    "ex_save_node to get a new image"
)


class UnsupportedOperations(NodeDriver):
    """The part of Libcloud's interface that raises ``NotImplementedError``."""

    def create_image(self, node: Node, name: str, description: str | None = None) -> NoReturn:
        """Not offered: an image is made of a node that was started for it, see ``ex_save_node``."""
        raise NotImplementedError(_NO_IMAGES)

    def delete_image(self, node_image: NodeImage) -> NoReturn:
        """Not offered: only its endorser can deprecate an entry, by a new signed entry."""
        raise NotImplementedError(
            "only its endorser can withdraw an image, by a newly signed Marketplace entry"
        )

    def copy_image(
        self, source_region: str, node_image: NodeImage, name: str, description: str | None = None
    ) -> NoReturn:
        """Not offered: every location can start any image of the Marketplace."""
        raise NotImplementedError(
            "images need no copying: every location starts any image of the Marketplace"
        )

    def list_volume_snapshots(self, volume: StorageVolume) -> NoReturn:
        """Not offered by PDisk."""
        raise NotImplementedError(_NO_SNAPSHOTS)

    def create_volume_snapshot(self, volume: StorageVolume, name: str | None = None) -> NoReturn:
        """Not offered by PDisk."""
        raise NotImplementedError(_NO_SNAPSHOTS)

    def destroy_volume_snapshot(self, snapshot: VolumeSnapshot) -> NoReturn:
        """Not offered by PDisk."""
        raise NotImplementedError(_NO_SNAPSHOTS)

    def list_key_pairs(self) -> NoReturn:
        """Not offered: public keys are given to each node."""
        raise NotImplementedError(_NO_KEYS)

    def get_key_pair(self, name: str) -> NoReturn:
        """Not offered: public keys are given to each node."""
        raise NotImplementedError(_NO_KEYS)

    def create_key_pair(self, name: str) -> NoReturn:
        """Not offered: public keys are given to each node."""
        raise NotImplementedError(_NO_KEYS)

    def import_key_pair_from_string(self, name: str, key_material: str) -> NoReturn:
        """Not offered: public keys are given to each node."""
        raise NotImplementedError(_NO_KEYS)

    def import_key_pair_from_file(self, name: str, key_file_path: str) -> NoReturn:
        """Not offered: public keys are given to each node."""
        raise NotImplementedError(_NO_KEYS)

    def delete_key_pair(self, key_pair: KeyPair) -> NoReturn:
        """Not offered: public keys are given to each node."""
        raise NotImplementedError(_NO_KEYS)
