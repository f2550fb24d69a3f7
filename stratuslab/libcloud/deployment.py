"""Waiting for nodes, and deploying on them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

from libcloud.compute.base import NodeAuthPassword, NodeAuthSSHKey, NodeDriver
from stratuslab.client.errors import InvalidArgumentError, StratusLabError, is_temporary
from stratuslab.client.opennebula.vm import VirtualMachine
from stratuslab.libcloud.arguments import vm_id
from stratuslab.libcloud.node import StratusLabNode, node_of
from stratuslab.libcloud.ssh_keys import private_key_file_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from libcloud.compute.base import Node
    from libcloud.compute.deployment import Deployment
    from stratuslab.libcloud.locations import Locations
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

__all__ = ["DeploymentOperations"]

logger = logging.getLogger(__name__)


class DeploymentOperations(NodeDriver):
    """The part of the driver that waits for nodes and runs something on them."""

    _locations: Locations

    def deploy_node(
        self,
        deploy: Deployment,
        ssh_username: str = "root",
        ssh_alternate_usernames: list[str] | None = None,
        ssh_port: int = 22,
        ssh_timeout: int = 10,
        ssh_key: str | list[str] | None = None,
        ssh_key_password: str | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        timeout: int = 300,
        max_tries: int = 3,
        ssh_interface: str = "public_ips",
        at_exit_func: Callable[..., Any] | None = None,
        wait_period: int = 5,
        **create_node_kwargs: Any,
    ) -> StratusLabNode:
        """Start a node, wait until it runs and run a deployment on it over SSH; needs paramiko.

        This is Libcloud's own method and signature, except that ``ssh_key`` defaults to the file of
        the private key that belongs to the node's public key: ``user_private_key_file`` or the file
        beside the public one. ``create_node_kwargs`` are :meth:`create_node`'s arguments.

        Raises ``DeploymentError``, which holds the node, if it did not run or the deployment failed;
        and, before anything is sent, :class:`~stratuslab.client.errors.InvalidArgumentError` if there is
        neither ``auth`` nor a private key.
        """
        if ssh_key is None:
            cloud = self._locations.site(self._locations.meant(create_node_kwargs.get("location"))).cloud
            public_key = auth.pubkey if isinstance(auth, NodeAuthSSHKey) else None
            ssh_key = private_key_file_for(cloud, public_key)
            if ssh_key is None and auth is None:
                raise InvalidArgumentError(
                    "deploy_node finds no private key to log in with: give ssh_key or auth, or write "
                    f"user_public_key_file and user_private_key_file into {cloud.source}"
                )
        node = super().deploy_node(
            deploy,
            ssh_username=ssh_username,
            ssh_alternate_usernames=ssh_alternate_usernames,
            ssh_port=ssh_port,
            ssh_timeout=ssh_timeout,
            ssh_key=ssh_key,
            ssh_key_password=ssh_key_password,
            auth=auth,
            timeout=timeout,
            max_tries=max_tries,
            ssh_interface=ssh_interface,
            at_exit_func=at_exit_func,
            wait_period=wait_period,
            **create_node_kwargs,
        )
        return cast("StratusLabNode", node)

    def wait_until_running(  # type: ignore[override]  # a list of what it holds
        self,
        nodes: Sequence[Node],
        wait_period: float = 5,
        timeout: int = 600,
        ssh_interface: str = "public_ips",
        force_ipv4: bool = True,
        ex_list_nodes_kwargs: dict[str, Any] | None = None,
    ) -> list[tuple[StratusLabNode, list[str]]]:
        """Wait until the nodes run and have addresses, asking only their locations.

        This is Libcloud's own method: one ``one.vmpool.info`` a location every ``wait_period``
        seconds. A service that is down or restarted in between is waited for.
        ``ex_list_nodes_kwargs`` are arguments of :meth:`list_nodes`.
        """
        awaited = [self._as_own(node) for node in nodes]
        asked = {location.id: location for location in map(self._locations.of_node, awaited)}
        arguments = {"ex_location": list(asked.values()), **(ex_list_nodes_kwargs or {})}
        end = time.monotonic() + timeout
        while True:
            try:
                found = super().wait_until_running(
                    awaited,
                    wait_period=wait_period,
                    timeout=round(end - time.monotonic(), 2),  # type: ignore[arg-type]  # any number will do
                    ssh_interface=ssh_interface,
                    force_ipv4=force_ipv4,
                    ex_list_nodes_kwargs=arguments,
                )
            except StratusLabError as error:
                if not is_temporary(error) or time.monotonic() + wait_period > end:
                    raise
                logger.warning("still waiting for %d node(s): %s", len(nodes), error)
                time.sleep(wait_period)
            else:
                return cast("list[tuple[StratusLabNode, list[str]]]", found)

    def _as_own(self, node: Node) -> Node:
        """Return a node whose ``uuid`` is that of the list, also for one of plain Libcloud's class."""
        if isinstance(node, StratusLabNode):
            return node
        location = self._locations.of_node(node)
        driver = cast("StratusLabNodeDriver", self)
        return node_of(VirtualMachine.accepted(vm_id(node.id), node.name), location, driver)
