"""The driver. Importing this module makes ``Provider.STRATUSLAB`` known to Libcloud."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from libcloud.compute.base import (
    Node,
    NodeAuthPassword,
    NodeAuthSSHKey,
    NodeImage,
    NodeLocation,
    NodeSize,
    StorageVolume,
    VolumeSnapshot,
)
from libcloud.compute.types import NodeState, StorageVolumeState
from stratuslab.client.configuration.cloud import STANDARD_INSTANCE_TYPES, Cloud, InstanceType
from stratuslab.client.configuration.user_configurator import UserConfigurator
from stratuslab.client.errors import (
    ConfigurationError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    StratusLabError,
    is_temporary,
)
from stratuslab.client.marketplace.image_metadata import is_image_id
from stratuslab.client.opennebula.vm import VirtualMachine
from stratuslab.client.opennebula.vm_states import VmState
from stratuslab.client.opennebula.vm_template import (
    DISK_BUSES,
    NETWORKS,
    DiskBus,
    ImageDescription,
    Network,
    VmTemplate,
    Vnc,
)
from stratuslab.client.pdisk.disk import is_disk_id, source_of_disk
from stratuslab.client.site import Site
from stratuslab.libcloud.image import IMAGE_KINDS, images_of
from stratuslab.libcloud.locations import OnError, over_all
from stratuslab.libcloud.network import StratusLabNetwork, network_of
from stratuslab.libcloud.node import StratusLabNode, node_of
from stratuslab.libcloud.node_size import StratusLabNodeSize, resources_of, size_of
from stratuslab.libcloud.provider import STRATUSLAB, register
from stratuslab.libcloud.ssh_keys import default_public_key, private_key_file_for
from stratuslab.libcloud.unsupported import UnsupportedOperations
from stratuslab.libcloud.volume import StratusLabVolume

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from libcloud.compute.deployment import Deployment
    from stratuslab.client.configuration.cloud import ContextMethod
    from stratuslab.client.marketplace.image_metadata import ImageMetadata
    from stratuslab.client.marketplace.marketplace import ImageStatus
    from stratuslab.client.opennebula.runner import Runner
    from stratuslab.client.pdisk.disk import Mount, Visibility
    from stratuslab.client.transport.session import ServiceSession

__all__ = [
    "ImageDescription",
    "StratusLabNetwork",
    "StratusLabNode",
    "StratusLabNodeDriver",
    "StratusLabNodeSize",
    "StratusLabVolume",
    "Vnc",
]

logger = logging.getLogger(__name__)

_GIB_IN_MIB = 1024
_ANY_VNC = Vnc()
_DISK_BUS_OF: Mapping[str, DiskBus] = {bus: bus for bus in DISK_BUSES}
_Item = TypeVar("_Item")


class StratusLabNodeDriver(UnsupportedOperations):
    """Libcloud's driver for StratusLab clouds.

    Every section of the user's configuration file is a location; without a file, ``key`` (the user
    name), ``secret`` (the password) and ``host`` (with ``port`` and ``secure``) make the only one.
    With a file, ``key``, ``secret``, ``port`` and ``secure`` mean nothing.

    Threads may share a driver. All errors are
    :class:`~stratuslab.client.errors.StratusLabError`, which is a ``LibcloudError``.

    :param key: user name, with ``host``; otherwise ignored.
    :param secret: password, with ``host``.
    :param secure: https rather than http, with ``host``.
    :param host: host name, or URL below which ``one-proxy``, ``pdisk`` and ``marketplace`` lie.
    :param port: with ``host``; the scheme's own port if None.
    :param api_version: an argument of every Libcloud driver; means nothing here.
    :param region: likewise: see ``stratuslab_default_location``.
    :param stratuslab_user_config: name of the configuration file or open file; it is read at once.
        Otherwise the file in ``STRATUSLAB_CONFIG``, else ``~/.stratuslab/stratuslab-user.cfg``.
    :param stratuslab_default_location: section to use where no location is given; otherwise
        ``selected_section`` of the file.
    :param ex_state_max_age: how old, in seconds, a node's ``state`` may be before it is asked again.
    :param timeout: seconds that one request may take; otherwise ``endpoint_timeout`` of the section.
    :param retry_delay: as with any Libcloud driver.
    :param backoff: as with any Libcloud driver.
    :param proxy_url: HTTP proxy for all services; otherwise what ``HTTP_PROXY``, ``HTTPS_PROXY`` and
        ``NO_PROXY`` in the environment say.

    Raises :class:`~stratuslab.client.errors.ConfigurationError` if there is no configuration, and
    :class:`~stratuslab.client.errors.InvalidArgumentError`. Sends nothing.
    """

    type = STRATUSLAB
    name = "StratusLab Node Provider"
    api_name = "stratuslab"
    website = "http://stratuslab.eu/"
    features = {"create_node": ["ssh_key"]}  # noqa: RUF012  Libcloud declares it

    def __init__(
        self,
        key: str | None = None,
        secret: str | None = None,
        secure: bool = True,
        host: str | None = None,
        port: int | None = None,
        api_version: str | None = None,
        region: str | None = None,
        *,
        stratuslab_user_config: str | os.PathLike[str] | IO[str] | IO[bytes] | None = None,
        stratuslab_default_location: str | None = None,
        ex_state_max_age: float = 2.0,
        timeout: float | None = None,
        retry_delay: float | None = None,
        backoff: float | None = None,
        proxy_url: str | None = None,
    ) -> None:
        # Not BaseDriver's constructor: it would make a connection to one host, and there are many.
        self.key = key
        self.secret = secret
        self.secure = secure
        self.api_version = api_version
        self.region = region
        self.ex_state_max_age = _number("ex_state_max_age", ex_state_max_age, least=0.0)
        self._overrides = _given(
            timeout=None if timeout is None else _number("timeout", timeout),
            retry_delay=None if retry_delay is None else _number("retry_delay", retry_delay),
            backoff=None if backoff is None else _number("backoff", backoff),
            proxy_url=None if proxy_url is None else _proxy(proxy_url),
        )
        self._configurator: UserConfigurator | None = None
        self._clouds: dict[str, Cloud] = {}
        if host is None:
            self._configurator = UserConfigurator(stratuslab_user_config)
            names = self._configurator.locations(stratuslab_default_location)
            self._locations = {name: self._section_as_location(self._configurator, name) for name in names}
            default = stratuslab_default_location or self._configurator.selected_location
        else:
            if stratuslab_user_config is not None or stratuslab_default_location is not None:
                raise InvalidArgumentError(
                    "give either host, key and secret or a configuration file, not both"
                )
            cloud = _cloud_at(host, key, secret, port, secure)
            default = cloud.location
            self._clouds[default] = cloud
            self._locations = {default: NodeLocation(default, cloud.name, cloud.country, self)}
        self.default_location: NodeLocation = self._locations[default]
        self._set_up_sites()

    def _section_as_location(self, configurator: UserConfigurator, section: str) -> NodeLocation:
        """Return a section as a location; what is wrong in it is told to those who use it."""
        try:
            name, country = configurator.display_name(section), configurator.country(section)
        except ConfigurationError:
            name, country = section, "unknown"
        return NodeLocation(section, name, country, self)

    def _set_up_sites(self) -> None:
        self._sites: dict[str, Site] = {}
        self._sites_lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_sites", "_sites_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._set_up_sites()

    @property
    def connection(self) -> ServiceSession:  # type: ignore[override]  # made when first used
        """The connection to the compute service of the default location."""
        return self._at(self.default_location).rpc.connection.session

    # Locations, sizes and images

    def list_locations(self) -> list[NodeLocation]:
        """Return the sections of the file in its order; ``[default]`` only if it is chosen. Sends nothing."""
        return list(self._locations.values())

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """Return the instance types, which are the same everywhere. Sends nothing."""
        if location is not None:
            self._id_of(location)
        return list(self._sizes())

    def list_images(
        self,
        location: NodeLocation | None = None,
        *,
        ex_status: ImageStatus = "valid",
        ex_kind: str = "machine",
        ex_search: str | None = None,
    ) -> list[NodeImage]:
        """Return the images of a location's Marketplace, one an identifier (``GET /metadata``).

        :param location: the default location if None.
        :param ex_status: ``valid`` (what can be started), ``expired``, ``deprecated`` or ``all``.
        :param ex_kind: ``machine``, ``disk`` (which no node boots from) or ``all``.
        :param ex_search: text to be found, in any case, in identifier, title, description, operating
            system, tags or endorser.

        ``name`` is the title, else the description, else the operating system, else the identifier.
        ``extra`` holds every field of the Marketplace, see
        :class:`~stratuslab.client.ImageMetadata`, of the newest entry; ``endorsers``;
        and ``url``.
        """
        if ex_kind not in IMAGE_KINDS:
            raise InvalidArgumentError(
                f"the argument ex_kind: found {ex_kind!r}; use one of {', '.join(IMAGE_KINDS)}"
            )
        if not isinstance(ex_search, str | None):
            raise InvalidArgumentError(f"the argument ex_search: found {ex_search!r}; give text")
        marketplace = self._at(location).marketplace
        entries = [
            entry
            for entry in marketplace.list_images(ex_status)
            if ex_kind in ("all", "disk" if entry.is_disk else "machine")
            and (ex_search is None or _mentions(entry, ex_search))
        ]
        return images_of(entries, self, marketplace.url_of)

    def get_image(self, image_id: str) -> NodeImage:
        """Return an image of the default location's Marketplace (``GET /metadata/ID``).

        Raises :class:`~stratuslab.client.errors.NotFoundError`, which says whether the image is
        expired, deprecated or unknown.
        """
        marketplace = self._at(None).marketplace
        return images_of([marketplace.image(image_id)], self, marketplace.url_of)[0]

    def ex_get_image_metadata(
        self, image: NodeImage | str, location: NodeLocation | None = None
    ) -> ImageMetadata:
        """Return what the Marketplace says of an image or identifier (``GET /metadata/ID``)."""
        return self._at(location).marketplace.image(image.id if isinstance(image, NodeImage) else image)

    # Nodes

    def ex_list_networks(self) -> list[StratusLabNetwork]:
        """Return the networks on which a node can have its address, the same everywhere. Sends nothing."""
        return [StratusLabNetwork(name, name) for name in NETWORKS]

    def list_nodes(
        self,
        *,
        ex_location: NodeLocation | Sequence[NodeLocation] | None = None,
        ex_all_users: bool = False,
        ex_on_error: OnError = "raise",
    ) -> list[Node]:
        """Return the nodes of all locations, in the order of :meth:`list_locations`.

        The locations are asked side by side, with one request each (``one.vmpool.info``).

        :param ex_location: only here, or only at these.
        :param ex_all_users: every node that the user may see, not only the user's own.
        :param ex_on_error: when a location fails, ``raise`` an error with ``errors`` (id of the
            location to exception) and ``nodes`` (those of the other locations) after all have
            answered; or ``skip`` it, with a warning in the log.
        """
        if ex_location is None:
            locations = self.list_locations()
        elif isinstance(ex_location, NodeLocation):
            locations = [ex_location]
        else:
            locations = list(
                {
                    self._id_of(location): location for location in _several(ex_location, "ex_location")
                }.values()
            )
        for location in locations:
            self._id_of(location)

        def ask(location: NodeLocation) -> list[Node]:
            vms = self._at(location).monitor.list_vms(all_users=ex_all_users)
            sizes = self._sizes_by_resources()
            return [node_of(vm, location, self, known_sizes=sizes) for vm in vms]

        return over_all("list_nodes", locations, ask, ex_on_error)

    def list_nodes_in_location(self, location: NodeLocation | None) -> list[Node]:
        """Return the nodes of one location, the default one if None (``one.vmpool.info``)."""
        return self.list_nodes(ex_location=self._known(location))

    def ex_get_node_details(
        self, node_id: str | int, location: NodeLocation | None = None
    ) -> StratusLabNode | None:
        """Return one node, also when it is terminated, or None if there never was one (``one.vm.info``).

        :param location: the default location if None: every location counts its nodes from 0.
        """
        where = self._known(location)
        try:
            vm = self._at(where).monitor.describe_vm(_vm_id(node_id))
        except NotFoundError:
            return None
        return self._node(vm, where)

    def ex_find_node(self, token: str, location: NodeLocation | None = None) -> StratusLabNode | None:
        """Return the node that was started with a token, or None (``one.vmpool.info``).

        This settles a :class:`~stratuslab.client.errors.UnsettledError` of :meth:`create_node`, whose
        ``token`` it takes. A node that is terminated is not found.

        :param location: where it was to be started; the default location if None.
        """
        where = self._known(location)
        vm = self._at(where).monitor.find_vm(token)
        return None if vm is None else self._node(vm, where)

    def ex_refresh_node(self, node: StratusLabNode) -> StratusLabNode:
        """Bring a node up to date and return it (``one.vm.info``)."""
        if not isinstance(node, StratusLabNode):
            raise InvalidArgumentError(
                f"the node: found {node!r}; give one of list_nodes(), or use ex_get_node_details"
            )
        try:
            vm = self._at(self._location_of_node(node)).monitor.describe_vm(_vm_id(node.id))
        except NotFoundError:
            node.state = NodeState.TERMINATED
        else:
            node.update(vm)
        return node

    def create_node(
        self,
        name: str | None,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: NodeAuthSSHKey | NodeAuthPassword | None = None,
        *,
        ex_userdata: str | bytes | None = None,
        ex_context: Mapping[str, str] | None = None,
        ex_context_method: ContextMethod | None = None,
        ex_network: Network = "public",
        ex_ip_address: str | None = None,
        ex_requirements: str | None = None,
        ex_volumes: Sequence[StorageVolume | str] | None = None,
        ex_volatile_disk: int | None = None,
        ex_readonly_images: Sequence[NodeImage | str] | None = None,
        ex_cpu_share: float | None = None,
        ex_disks_bus: DiskBus | None = None,
        ex_vnc: Vnc | None = _ANY_VNC,
        ex_kernel: str | None = None,
        ex_initrd: str | None = None,
        ex_raw_data: str | None = None,
        ex_save_as: ImageDescription | None = None,
        networks: Sequence[StratusLabNetwork] | None = None,
        ex_keyname: str | None = None,  # noqa: ARG002
        ex_config_drive: bool | None = None,  # noqa: ARG002
    ) -> StratusLabNode:
        """Start a node and return it at once, without waiting until it runs.

        Calls ``one.vm.allocate``, never twice, and ``one.vm.info``; before them asks the Marketplace
        (``GET /metadata/ID``) if ``image`` is a bare identifier and not from a list. Once the cloud
        has taken the node it is returned, whatever fails after.

        :param name: at most 128 bytes of UTF-8 without ``<`` and ``&``; None for the cloud's own.
        :param size: of any driver; CPUs and swap (MiB) from ``extra``, else 1 and 0.
        :param image: from a list; or ``NodeImage`` with a Marketplace identifier, with the UUID of a
            volume to boot from, or with a URL as id.
        :param location: the default location if None.
        :param auth: ``NodeAuthSSHKey`` of any type. If None: the file in ``user_public_key_file``,
            else the first of ``~/.ssh/id_ed25519.pub``, ``id_ecdsa.pub`` and ``id_rsa.pub``, else none.
        :param ex_userdata: for cloud-init, at most 16384 bytes when compressed.
        :param ex_context: further keys and values for the guest.
        :param ex_context_method: ``one`` or ``cloud-init``; otherwise ``default_context_method``.
        :param ex_network: network of the node's address: ``public``, ``local`` or ``private``.
        :param ex_ip_address: IPv4 address to ask for.
        :param ex_requirements: OpenNebula's expression for the host.
        :param ex_volumes: volumes, or their UUIDs, to attach until the node's end.
        :param ex_volatile_disk: size in GiB of an empty disk that ends with the node.
        :param ex_readonly_images: disk images, or their identifiers, to attach.
        :param ex_cpu_share: CPUs to reserve on the host, otherwise as many as ``size`` has.
        :param ex_disks_bus: ``ide``, ``scsi`` or ``virtio``; otherwise what the image asks for.
        :param ex_vnc: the VNC display; None for none.
        :param ex_kernel: kernel on the host to boot.
        :param ex_initrd: its initial RAM disk.
        :param ex_raw_data: libvirt XML to add.
        :param ex_save_as: make this image of the root disk when :meth:`ex_save_node` ends the node.
        :param networks: the same as ``ex_network``, as a list of one of :meth:`ex_list_networks`.
        :param ex_keyname: accepted for programs written for other clouds; means nothing.
        :param ex_config_drive: likewise.

        Raises :class:`~stratuslab.client.errors.InvalidArgumentError` and
        :class:`~stratuslab.client.errors.ConfigurationError` before anything is sent. When the answer is
        lost, the node is looked for by the token with which it was marked (``extra["token"]``) for the
        time-out once more, and returned if found; else
        :class:`~stratuslab.client.errors.UnsettledError` carries the token, and :meth:`ex_find_node`
        settles it later.
        """
        key = self._get_and_check_auth(auth)  # type: ignore[arg-type]  # None is allowed
        where = self._known(location)
        site = self._at(where)
        cpu, ram_mib, swap_mib = resources_of(size)
        if not isinstance(image, NodeImage):
            raise InvalidArgumentError(f"the argument image: found {image!r}; give a NodeImage")
        template = VmTemplate(
            source=self._source_of(site, image),
            cpu=cpu,
            ram_mib=ram_mib,
            swap_mib=swap_mib,
            name=name,
            cpu_share=ex_cpu_share,
            disk_bus=ex_disks_bus or "ide",
            disk_format="raw",
            volatile_disk_mib=None if ex_volatile_disk is None else _gib_in_mib(ex_volatile_disk),
            volumes=[
                self._source_of_volume(site, where, volume) for volume in _several(ex_volumes, "ex_volumes")
            ],
            readonly_images=[
                self._source_of(site, item if isinstance(item, NodeImage) else NodeImage(item, item, self))
                for item in _several(ex_readonly_images, "ex_readonly_images")
            ],
            network=network_of(networks, ex_network),
            ip_address=ex_ip_address,
            requirements=ex_requirements,
            public_keys=_given_key(key) if key else default_public_key(site.cloud),
            context=ex_context or {},
            context_method=ex_context_method or site.cloud.context_method,
            user_data=ex_userdata,
            kernel=ex_kernel,
            initrd=ex_initrd,
            raw_data=ex_raw_data,
            vnc=ex_vnc,
            save_as=ex_save_as,
        )
        template.text()
        template = self._with_image_settings(template, site, image, ex_disks_bus)
        vm_id = site.runner.run_instance(template)
        return self._accepted(site, where, vm_id, name, size, image)

    def _source_of(self, site: Site, image: NodeImage) -> str:
        """Return what the root disk is made from, without asking anybody."""
        identifier = image.id
        if "url" in image.extra and "checksums" in image.extra:
            return str(image.extra["url"])
        if isinstance(identifier, str) and is_image_id(identifier):
            return site.marketplace.url_of(identifier)
        if isinstance(identifier, str) and is_disk_id(identifier):
            return source_of_disk(site.cloud, identifier)
        if isinstance(identifier, str) and identifier.lower().startswith(("http://", "https://")):
            return identifier
        raise InvalidArgumentError(
            f"the image: found the id {identifier!r}; give a Marketplace identifier (27 characters), "
            "the UUID of a volume, or a URL"
        )

    def _source_of_volume(self, site: Site, location: NodeLocation, volume: StorageVolume | str) -> str:
        uuid = _disk_id(volume)
        if isinstance(volume, StorageVolume):
            self._check_location(volume, location)
        return source_of_disk(site.cloud, uuid)

    def _with_image_settings(
        self, template: VmTemplate, site: Site, image: NodeImage, disks_bus: DiskBus | None
    ) -> VmTemplate:
        """Return the template with what the image asks for; a bare identifier is looked up."""
        settings: Mapping[str, Any] = image.extra
        if "checksums" not in settings:
            if not is_image_id(image.id):
                return template
            entry = site.marketplace.image(image.id)
            settings = {
                "disks_bus": entry.disks_bus,
                "format": entry.format,
                "inbound_ports": entry.inbound_ports,
            }
        bus = str(settings.get("disks_bus") or "").lower()
        return replace(
            template,
            disk_bus=disks_bus or _DISK_BUS_OF.get(bus, "ide"),
            disk_format=settings.get("format") or "raw",
            inbound_ports=tuple(settings.get("inbound_ports") or ()),
        )

    def _accepted(
        self,
        site: Site,
        location: NodeLocation,
        vm_id: int,
        name: str | None,
        size: NodeSize,
        image: NodeImage,
    ) -> StratusLabNode:
        """Return the node of a VM which the cloud has taken, with its details if they are to be had."""
        try:
            vm = site.monitor.describe_vm(vm_id)
        except StratusLabError as error:
            logger.warning("VM %d was started, but its details are not to be had: %s", vm_id, error)
            node = node_of(VirtualMachine.accepted(vm_id, name), location, self, size=size, image=image)
            node.expire()
            return node
        except BaseException:
            logger.warning("location %r: VM %d was started, then create_node interrupted", location.id, vm_id)
            raise
        return node_of(vm, location, self, size=size, image=image)

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
    ) -> Node:
        """Start a node, wait until it runs and run a deployment on it over SSH; needs paramiko.

        This is Libcloud's own method and signature, except that ``ssh_key`` defaults to the file of
        the private key that belongs to the node's public key: ``user_private_key_file`` or the file
        beside the public one. ``create_node_kwargs`` are :meth:`create_node`'s arguments.

        Raises ``DeploymentError``, which holds the node, if it did not run or the deployment failed;
        and, before anything is sent, :class:`~stratuslab.client.errors.InvalidArgumentError` if there is
        neither ``auth`` nor a private key.
        """
        if ssh_key is None:
            cloud = self._at(create_node_kwargs.get("location")).cloud
            public_key = auth.pubkey if isinstance(auth, NodeAuthSSHKey) else None
            ssh_key = private_key_file_for(cloud, public_key)
            if ssh_key is None and auth is None:
                raise InvalidArgumentError(
                    "deploy_node finds no private key to log in with: give ssh_key or auth, or write "
                    f"user_public_key_file and user_private_key_file into {cloud.source}"
                )
        node: Node = super().deploy_node(
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
        return node

    def wait_until_running(
        self,
        nodes: list[Node],
        wait_period: float = 5,
        timeout: int = 600,
        ssh_interface: str = "public_ips",
        force_ipv4: bool = True,
        ex_list_nodes_kwargs: dict[str, Any] | None = None,
    ) -> list[tuple[Node, list[str]]]:
        """Wait until the nodes run and have addresses, asking only their locations.

        This is Libcloud's own method: one ``one.vmpool.info`` a location every ``wait_period``
        seconds. A service that is down or restarted in between is waited for.
        ``ex_list_nodes_kwargs`` are arguments of :meth:`list_nodes`.
        """
        nodes = [self._as_own(node) for node in nodes]
        asked = {location.id: location for location in map(self._location_of_node, nodes)}
        arguments = {"ex_location": list(asked.values()), **(ex_list_nodes_kwargs or {})}
        end = time.monotonic() + timeout
        while True:
            try:
                found: list[tuple[Node, list[str]]] = super().wait_until_running(
                    nodes,
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
                return found

    def destroy_node(self, node: Node) -> bool:
        """End a node at once, in whatever state it is (``one.vm.action``, one call).

        Returns True, also when the node is gone already.
        """
        with contextlib.suppress(NotFoundError):
            self._runner_of(node).kill_instance(_vm_id(node.id))
        self._changed(node)
        return True

    def reboot_node(self, node: Node) -> bool:
        """Reboot a running node (``one.vm.action``).

        StratusLab 14.06 did not offer this; its OpenNebula can, and does not say whether the guest
        listened. Raises :class:`~stratuslab.client.errors.ConflictError` unless the node is running.
        """
        self._runner_of(node).act(_vm_id(node.id), "reboot")
        return True

    def start_node(self, node: Node) -> bool:
        """Resume a stopped or suspended node (``one.vm.action``).

        Raises :class:`~stratuslab.client.errors.ConflictError` in any other state.
        """
        self._runner_of(node).act(_vm_id(node.id), "start")
        self._changed(node)
        return True

    def stop_node(self, node: Node) -> bool:
        """Save a running node's state and free its host; :meth:`start_node` resumes it.

        Calls ``one.vm.action``. To end a node there are :meth:`destroy_node` and
        :meth:`ex_shutdown_node`. Raises :class:`~stratuslab.client.errors.ConflictError` unless the
        node is running.
        """
        self._runner_of(node).act(_vm_id(node.id), "stop")
        self._changed(node)
        return True

    def ex_suspend_node(self, node: Node) -> bool:
        """Save a running node's state and keep it on its host; :meth:`start_node` resumes it.

        Calls ``one.vm.action``. Raises :class:`~stratuslab.client.errors.ConflictError` unless the
        node is running.
        """
        self._runner_of(node).act(_vm_id(node.id), "suspend")
        self._changed(node)
        return True

    def ex_shutdown_node(self, node: Node) -> bool:
        """Ask the guest to shut down by ACPI, which ends the node if it listens (``one.vm.action``).

        Raises :class:`~stratuslab.client.errors.ConflictError` unless the node is running.
        """
        self._runner_of(node).shutdown_instance(_vm_id(node.id))
        self._changed(node)
        return True

    def ex_save_node(self, node: Node) -> bool:
        """Shut a node down that was created with ``ex_save_as``, upon which the cloud makes its image.

        The cloud mails the new image's identifier to the creator, some time later. Calls
        ``one.vm.info`` and ``one.vm.action``. Raises
        :class:`~stratuslab.client.errors.ConflictError` if the node was not created so or does not run.
        """
        location = self._location_of_node(node)
        root_disk = self._at(location).monitor.describe_vm(_vm_id(node.id)).root_disk
        if root_disk is None or not root_disk.save:
            raise ConflictError(
                f"node {node.id} cannot be saved: it was not created with ex_save_as, "
                "and the cloud decides at the start of a VM whether its disk is kept",
                location=location.id,
                operation="ex_save_node",
            )
        return self.ex_shutdown_node(node)

    # Volumes

    def list_volumes(self, location: NodeLocation | None = None) -> list[StorageVolume]:
        """Return the user's own volumes at a location, newest first (``GET /disks/``).

        :param location: the default location if None.

        The list contains the root disks of the user's running nodes, with the disk they are copies
        of in ``extra["snapshot_of"]``, which is None for all others. ``size`` is in GiB. See
        :class:`~stratuslab.libcloud.volume.StratusLabVolume` for ``extra``.
        """
        where = self._known(location)
        return [StratusLabVolume(disk, where, self) for disk in self._at(where).disks.describe_volumes()]

    def ex_get_volume(self, volume_id: str, location: NodeLocation | None = None) -> StratusLabVolume:
        """Return one volume, with ``type`` and ``visibility`` (``GET /disks/UUID``).

        Raises :class:`~stratuslab.client.errors.NotFoundError` and
        :class:`~stratuslab.client.errors.ForbiddenError`.
        """
        where = self._known(location)
        return StratusLabVolume(self._at(where).disks.describe_volume(volume_id), where, self)

    def create_volume(
        self,
        size: int,
        name: str,
        location: NodeLocation | None = None,
        snapshot: VolumeSnapshot | None = None,
        *,
        ex_visibility: Visibility = "private",
    ) -> StorageVolume:
        """Make an empty volume (``POST /disks/``, never sent twice).

        When the answer is lost, the volume is looked for by the token with which it was marked (its
        ``extra["identifier"]``) for the time-out once more, and returned if found; else
        :class:`~stratuslab.client.errors.UnsettledError` carries the token to look for.

        :param size: 1 to 1024 GiB.
        :param name: the cloud's tag of the volume, at most 255 characters.
        :param location: the default location if None.
        :param snapshot: must be None: PDisk has no snapshots of data volumes.
        :param ex_visibility: ``private``, or ``public`` for all users of the cloud to attach.
        """
        if snapshot is not None:
            raise InvalidArgumentError(
                "the argument snapshot: PDisk makes no volume from a snapshot; leave it out"
            )
        where = self._known(location)
        size_gib = _whole(size, "the argument size, in GiB")
        disk = self._at(where).disks.create_volume(size_gib, name, ex_visibility)
        return StratusLabVolume(disk, where, self)

    def destroy_volume(self, volume: StorageVolume) -> bool:
        """Delete a volume (``DELETE /disks/UUID``).

        Raises :class:`~stratuslab.client.errors.ConflictError` while a node has it.
        """
        self._at(self._location_of_volume(volume)).disks.delete_volume(_disk_id(volume))
        return True

    def attach_volume(
        self,
        node: Node,
        volume: StorageVolume,
        device: str | None = None,  # noqa: ARG002
    ) -> bool:
        """Plug a volume into a running node (``one.vm.info``, then ``POST /disks/UUID/mounts/``).

        :param device: means nothing: the cloud chooses, and its choice is in
            ``volume.extra["device"]``. The guest may call the disk otherwise.

        ``volume.extra["node"]`` is then the node's id, unless other nodes had the volume already.

        Raises :class:`~stratuslab.client.errors.ConflictError` unless the node is running.
        """
        location = self._location_of_node(node)
        self._check_location(volume, location)
        uuid = _disk_id(volume)
        vm = self._at(location).monitor.describe_vm(_vm_id(node.id))
        if vm.state is not VmState.RUNNING or not vm.host:
            raise ConflictError(
                f"node {node.id} is {vm.state_label}; a volume can only be attached to a running node",
                location=location.id,
                operation="attach_volume",
            )
        extra = volume.extra = volume.extra or {}
        count = extra.get("count") or 0
        extra["device"] = self._at(location).disks.hot_attach(uuid, vm.host, vm.id)
        extra["location"] = location.id
        extra["node"] = None if count else str(vm.id)
        extra["count"] = count + 1
        volume.state = StorageVolumeState.INUSE
        return True

    def detach_volume(self, volume: StorageVolume, *, ex_node: Node | None = None) -> bool:
        """Unplug a volume (``DELETE /disks/UUID/mounts/UUID_VMID``).

        :param ex_node: the node to unplug it from; needed if several have it. Where neither this
            nor the volume object tells, or what it tells is over, ``GET /disks/UUID/mounts/`` does.

        Raises :class:`~stratuslab.client.errors.ConflictError` if no node has the volume, if several
        have it, or if it was attached when the node started, which lasts until the node's end.
        """
        location = self._location_of_volume(volume)
        vm_id = None
        if ex_node is not None:
            location = self._location_of_node(ex_node)
            self._check_location(volume, location)
            vm_id = _vm_id(ex_node.id)
        disks = self._at(location).disks
        uuid = _disk_id(volume)
        extra = volume.extra or {}
        known = extra.get("node")
        if known is not None and vm_id in (None, _vm_id(known)):
            with contextlib.suppress(NotFoundError):
                disks.hot_detach(uuid, _vm_id(known))
                return self._detached(volume, extra.get("count") or 1)
        mounts = disks.mounts(uuid)
        disks.hot_detach(uuid, self._mounted_on(mounts, vm_id, uuid, location))
        return self._detached(volume, len(mounts))

    @staticmethod
    def _detached(volume: StorageVolume, count: int) -> bool:
        """Note that a volume which ``count`` nodes had has one less."""
        volume.extra = {**(volume.extra or {}), "device": None, "node": None, "count": count - 1}
        volume.state = StorageVolumeState.INUSE if count > 1 else StorageVolumeState.AVAILABLE
        return True

    def _mounted_on(self, mounts: list[Mount], vm_id: int | None, uuid: str, location: NodeLocation) -> int:
        found = [mount for mount in mounts if vm_id in (None, mount.vm_id)]
        problem = None
        if not found:
            problem = "is attached to no node" if vm_id is None else f"is not attached to node {vm_id}"
        elif len(found) > 1:
            problem = (
                f"is attached to the nodes {', '.join(str(mount.vm_id) for mount in found)}; "
                "say which one by ex_node"
            )
        elif found[0].static:
            problem = (
                f"was attached when node {found[0].vm_id} started, which lasts until the end of the node"
            )
        if problem:
            raise ConflictError(f"volume {uuid} {problem}", location=location.id, operation="detach_volume")
        return found[0].vm_id

    # Everything above is found by these

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

    def _id_of(self, location: NodeLocation) -> str:
        if not isinstance(location, NodeLocation) or location.id not in self._locations:
            found = location.id if isinstance(location, NodeLocation) else location
            raise InvalidArgumentError(
                f"the location: found {found!r}; give one of list_locations(): {', '.join(self._locations)}"
            )
        return str(location.id)

    def _known(self, location: NodeLocation | None) -> NodeLocation:
        return self.default_location if location is None else self._locations[self._id_of(location)]

    def _location_of_node(self, node: Node) -> NodeLocation:
        """Return where a node says it is, else the default location."""
        if not isinstance(node, Node):
            raise InvalidArgumentError(f"the node: found {node!r}; give a node, as of list_nodes()")
        return self._stated_location_of(node) or self.default_location

    def _location_of_volume(self, volume: StorageVolume) -> NodeLocation:
        """Return where a volume says it is, else the default location."""
        if not isinstance(volume, StorageVolume):
            raise InvalidArgumentError(f"the volume: found {volume!r}; give a volume, as of list_volumes()")
        return self._stated_location_of(volume) or self.default_location

    def _check_location(self, volume: StorageVolume, of_node: NodeLocation) -> None:
        """Refuse a volume that says it is somewhere else than its node."""
        self._location_of_volume(volume)
        stated = self._stated_location_of(volume)
        if stated is not None and stated.id != of_node.id:
            raise InvalidArgumentError(
                f"the volume is at {stated.id!r} and the node at {of_node.id!r}; "
                "a node can only have volumes of its own location"
            )

    def _stated_location_of(self, item: Node | StorageVolume) -> NodeLocation | None:
        location: Any = getattr(item, "location", None) or (item.extra or {}).get("location")
        named = self._locations.get(location) if isinstance(location, str) else None
        return named or (None if location is None else self._known(location))

    def _at(self, location: NodeLocation | None) -> Site:
        name = self._known(location).id
        with self._sites_lock:
            if name not in self._sites:
                if name not in self._clouds and self._configurator:
                    self._clouds[name] = self._configurator.cloud(name)
                self._sites[name] = Site(replace(self._clouds[name], **self._overrides))
            return self._sites[name]

    def _runner_of(self, node: Node) -> Runner:
        return self._at(self._location_of_node(node)).runner

    def _node(self, vm: VirtualMachine, location: NodeLocation) -> StratusLabNode:
        return node_of(vm, location, self, known_sizes=self._sizes_by_resources())

    def _as_own(self, node: Node) -> Node:
        """Return a node whose ``uuid`` is that of the list, also for one of plain Libcloud's class."""
        if isinstance(node, StratusLabNode):
            return node
        location = self._location_of_node(node)
        return node_of(VirtualMachine.accepted(_vm_id(node.id), node.name), location, self)

    @staticmethod
    def _changed(node: Node) -> None:
        if isinstance(node, StratusLabNode):
            node.expire()


