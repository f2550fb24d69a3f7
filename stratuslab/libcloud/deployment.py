"""Starting several nodes, waiting for nodes, and deploying on them."""

from __future__ import annotations

import ipaddress
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from libcloud.compute.base import Node, NodeAuthPassword, NodeAuthSSHKey, NodeDriver
from libcloud.compute.ssh import have_paramiko
from libcloud.compute.types import DeploymentError, NodeState
from stratuslab.client.errors import InvalidArgumentError, NodesNotCreatedError, StratusLabError
from stratuslab.client.opennebula.vm import VirtualMachine
from stratuslab.client.transport.covered import CoveredText
from stratuslab.libcloud.arguments import one_of, seconds, several, text, vm_id, whole_number
from stratuslab.libcloud.node import StratusLabNode, node_of, node_states
from stratuslab.libcloud.ssh_keys import default_public_key, private_key_file_for, usable_private_keys
from stratuslab.libcloud.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from libcloud.compute.base import NodeImage, NodeLocation, NodeSize
    from libcloud.compute.deployment import Deployment
    from stratuslab.libcloud.locations import GivenLocation, Locations
    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

__all__ = ["DeploymentOperations"]

logger = logging.getLogger(__name__)

_SIDE_BY_SIDE = 4
"""As many as a location has connections: further requests would wait within their time-out."""


