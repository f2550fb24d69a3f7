"""The driver. Importing this module makes ``Provider.STRATUSLAB`` known to Libcloud."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, TypeVar

from libcloud.compute.base import (
    Node,
    NodeAuthPassword,
    NodeAuthSSHKey,
    NodeImage,
    NodeLocation,
    NodeSize,
    StorageVolume,
)
from libcloud.compute.types import NodeState
from stratuslab.client.configuration.cloud import STANDARD_INSTANCE_TYPES, Cloud, InstanceType
from stratuslab.client.configuration.user_configurator import UserConfigurator
from stratuslab.client.errors import (
    ConfigurationError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
)
from stratuslab.client.frames import without_frames
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.opennebula.vm_template import ImageDescription, Vnc
from stratuslab.libcloud.arguments import (
    given,
    login_text,
    nearest,
    only_known_keywords,
    port_number,
    proxy_address,
    seconds,
    text,
    truth,
    vm_id,
)
from stratuslab.libcloud.deployment import DeploymentOperations
from stratuslab.libcloud.image import ImageOperations, StratusLabImage
from stratuslab.libcloud.key_pair import KeyPairOperations
from stratuslab.libcloud.locations import Locations, over_all
from stratuslab.libcloud.network import StratusLabNetwork
from stratuslab.libcloud.node import StratusLabNode, node_of, node_states
from stratuslab.libcloud.node_request import ANY_VNC, NodeRequest
from stratuslab.libcloud.provider import STRATUSLAB, register
from stratuslab.libcloud.size import StratusLabNodeSize, known_size, size_named, size_of, size_of_cloud
from stratuslab.libcloud.volume import StratusLabVolume
from stratuslab.libcloud.volume_operations import VolumeOperations

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from libcloud.common.types import Type
    from stratuslab.client.configuration.cloud import ContextMethod
    from stratuslab.client.opennebula.runner import Runner
    from stratuslab.client.opennebula.vm import VirtualMachine
    from stratuslab.client.opennebula.vm_template import DiskBus
    from stratuslab.client.site import Site
    from stratuslab.client.transport.session import ServiceSession
    from stratuslab.libcloud.locations import GivenLocation, OnError

__all__ = [
    "ImageDescription",
    "StratusLabImage",
    "StratusLabNetwork",
    "StratusLabNode",
    "StratusLabNodeDriver",
    "StratusLabNodeSize",
    "StratusLabVolume",
    "Vnc",
]

logger = logging.getLogger(__name__)

_Driver = TypeVar("_Driver", bound="StratusLabNodeDriver")


class StratusLabNodeDriver(ImageOperations, VolumeOperations, KeyPairOperations, DeploymentOperations):
    """Libcloud's driver for StratusLab clouds.

    Every section of the user's configuration file is a location; without a file, ``key`` (the user
    name), ``secret`` (the password) and ``host`` (with ``port`` and ``secure``) make the only one.
    With a file, ``key``, ``secret``, ``port`` and ``secure`` are ignored.

    Threads may share a driver. All errors are
    :class:`~stratuslab.client.errors.StratusLabError`, which is a ``LibcloudError``.

    Sends nothing.

    :param key: user name, with ``host``; otherwise ignored.
    :param secret: password, with ``host``.
    :param secure: https rather than http, with ``host``.
    :param host: host name, or URL below which ``one-proxy``, ``pdisk`` and ``marketplace`` lie.
    :param port: with ``host``; the scheme's own port if None.
    :param api_version: an argument of every Libcloud driver; ignored here.
    :param region: id or name of the section that is the driver's only location; nothing at the others is
        then listed, changed or ended. With ``host``, which is one location, it is ignored.
    :param stratuslab_user_config: name of the configuration file or open file; it is read at once.
        Otherwise the file in ``STRATUSLAB_CONFIG``, else ``~/.stratuslab/stratuslab-user.cfg``.
    :param stratuslab_default_location: section to use where no location is given; otherwise
        ``selected_section`` of the file.
    :param ex_state_max_age: how old, in seconds, a node's ``state`` may be before the cloud is asked again.
    :param timeout: seconds that one request may take; otherwise ``endpoint_timeout`` of the section.
    :param retry_delay: seconds before Libcloud's own first retry, as with any Libcloud driver.
    :param backoff: factor by which that delay grows, as with any Libcloud driver.
    :param proxy_url: HTTP proxy for all services; otherwise what ``HTTP_PROXY``, ``HTTPS_PROXY`` and
        ``NO_PROXY`` in the environment say.
    :param kwargs: arguments of other drivers; they are ignored, with a warning in the log.
    :raises ConfigurationError: if there is no configuration, or if it is wrong.
    :raises InvalidArgumentError: for a wrong argument.
    """

    type: Type = STRATUSLAB
    name = "StratusLab Node Provider"
    api_name = "stratuslab"
    website = "http://stratuslab.eu/"
    features = {"create_node": ["ssh_key"]}  # noqa: RUF012  Libcloud declares it

    @without_frames
    def __init__(
        self,
        key: str | None = None,
        secret: str | None = None,
        secure: bool = True,
        host: str | None = None,
        port: int | None = None,
        api_version: str | None = None,
        region: GivenLocation | None = None,
        *,
        stratuslab_user_config: str | os.PathLike[str] | IO[str] | IO[bytes] | None = None,
        stratuslab_default_location: GivenLocation | None = None,
        ex_state_max_age: float = 2.0,
        timeout: float | None = None,
        retry_delay: float | None = None,
        backoff: float | None = None,
        proxy_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Not BaseDriver's constructor: it would make a connection to one host, and there are many.
        self.key = key
        self.secret = secret
        self.secure = secure
        self.api_version = api_version
        self.region = region
        for name in kwargs:
            logger.warning(
                "the driver knows no argument %r and ignores it%s",
                name,
                nearest(name, _CONSTRUCTOR_ARGUMENTS),
            )
        self.ex_state_max_age = seconds("ex_state_max_age", ex_state_max_age, least=0.0)
        overrides = given(
            {
                "timeout": None if timeout is None else seconds("timeout", timeout),
                "retry_delay": None if retry_delay is None else seconds("retry_delay", retry_delay),
                "backoff": None if backoff is None else seconds("backoff", backoff),
                "proxy_url": None if proxy_url is None else proxy_address("proxy_url", proxy_url),
            }
        )
        self._configurator: UserConfigurator | None = None
        if host is None:
            self._configurator = UserConfigurator(stratuslab_user_config)
            self._locations = Locations.of_file(
                self._configurator,
                self,
                default=stratuslab_default_location,
                region=region,
                overrides=overrides,
            )
        else:
            if stratuslab_user_config is not None or stratuslab_default_location is not None:
                raise InvalidArgumentError(
                    "give either host, key and secret or a configuration file, not both"
                )
            cloud = self._given_cloud(host, key, secret, port, secure)
            self._locations = Locations.of_cloud(replace(cloud, **overrides), self)

    @property
    def default_location(self) -> NodeLocation:
        """The location that is used where none is given."""
        return self._locations.default

    @default_location.setter
    def default_location(self, location: GivenLocation) -> None:
        self._locations.default = self._locations.meant(location)

    @property
    def locations(self) -> dict[str, NodeLocation]:
        """The locations by their id, as release 14.06 had them."""
        return {location.id: location for location in self._locations.all()}

    @property
    def sizes(self) -> list[StratusLabNodeSize]:
        """The sizes, as release 14.06 had them."""
        return self.list_sizes()

    @property
    def connection(self) -> ServiceSession:  # type: ignore[override]  # made when first used
        """The connection to the compute service of the default location."""
        return self._at(None).rpc.connection.session

    def close(self) -> None:
        """Close the connections, those in use when their requests are done. The driver can be used again."""
        self._locations.close()

    def __enter__(self: _Driver) -> _Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Locations, sizes and images

    def list_locations(self) -> list[NodeLocation]:
        """Return the sections of the file in its order; ``[default]`` only if it is chosen. Sends nothing."""
        return self._locations.all()

    def list_sizes(  # type: ignore[override]  # a list of what it holds
        self, location: GivenLocation | None = None
    ) -> list[StratusLabNodeSize]:
        """Return the instance types, and at an OpenNebula cloud the VM templates that the user may use.

        The instance types are the same everywhere and send nothing; ``one.templatepool.info`` is for the VM
        templates, whose ids begin with ``template:``.

        :param location: the default location if None.
        """
        images = self._at(location).images
        return [*self._sizes(), *(size_of_cloud(size, self) for size in images.list_sizes())]

    # Nodes

    def list_nodes(  # type: ignore[override]  # a list of what it holds
        self,
        *,
        ex_location: GivenLocation | Sequence[GivenLocation] | None = None,
        ex_all_users: bool = False,
        ex_details: bool = False,
        ex_on_error: OnError = "raise",
        ex_name: str | None = None,
        ex_state: NodeState | str | Sequence[NodeState | str] | None = None,
        ex_metadata: Mapping[str, str] | None = None,
    ) -> list[StratusLabNode]:
        """Return the nodes of all locations, in the order of :meth:`list_locations`.

        The locations are asked side by side, with one request each (``one.vmpool.info``).

        :param ex_location: only here, or only at these.
        :param ex_all_users: every node that the user may see, not only the user's own.
        :param ex_details: at an OpenNebula cloud all that is known of the nodes, by the long list
            (``one.vmpool.infoextended``); the short one leaves out tokens and users' attributes. A
            StratusLab cloud, and OpenNebula 5.12, always say it all.
        :param ex_on_error: when a location fails, ``raise`` an error with ``errors`` (id of the
            location to exception) and ``nodes`` (those of the other locations) after all have
            answered; or ``skip`` it, with a warning in the log.
        :param ex_name: only nodes of this name.
        :param ex_state: only nodes in this state, or in one of these, as in ``NodeState.RUNNING`` or
            ``"running"``.
        :param ex_metadata: only nodes which were created with these ``ex_metadata``, and perhaps more.
        """
        states = None if ex_state is None else node_states("ex_state", ex_state)
        if not isinstance(ex_name, str | None):
            raise InvalidArgumentError(f"found {ex_name!r}; give text", argument="ex_name")
        if not isinstance(ex_metadata, Mapping | None):
            raise InvalidArgumentError(f"found {ex_metadata!r}; give a dictionary", argument="ex_metadata")
        for key, value in (ex_metadata or {}).items():
            if not isinstance(value, str):
                raise InvalidArgumentError(f"found {value!r}; give text", argument=f"ex_metadata[{key!r}]")
        all_users, details = truth("ex_all_users", ex_all_users), truth("ex_details", ex_details)
        locations = self._locations.chosen(ex_location, "ex_location")

        def ask(location: NodeLocation) -> list[StratusLabNode]:
            vms = self._at(location).monitor.list_vms(
                all_users=all_users, details=details or bool(ex_metadata)
            )
            sizes = self._sizes_by_resources()
            nodes = [node_of(vm, location, self, known_sizes=sizes) for vm in vms]
            return [
                node
                for node in nodes
                if ex_name in (None, node.name)
                and (states is None or node._state in states)
                and all(node.extra["metadata"].get(key) == text for key, text in (ex_metadata or {}).items())
            ]

        return over_all("list_nodes", locations, ask, ex_on_error)

    @only_known_keywords
    def create_node(
        self,
        name: str | None = None,
        size: NodeSize | str | None = None,
        image: NodeImage | str | None = None,
        location: GivenLocation | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        *,
        ex_userdata: str | bytes | None = None,
        ex_context: Mapping[str, str] | None = None,
        ex_metadata: Mapping[str, str] | None = None,
        ex_availability_zone: GivenLocation | None = None,
        ex_context_method: ContextMethod | None = None,
        ex_network: str | int | StratusLabNetwork | None = None,
        ex_ip_address: str | None = None,
        ex_requirements: str | None = None,
        ex_volumes: Sequence[StorageVolume | str] | None = None,
        ex_volatile_disk: int | None = None,
        ex_readonly_images: Sequence[NodeImage | str] | None = None,
        ex_cpu_share: float | None = None,
        ex_disks_bus: DiskBus | None = None,
        ex_vnc: Vnc | None = ANY_VNC,
        ex_kernel: str | None = None,
        ex_initrd: str | None = None,
        ex_raw_data: str | None = None,
        ex_save_as: ImageDescription | None = None,
        ex_token: str | None = None,
        ex_template: Mapping[str, object] | None = None,
        networks: Sequence[StratusLabNetwork] | None = None,
        ex_keyname: str | None = None,
        ex_config_drive: bool | None = None,  # noqa: ARG002
    ) -> StratusLabNode:
        """Start a node and return it at once, without waiting until it runs.

        Calls ``one.vm.allocate`` (or ``one.template.instantiate`` for a VM template), never twice, and
        ``one.vm.info``. If ``image`` is a bare identifier and not from a list, the Marketplace is asked first
        (``GET /metadata/ID``). Once the cloud has accepted the node, it is returned, whatever fails later.

        When the answer is lost, the node is looked for by its token (``extra["token"]``) for as long as
        ``timeout`` once more, and returned if it is found.

        :param name: at most 128 bytes of UTF-8 without ``<`` and ``&``; None for the cloud's own name.
        :param size: of any driver, with CPUs and swap (MiB) in ``extra``, 1 and 0 without them; or an id or
            name of :meth:`list_sizes`, also in a ``NodeSize`` without ``ram``.
        :param image: from a list; or a Marketplace identifier, the UUID of a volume to boot from, or a
            URL, as text or in a ``NodeImage``.
        :param location: the default location if None.
        :param auth: ``NodeAuthSSHKey`` of any type. If None: the file in ``user_public_key_file``,
            else the first of ``~/.ssh/id_ed25519.pub``, ``id_ecdsa.pub`` and ``id_rsa.pub``, else none.
        :param ex_userdata: for cloud-init, at most 16384 bytes when compressed.
        :param ex_context: further keys and values for the guest.
        :param ex_metadata: texts to keep with the node, shown again in ``extra["metadata"]``.
        :param ex_availability_zone: the same as ``location``.
        :param ex_context_method: ``one`` or ``cloud-init``; otherwise ``default_context_method``.
        :param ex_network: network of the node's address: ``public``, ``local`` or ``private``; at an
            OpenNebula cloud the name or id of a virtual network.
        :param ex_ip_address: IPv4 address to ask for.
        :param ex_requirements: OpenNebula's expression for the host.
        :param ex_volumes: volumes, or their ids, to attach from the start; at a StratusLab cloud they stay
            until the node's end.
        :param ex_volatile_disk: size in GiB of an empty disk that ends with the node.
        :param ex_readonly_images: disk images, or their identifiers, to attach.
        :param ex_cpu_share: CPUs to reserve on the host, otherwise as many as ``size`` has.
        :param ex_disks_bus: ``ide``, ``scsi`` or ``virtio``; otherwise what the image asks for.
        :param ex_vnc: the VNC display; None for none.
        :param ex_kernel: kernel on the host to boot.
        :param ex_initrd: its initial RAM disk.
        :param ex_raw_data: libvirt XML to add.
        :param ex_save_as: make this image of the root disk when :meth:`ex_save_node` ends the node.
        :param ex_template: further attributes of OpenNebula's template, as a dictionary; only on OpenNebula.
        :param ex_token: a token of your own, which no other node has, to be kept before the call. If a node
            of yours that is not terminated has it already, that node is returned and none is started
            (``one.vmpool.info`` before the call and after it): the call can be repeated after a crash.
        :param networks: the same as ``ex_network``, as a list of one of :meth:`ex_list_networks`.
        :param ex_keyname: name of a key pair that an OpenNebula cloud keeps; ignored at a StratusLab cloud.
        :param ex_config_drive: an argument of other drivers; ignored.
        :raises InvalidArgumentError: for a wrong argument, before anything is sent.
        :raises ConfigurationError: for a wrong value in the file, before anything is sent.
        :raises UnsettledError: if the answer was lost and the node was not found in time. It may still
            appear: :meth:`ex_find_node` finds it by the ``token`` of the error.
        :raises DuplicateError: if several nodes have the token; it names them.
        """
        self._get_and_check_auth(auth)
        where = self._zone_or_location(ex_availability_zone, location)
        if not isinstance(image, (NodeImage, str)):
            raise InvalidArgumentError(f"found {image!r}; give an image or its id", argument="image")
        size = known_size(size, self._sizes, lambda: self.list_sizes(where))
        image = image if isinstance(image, NodeImage) else NodeImage(image, image, self)
        request = NodeRequest(
            name=name,
            size=size,
            image=image,
            auth=auth,
            ex_userdata=ex_userdata,
            ex_context=ex_context,
            ex_metadata=ex_metadata,
            ex_context_method=ex_context_method,
            ex_network=ex_network,
            ex_ip_address=ex_ip_address,
            ex_requirements=ex_requirements,
            ex_volumes=ex_volumes,
            ex_volatile_disk=ex_volatile_disk,
            ex_readonly_images=ex_readonly_images,
            ex_cpu_share=ex_cpu_share,
            ex_disks_bus=ex_disks_bus,
            ex_vnc=ex_vnc,
            ex_kernel=ex_kernel,
            ex_initrd=ex_initrd,
            ex_raw_data=ex_raw_data,
            ex_save_as=ex_save_as,
            ex_token=ex_token,
            ex_template=ex_template,
            ex_keyname=ex_keyname,
            networks=networks,
        )
        vm = request.start(where, self._locations)
        node = node_of(vm, where, self, size=size, image=image)
        if vm.token is None:
            # Not described yet.
            node.expire()
        return node

    def destroy_node(self, node: Node) -> bool:
        """End a node at once, in any state (``one.vm.action``).

        At an OpenNebula cloud the node is then seen to leave (``one.vm.info``), within the time-out.

        Returns True, also when the node is gone already.

        :raises ConflictError: if an OpenNebula cloud does not end the node in time. It says the node's state.
        """
        with contextlib.suppress(NotFoundError):
            self._runner_of(node).kill_instance(vm_id(node.id))
        self._changed(node)
        return True

    def reboot_node(self, node: Node) -> bool:
        """Reboot a running node (``one.vm.action``).

        The cloud does not say whether the guest rebooted.

        :raises ConflictError: unless the node is running.
        """
        self._runner_of(node).act(vm_id(node.id), "reboot")
        return True

    def start_node(self, node: Node) -> bool:
        """Resume a stopped or suspended node (``one.vm.action``).

        :raises ConflictError: in any other state.
        """
        self._runner_of(node).act(vm_id(node.id), "start")
        self._changed(node)
        return True

    def stop_node(self, node: Node) -> bool:
        """Save a running node's state and free its host; :meth:`start_node` resumes it.

        At an OpenNebula cloud the node is powered off, and seen to be off, within the time-out.

        Calls ``one.vm.action``. :meth:`destroy_node` and :meth:`ex_shutdown_node` end a node.

        :raises ConflictError: unless the node is running.
        """
        self._runner_of(node).act(vm_id(node.id), "stop")
        self._changed(node)
        return True

    # Extensions

    def ex_get_size(self, size_id: str) -> StratusLabNodeSize:
        """Return the size of an id or name at the default location, see :meth:`list_sizes`.

        :raises InvalidArgumentError: for an unknown size; it lists the sizes there are.
        """
        return size_named(text("size_id", size_id), self.list_sizes(), "size_id")

    def ex_list_networks(self, location: GivenLocation | None = None) -> list[StratusLabNetwork]:
        """Return the networks on which a node can have its address.

        They are the same three at every StratusLab cloud, which sends nothing; at an OpenNebula cloud, those
        that the user may see, with the number of free addresses (``one.vnpool.info``).

        :param location: the default location if None.
        """
        where = self._locations.meant(location)
        return [
            StratusLabNetwork(network.id, network.name, network.free, {"location": where.id, **network.extra})
            for network in self._at(where).networks.list_networks()
        ]

    def list_nodes_in_location(self, location: GivenLocation | None) -> list[StratusLabNode]:
        """Return the nodes of one location, of the default one for None (``one.vmpool.info``)."""
        return self.list_nodes(ex_location=self._locations.meant(location))

    def ex_get_node_details(
        self, node_id: str | int, location: GivenLocation | None = None
    ) -> StratusLabNode | None:
        """Return one node; None if it does not exist or has ended (``one.vm.info``).

        None stands for an ended node, although the cloud still knows it: programs rely on that.
        :meth:`ex_refresh_node` tells how a node ended.

        :param location: the default location if None: every location counts its nodes from 0.
        """
        where = self._locations.meant(location)
        try:
            vm = self._at(where).monitor.describe_vm(vm_id(node_id, "node_id"))
        except NotFoundError:
            return None
        return None if vm.state is VmState.TERMINATED else self._node(vm, where)

    def ex_find_node(self, token: str, location: GivenLocation | None = None) -> StratusLabNode | None:
        """Return the node that was started with a token, or None (``one.vmpool.info``).

        This settles a :class:`~stratuslab.client.errors.UnsettledError` of :meth:`create_node`, whose
        ``token`` it takes. A node that is terminated is not found at a StratusLab cloud; an OpenNebula cloud
        keeps it, and its state tells.

        :param location: where it was to be started; the default location if None.
        """
        where = self._locations.meant(location)
        vm = self._at(where).monitor.find_vm(token)
        return None if vm is None else self._node(vm, where)

    def ex_refresh_node(self, node: StratusLabNode) -> StratusLabNode:
        """Bring a node up to date and return it (``one.vm.info``)."""
        if not isinstance(node, StratusLabNode):
            raise InvalidArgumentError(
                f"found {node!r}; give one of list_nodes(), or use ex_get_node_details", argument="node"
            )
        try:
            vm = self._at(self._locations.of_node(node)).monitor.describe_vm(vm_id(node.id))
        except NotFoundError:
            node.state = NodeState.TERMINATED
        else:
            node.update(vm)
        return node

    def ex_start_node(self, node: Node) -> bool:
        """Call :meth:`start_node`, by the name that other drivers have for it."""
        return self.start_node(node)

    def ex_stop_node(self, node: Node) -> bool:
        """Call :meth:`stop_node`, by the name that other drivers have for it."""
        return self.stop_node(node)

    def ex_suspend_node(self, node: Node) -> bool:
        """Save a running node's state and keep it on its host; :meth:`start_node` resumes it.

        Calls ``one.vm.action``.

        :raises ConflictError: unless the node is running.
        """
        self._runner_of(node).act(vm_id(node.id), "suspend")
        self._changed(node)
        return True

    def ex_shutdown_node(self, node: Node) -> bool:
        """Ask the guest to shut down by ACPI; if it obeys, the node ends (``one.vm.action``).

        From OpenNebula 5.12 on, the node may come back: it is looked at for up to two seconds
        (``one.vm.info``).

        :raises ConflictError: unless the node is running; if it comes back.
        """
        self._runner_of(node).shutdown_instance(vm_id(node.id))
        self._changed(node)
        return True

    def ex_save_node(self, node: Node) -> bool:
        """Shut down a node that was created with ``ex_save_as``; the cloud then makes its image.

        The cloud mails the new image's identifier to the creator, some time later. Calls
        ``one.vm.info`` and ``one.vm.action``.

        :raises ConflictError: if the node was not created with ``ex_save_as``, or does not run.
        """
        location = self._locations.of_node(node)
        root_disk = self._at(location).monitor.describe_vm(vm_id(node.id)).root_disk
        if root_disk is None or not root_disk.save:
            raise ConflictError(
                f"node {node.id} cannot be saved: it was not created with ex_save_as, "
                "and the cloud decides at the start of a VM whether its disk is kept",
                location=location.id,
                operation="ex_save_node",
            )
        return self.ex_shutdown_node(node)

    # Private

    def _get_and_check_auth(self, auth: NodeAuthSSHKey | NodeAuthPassword | None) -> None:  # type: ignore[override]  # Libcloud returns a generated password where there are passwords
        """Refuse, in Libcloud's own check, what is no public key; the error does not show a password."""
        if auth is not None and not isinstance(auth, NodeAuthSSHKey):
            raise InvalidArgumentError(
                f"found a {type(auth).__name__}; give NodeAuthSSHKey(public key): nodes take no password",
                argument="auth",
            )

    def _instance_types(self) -> Mapping[str, InstanceType]:
        return self._configurator.instance_types() if self._configurator else STANDARD_INSTANCE_TYPES

    def _sizes(self) -> list[StratusLabNodeSize]:
        return [size_of(kind, self) for kind in self._instance_types().values()]

    def _sizes_by_resources(self) -> dict[tuple[int, int, int], NodeSize]:
        try:
            sizes = self._sizes()
        except ConfigurationError as error:
            logger.warning("listed nodes have sizes of their own: %s", error)
            return {}
        return {(size.cpu, size.ram, size.swap): size for size in reversed(sizes)}

    def _at(self, location: GivenLocation | None) -> Site:
        return self._locations.site(self._locations.meant(location))

    def _zone_or_location(self, zone: GivenLocation | None, location: GivenLocation | None) -> NodeLocation:
        if zone is None:
            return self._locations.meant(location)
        where = self._locations.meant(zone, "ex_availability_zone")
        if location is not None and self._locations.meant(location) is not where:
            raise InvalidArgumentError(
                f"found {where.id!r}, and another location; give one of the two",
                argument="ex_availability_zone",
            )
        return where

    def _runner_of(self, node: Node) -> Runner:
        return self._at(self._locations.of_node(node)).runner

    def _node(self, vm: VirtualMachine, location: NodeLocation) -> StratusLabNode:
        return node_of(vm, location, self, known_sizes=self._sizes_by_resources())

    def _given_cloud(
        self, host: str, key: str | None, secret: str | None, port: int | None, secure: bool
    ) -> Cloud:
        login = login_text("key", key), login_text("secret", secret)
        number = None if port is None else port_number("port", port)
        return self._cloud_at(login_text("host", host), *login, number, truth("secure", secure))

    def _cloud_at(self, host: str, username: str, password: str, port: int | None, secure: bool) -> Cloud:
        return Cloud.at_host(host, username=username, password=password, port=port, secure=secure)

    @staticmethod
    def _changed(node: Node) -> None:
        if isinstance(node, StratusLabNode):
            node.expire()


_CONSTRUCTOR_ARGUMENTS = tuple(inspect.signature(StratusLabNodeDriver.__init__).parameters)[1:]


register(__name__, StratusLabNodeDriver.__name__)