def _cloud_at(host: str, key: str | None, secret: str | None, port: int | None, secure: bool) -> Cloud:
    for name, value in (("key, the user name,", key), ("secret, the password,", secret), ("host", host)):
        if not value or not isinstance(value, str):
            raise InvalidArgumentError(f"the argument {name} is missing; with host give key and secret")
    number = None if port is None else _whole(port, "the argument port")
    return Cloud.at_host(
        host, username=str(key), password=str(secret), port=number, secure=_truth("secure", secure)
    )


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _number(argument: str, value: float | str, least: float | None = None) -> float:
    """Return seconds; text is taken too, as it comes out of configuration files."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (0 < number < math.inf if least is None else number >= least):
        raise InvalidArgumentError(f"the argument {argument}: found {value!r}; give a number of seconds")
    return number


def _truth(argument: str, value: bool | str) -> bool:
    """Return a truth value; text is taken too, as it comes out of configuration files."""
    known = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
    if known is None:
        raise InvalidArgumentError(f"the argument {argument}: found {value!r}; give True or False")
    return known


def _proxy(url: str) -> str:
    """Return what Libcloud takes for the URL of a proxy; a wrong one is not shown, it may hold a password."""
    try:
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port
    except (TypeError, ValueError, AttributeError):
        known = None
    if not known or (at and ":" not in login):
        raise InvalidArgumentError(
            "the argument proxy_url: give scheme, host and port of an HTTP proxy, "
            "as in http://proxy.example.org:3128 or http://user:password@proxy.example.org:3128"
        )
    return url


def _whole(value: object, what: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise InvalidArgumentError(f"{what}: found {value!r}; give a whole number")
    return int(text)


def _gib_in_mib(size: int) -> int:
    return _whole(size, "the argument ex_volatile_disk, in GiB") * _GIB_IN_MIB


def _vm_id(node_id: str | int | None) -> int:
    return _whole(node_id, "the id of the node")


def _disk_id(volume: StorageVolume | str) -> str:
    uuid = volume.id if isinstance(volume, StorageVolume) else volume
    if not isinstance(uuid, str) or not is_disk_id(uuid):
        raise InvalidArgumentError(f"the volume: found the id {uuid!r}; give a volume or its UUID")
    return uuid


def _given_key(auth: object) -> str:
    key: str | None = auth.pubkey if isinstance(auth, NodeAuthSSHKey) else None
    if not key or not key.strip():
        raise InvalidArgumentError("the argument auth: holds no key; give NodeAuthSSHKey(public key)")
    return key


def _several(items: Sequence[_Item] | None, argument: str) -> Sequence[_Item]:
    if items is None:
        return ()
    if isinstance(items, (str, bytes)) or not hasattr(items, "__iter__"):
        raise InvalidArgumentError(f"the argument {argument}: found {items!r}; give a list")
    return items


def _mentions(entry: ImageMetadata, text: str) -> bool:
    wanted = text.casefold()
    texts = (entry.identifier, entry.title, entry.description, entry.os, entry.endorser, *entry.tags)
    return any(wanted in found.casefold() for found in texts if found)


register(__name__, StratusLabNodeDriver.__name__)
