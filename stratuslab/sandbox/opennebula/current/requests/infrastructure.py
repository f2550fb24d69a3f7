"""The requests about what administrators set up: datastores, networks, hosts, zones, the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.books import selected
from stratuslab.sandbox.opennebula.current.documents import datastore_document, network_document, pool
from stratuslab.sandbox.opennebula.current.refusals import (
    Code,
    RefusalError,
    forbidden,
    missing,
    not_authorized,
)
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.placement import Placement
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.releases import Release

_CONFIG = {
    "API_LIST_ORDER": "DESC",
    "DEFAULT_CDROM_DEVICE_PREFIX": "hd",
    "DEFAULT_DEVICE_PREFIX": "sd",
    "DEFAULT_IMAGE_PERSISTENT": "NO",
    "DEFAULT_IMAGE_PERSISTENT_NEW": "NO",
    "IMAGE_RESTRICTED_ATTR": "SOURCE",
    "NETWORK_SIZE": "254",
    "VM_SUBMIT_ON_HOLD": "NO",
}
_VM_RESTRICTED = ("CONTEXT/FILES", "NIC/MAC", "NIC/VLAN_ID", "NIC/BRIDGE", "RAW/DATA", "USER_PRIORITY")


class InfrastructureRequests:
    """Answers the requests about infrastructure; to change it is not offered."""

    def __init__(self, books: Books, placement: Placement, release: Release) -> None:
        self._books = books
        self._placement = placement
        self._release = release
        self.requests: Requests = {
            "one.system.version": lambda _: release.version,
            "one.system.config": self._config,
            "one.datastore.info": self._datastore,
            "one.datastorepool.info": self._datastores,
            "one.vn.info": self._network,
            "one.vn.allocate": self._allocate_network,
            "one.vnpool.info": self._networks,
            "one.host.info": self._host,
            "one.hostpool.info": self._hosts,
            "one.clusterpool.info": self._clusters,
            "one.zonepool.info": self._zones,
        }

    def _config(self, request: Request) -> str:
        if not request.user.is_admin and not self._release.config_is_public:
            text = "The oned configuration can only be retrieved by users in the oneadmin group."
            raise forbidden(request.user, text)
        restricted = [("VM_RESTRICTED_ATTR", name) for name in _VM_RESTRICTED]
        inside = Template([*_CONFIG.items(), *restricted]).to_xml()
        inside = inside.removeprefix("<TEMPLATE>").removesuffix("</TEMPLATE>")
        return pool("OPENNEBULA_CONFIGURATION", [inside])

    def _datastore(self, request: Request) -> str:
        datastore = self._books.datastore(request.arguments.integer(0))
        return datastore_document(datastore, self._books, self._release)

    def _datastores(self, _request: Request) -> str:
        datastores = sorted(self._books.datastores.values(), key=lambda datastore: -datastore.id)
        documents = (datastore_document(datastore, self._books, self._release) for datastore in datastores)
        return pool("DATASTORE_POOL", documents)

    def _network(self, request: Request) -> str:
        network = self._books.network(request.arguments.integer(0))
        return network_document(network, self._books, self._release, leases=True)

    def _networks(self, request: Request) -> str:
        filter_flag, first, last = (request.arguments.integer(index) for index in range(3))
        if filter_flag < -4:
            raise RefusalError(Code.API, "Incorrect filter_flag")
        networks = sorted(self._books.networks.values(), key=lambda network: -network.id)
        documents = (
            network_document(network, self._books, self._release, leases=False)
            for network in networks
            if selected(request.user, network, filter_flag, first, last, usable=True)
        )
        return pool("VNET_POOL", documents)

    def _allocate_network(self, request: Request) -> int:
        request.arguments.string(0)
        if not request.user.is_admin:
            text = "Not authorized to perform CREATE NET; Not authorized to perform ADMIN CLUSTER [0]."
            raise forbidden(request.user, text)
        raise RefusalError(Code.INTERNAL, "The sandbox does not do this.")

    def _host(self, request: Request) -> str:
        host_id = request.arguments.integer(0)
        if not request.user.is_admin:
            raise not_authorized(request.user, "USE HOST", host_id)
        for host in self._books.hosts:
            if host.id == host_id:
                return self._host_document(host)
        raise missing("host", host_id)

    def _hosts(self, request: Request) -> str:
        hosts = sorted(self._books.hosts, key=lambda host: -host.id) if request.user.is_admin else []
        return pool("HOST_POOL", map(self._host_document, hosts))

    def _clusters(self, request: Request) -> str:
        if not request.user.is_admin:
            return pool("CLUSTER_POOL", [])
        ids = {
            "HOSTS": [host.id for host in self._books.hosts],
            "DATASTORES": [*self._books.datastores],
            "VNETS": [*self._books.networks],
        }
        parts = "".join(
            f"<{name}>{''.join(f'<ID>{number}</ID>' for number in numbers)}</{name}>"
            for name, numbers in ids.items()
        )
        return pool("CLUSTER_POOL", [f"<CLUSTER><ID>0</ID><NAME>default</NAME>{parts}<TEMPLATE/></CLUSTER>"])

    def _zones(self, _request: Request) -> str:
        state = "<STATE>0</STATE>" if self._release.has_backups else ""
        grpc = [("ENDPOINT_GRPC", "localhost:2634")] if self._release.has_plans else []
        endpoint = Template([("ENDPOINT", "http://localhost:2633/RPC2"), *grpc]).to_xml()
        zone = f"<ZONE><ID>0</ID><NAME>OpenNebula</NAME>{state}{endpoint}<SERVER_POOL></SERVER_POOL></ZONE>"
        return pool("ZONE_POOL", [zone])

    def _host_document(self, host: Host) -> str:
        vms = self._placement.vms_on(host)
        taken = self._placement.taken(host)
        cpu, memory = host.capacity.cpu, host.capacity.memory
        ids = "".join(f"<ID>{vm.id}</ID>" for vm in vms)
        return (
            f"<HOST><ID>{host.id}</ID><NAME>{host.name}</NAME><STATE>2</STATE><PREV_STATE>2</PREV_STATE>"
            "<IM_MAD><![CDATA[kvm]]></IM_MAD><VM_MAD><![CDATA[kvm]]></VM_MAD><CLUSTER_ID>0</CLUSTER_ID>"
            f"<CLUSTER>default</CLUSTER><HOST_SHARE><MEM_USAGE>{taken.memory}</MEM_USAGE>"
            f"<CPU_USAGE>{taken.cpu}</CPU_USAGE><TOTAL_MEM>{memory}</TOTAL_MEM><TOTAL_CPU>{cpu}</TOTAL_CPU>"
            f"<MAX_MEM>{memory}</MAX_MEM><MAX_CPU>{cpu}</MAX_CPU><RUNNING_VMS>{len(vms)}</RUNNING_VMS>"
            "<VMS_THREAD>1</VMS_THREAD><DATASTORES/><PCI_DEVICES/><NUMA_NODES/></HOST_SHARE>"
            f"<VMS>{ids}</VMS>{Template([('HYPERVISOR', 'kvm')]).to_xml()}<MONITORING/></HOST>"
        )