class DeploymentOperations(NodeDriver):
    """The part of the driver that starts several nodes, waits for nodes and runs something on them."""

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
        wait_period: float = 5,
        **create_node_kwargs: Any,
    ) -> StratusLabNode:
        """Start a node, wait until it runs and run a deployment on it over SSH; needs paramiko.

        This is Libcloud's own method and signature, except that ``ssh_key`` defaults to the file of
        the private key that belongs to the node's public key: ``user_private_key_file`` or the file
        beside the public one. ``create_node_kwargs`` are :meth:`create_node`'s arguments, and
        ``ex_on_failure="destroy"``, which ends the node if it did not run, or the deployment failed or was
        interrupted (``KeyboardInterrupt``).

        :raises DeploymentError: if the node did not run or the deployment failed; it holds the node.
        :raises InvalidArgumentError: before anything is sent: if there is neither ``auth`` nor a private
            key, or if the private key cannot be used or does not belong to the public one.
        """
        ssh_key_password = ssh_key_password and CoveredText(ssh_key_password)
        on_failure = create_node_kwargs.pop("ex_on_failure", None)
        if on_failure is not None:
            one_of("ex_on_failure", on_failure, ["destroy"])
            # The token finds a node that was started before an interruption, and whose id is not known.
            if create_node_kwargs.get("ex_token") is None:
                create_node_kwargs["ex_token"] = uuid4().hex
        location = self._driver._zone_or_location(
            create_node_kwargs.get("ex_availability_zone"), create_node_kwargs.get("location")
        )
        cloud = self._locations.site(location).cloud
        public_key = auth.pubkey if isinstance(auth, NodeAuthSSHKey) else None
        if ssh_key is None:
            ssh_key = private_key_file_for(cloud, public_key)
        if ssh_key is None and auth is None:
            raise InvalidArgumentError(
                "deploy_node finds no private key to log in with: give ssh_key or auth, or write "
                f"user_public_key_file and user_private_key_file into {cloud.source}"
            )
        if ssh_key is not None and have_paramiko:
            ssh_key = usable_private_keys(ssh_key, ssh_key_password, public_key or default_public_key(cloud))
        try:
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
                wait_period=wait_period,  # type: ignore[arg-type]  # handed to ours, which takes a float
                **create_node_kwargs,
            )
        except DeploymentError as error:
            if on_failure == "destroy":
                self._destroy_after_failure(error.node)
            raise
        except Exception:
            raise
        except BaseException:
            if on_failure == "destroy":
                self._destroy_after_interruption(create_node_kwargs["ex_token"], location)
            raise
        return cast("StratusLabNode", node)

    def _destroy_after_failure(self, node: Node) -> None:
        try:
            self.destroy_node(node)
        except StratusLabError as failure:
            logger.warning("node %s could not be destroyed and is left: %s", node.id, failure)

    def _destroy_after_interruption(self, token: str, location: NodeLocation) -> None:
        try:
            node = self._driver.ex_find_node(token, location)
        except StratusLabError as failure:
            logger.warning(
                "a node with the token %s at %r could not be looked for, and may be left: %s",
                token,
                location.id,
                failure,
            )
            return
        if node is not None:
            self._destroy_after_failure(node)

    def wait_until_running(  # type: ignore[override]  # a list of what it holds
        self,
        nodes: Sequence[Node],
        wait_period: float = 5,
        timeout: float = 600,
        ssh_interface: str = "public_ips",
        force_ipv4: bool = True,
        ex_list_nodes_kwargs: dict[str, Any] | None = None,
    ) -> list[tuple[StratusLabNode, list[str]]]:
        """Wait until the nodes run and have addresses, asking only their locations.

        This is Libcloud's own method: one ``one.vmpool.info`` a location every ``wait_period``
        seconds. A service that is down or restarted in between is waited for.

        :param wait_period: seconds between two looks.
        :param timeout: seconds to wait in all.
        :param ssh_interface: which addresses a node has to have: ``public_ips`` or ``private_ips``.
        :param force_ipv4: count addresses of IPv4 only.
        :param ex_list_nodes_kwargs: further arguments of :meth:`list_nodes`.
        :raises WaitError: as soon as a node has failed or is gone. It says the state of each node, and the
            cloud's reason for it.
        :raises WaitTimeoutError: after ``timeout`` seconds. It says the same.
        """
        one_of("ssh_interface", ssh_interface, ["public_ips", "private_ips"])
        if not isinstance(ex_list_nodes_kwargs, dict | None):
            raise InvalidArgumentError(
                f"found {ex_list_nodes_kwargs!r}; give a dictionary", argument="ex_list_nodes_kwargs"
            )

        def addresses_of(node: StratusLabNode) -> list[str]:
            addresses: list[str] = getattr(node, ssh_interface)
            return [address for address in addresses if not force_ipv4 or _is_ipv4(address)]

        wait = Wait(
            operation="wait_until_running",
            reached=lambda node: node._state == NodeState.RUNNING and bool(addresses_of(node)),
            wanted=[NodeState.RUNNING],
            period=seconds("wait_period", wait_period, least=0),
            timeout=seconds("timeout", timeout, least=0),
            callback=None,
            list_arguments=ex_list_nodes_kwargs or {},
        )
        running = wait.until_reached(self._driver, self._as_own_nodes(nodes))
        return [(node, addresses_of(node)) for node in running]

    def ex_wait_for_state(
        self,
        nodes: Node | Sequence[Node],
        states: NodeState | str | Sequence[NodeState | str],
        timeout: float = 600,
        callback: Callable[[StratusLabNode], object] | None = None,
        *,
        wait_period: float = 5,
    ) -> list[StratusLabNode]:
        """Wait until each node is in one of the states; TERMINATED is "gone".

        Asks each location every ``wait_period`` seconds (``one.vmpool.info``), and for a node that is no
        longer listed, once (``one.vm.info``).

        :param states: as in ``NodeState.RUNNING`` or ``"running"``.
        :param timeout: seconds.
        :param callback: called with each node when it is first seen and whenever its state has changed,
            as is the log.
        :raises WaitError: as soon as a node has failed or is gone without having been in one of the states.
            It says the state of each node, and the cloud's reason for it.
        :raises WaitTimeoutError: after ``timeout`` seconds. It says the same.
        """
        wanted = node_states("states", states)
        if callback is not None and not callable(callback):
            raise InvalidArgumentError(f"found {callback!r}; give a function", argument="callback")
        wait = Wait(
            operation="ex_wait_for_state",
            reached=lambda node: node._state in wanted,
            wanted=wanted,
            period=seconds("wait_period", wait_period, least=0),
            timeout=seconds("timeout", timeout, least=0),
            callback=callback,
            list_arguments={},
        )
        return wait.until_reached(self._driver, self._as_own_nodes(nodes))

    def ex_create_nodes(
        self,
        count: int,
        name: str | None = None,
        size: NodeSize | str | None = None,
        image: NodeImage | str | None = None,
        location: GivenLocation | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        **create_node_kwargs: Any,
    ) -> list[StratusLabNode]:
        """Start several nodes side by side. All other arguments are those of :meth:`create_node`.

        After an interruption (``KeyboardInterrupt``) no more nodes are started, and those that were started
        are written to the log.

        :param count: how many.
        :param name: of the nodes, to which ``-1``, ``-2`` and so on are added, as to an ``ex_token``.
        :raises InvalidArgumentError: for a wrong argument, before anything is sent.
        :raises NodesNotCreatedError: if some were not started. Its ``nodes`` were, its ``failures`` are the
            errors of the others.
        """
        total = whole_number("count", count, least=1)
        if name is not None:
            text("name", name)
        token = create_node_kwargs.pop("ex_token", None)
        if token is not None:
            text("ex_token", token)

        def create(number: int) -> StratusLabNode | StratusLabError:
            own: dict[str, Any] = {} if token is None else {"ex_token": f"{token}-{number}"}
            own_name = None if name is None else f"{name}-{number}"
            try:
                return self._driver.create_node(
                    own_name, size, image, location, auth, **create_node_kwargs, **own
                )
            except StratusLabError as error:
                return error

        with ThreadPoolExecutor(min(total, _SIDE_BY_SIDE), "stratuslab-create") as threads:
            calls = [threads.submit(create, number) for number in range(1, total + 1)]
            try:
                answers = [call.result() for call in calls]
            except BaseException:
                threads.shutdown(cancel_futures=True)
                _tell_of_started(calls)
                raise
        created = [answer for answer in answers if not isinstance(answer, StratusLabError)]
        failures = [answer for answer in answers if isinstance(answer, StratusLabError)]
        if failures and isinstance(failures[0], InvalidArgumentError) and not created:
            raise failures[0]
        if failures:
            raise NodesNotCreatedError(
                f"{len(failures)} of {total} nodes were not created: {failures[0]}",
                nodes=created,
                failures=failures,
            ) from failures[0]
        return created

    @property
    def _driver(self) -> StratusLabNodeDriver:
        return cast("StratusLabNodeDriver", self)

    def _as_own_nodes(self, nodes: Node | Sequence[Node]) -> list[StratusLabNode]:
        if nodes is None:
            raise InvalidArgumentError("found None; give a node or a list of nodes", argument="nodes")
        given = [nodes] if isinstance(nodes, Node) else several("nodes", nodes)
        return [self._as_own(node) for node in given]

    def _as_own(self, node: Node) -> StratusLabNode:
        """Return a node whose ``uuid`` is that of the list, also for one of plain Libcloud's class."""
        if isinstance(node, StratusLabNode):
            return node
        location = self._locations.of_node(node, "nodes")
        number = vm_id(node.id, "nodes")
        return node_of(VirtualMachine.accepted(number, node.name), location, self._driver)


def _tell_of_started(calls: Sequence[Future[StratusLabNode | StratusLabError]]) -> None:
    done = [call.result() for call in calls if not call.cancelled() and call.exception() is None]
    started = [
        f"{node.id} ({node.name}) at {node.location.id!r}"
        for node in done
        if isinstance(node, StratusLabNode)
    ]
    if started:
        logger.warning("ex_create_nodes was interrupted; these nodes were started: %s", ", ".join(started))


def _is_ipv4(address: str) -> bool:
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return True
