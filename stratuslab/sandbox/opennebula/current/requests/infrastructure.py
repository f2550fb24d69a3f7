"""The requests about what administrators set up: datastores, networks, hosts, zones, the release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.current.documents import datastore_document, network_document
from stratuslab.sandbox.opennebula.current.requests.request import listed
from stratuslab.sandbox.opennebula.model.documents import id_elements, pool
from stratuslab.sandbox.opennebula.model.scheduler import capacity_of
from stratuslab.sandbox.opennebula.refusals import forbidden, missing, not_authorized, not_done_here
from stratuslab.sandbox.opennebula.template.template import Template

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.requests.request import Request, Requests
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
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


@dataclass(frozen=True)
class InfrastructureRequests:
    """Answers the requests about infrastructure; it cannot be changed."""

    books: Books
    scheduler: Scheduler
    release: Release

    def requests(self) -> Requests:
        """Return what answers each method."""
        return {
            "one.system.version": lambda _: self.release.version,
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
        if not request.user.is_admin and not self.release.config_is_public:
            text = "The oned configuration can only be retrieved by users in the oneadmin group."
            raise forbidden(request.user, text)
        restricted = [("VM_RESTRICTED_ATTR", name) for name in self.release.restricted]
        return Template([*_CONFIG.items(), *restricted]).to_xml("OPENNEBULA_CONFIGURATION")

    def _datastore(self, request: Request) -> str:
        datastore = self.books.datastore(request.arguments.integer(0))
        return datastore_document(datastore, self.books, self.release)

    def _datastores(self, _request: Request) -> str:
        datastores = sorted(self.books.datastores.values(), key=lambda datastore: -datastore.id)
        documents = (datastore_document(datastore, self.books, self.release) for datastore in datastores)
        return pool("DATASTORE_POOL", documents)

    def _network(self, request: Request) -> str:
        network = self.books.network(request.arguments.integer(0))
        return network_document(network, self.books, self.release, leases=True)

    def _networks(self, request: Request) -> str:
        return listed(
            request,
            self.books.networks.values(),
            "VNET_POOL",
            lambda network: network_document(network, self.books, self.release, leases=False),
            usable=lambda _: True,
        )

    def _allocate_network(self, request: Request) -> int:
        request.arguments.string(0)
        if not request.user.is_admin:
            text = "Not authorized to perform CREATE NET; Not authorized to perform ADMIN CLUSTER [0]."
            raise forbidden(request.user, text)
        raise not_done_here()

    def _host(self, request: Request) -> str:
        host_id = request.arguments.integer(0)
        if not request.user.is_admin:
            raise not_authorized(request.user, "USE HOST", host_id)
        for host in self.books.hosts:
            if host.id == host_id:
                return self._host_document(host)
        raise missing("HOST", host_id)

    def _hosts(self, request: Request) -> str:
        hosts = sorted(self.books.hosts, key=lambda host: -host.id) if request.user.is_admin else []
        return pool("HOST_POOL", map(self._host_document, hosts))

    def _clusters(self, request: Request) -> str:
        if not request.user.is_admin:
            return pool("CLUSTER_POOL", [])
        ids = {
            "HOSTS": [host.id for host in self.books.hosts],
            "DATASTORES": [*self.books.datastores],
            "VNETS": [*self.books.networks],
        }
        parts = "".join(f"<{name}>{id_elements(numbers)}</{name}>" for name, numbers in ids.items())
        return pool("CLUSTER_POOL", [f"<CLUSTER><ID>0</ID><NAME>default</NAME>{parts}<TEMPLATE/></CLUSTER>"])

    def _zones(self, _request: Request) -> str:
        state = "<STATE>0</STATE>" if self.release.has_backups else ""
        grpc = [("ENDPOINT_GRPC", "localhost:2634")] if self.release.has_plans else []
        endpoint = Template([("ENDPOINT", "http://localhost:2633/RPC2"), *grpc]).to_xml()
        zone = f"<ZONE><ID>0</ID><NAME>OpenNebula</NAME>{state}{endpoint}<SERVER_POOL></SERVER_POOL></ZONE>"
        return pool("ZONE_POOL", [zone])

    def _host_document(self, host: Host) -> str:
        vms = self.scheduler.vms_on(host)
        taken = capacity_of(vms)
        cpu, memory = host.capacity.cpu, host.capacity.memory
        return (
            f"<HOST><ID>{host.id}</ID><NAME>{host.name}</NAME><STATE>2</STATE><PREV_STATE>2</PREV_STATE>"
            "<IM_MAD><![CDATA[kvm]]></IM_MAD><VM_MAD><![CDATA[kvm]]></VM_MAD><CLUSTER_ID>0</CLUSTER_ID>"
            f"<CLUSTER>default</CLUSTER><HOST_SHARE><MEM_USAGE>{taken.memory}</MEM_USAGE>"
            f"<CPU_USAGE>{taken.cpu}</CPU_USAGE><TOTAL_MEM>{memory}</TOTAL_MEM><TOTAL_CPU>{cpu}</TOTAL_CPU>"
            f"<MAX_MEM>{memory}</MAX_MEM><MAX_CPU>{cpu}</MAX_CPU><RUNNING_VMS>{len(vms)}</RUNNING_VMS>"
            "<VMS_THREAD>1</VMS_THREAD><DATASTORES/><PCI_DEVICES/><NUMA_NODES/></HOST_SHARE>"
            f"<VMS>{id_elements(vm.id for vm in vms)}</VMS>"
            f"{Template([('HYPERVISOR', 'kvm')]).to_xml()}<MONITORING/></HOST>"
        )
