"""The methods of OpenNebula from 5.12 on, as a client may ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.requests.methods import methods_in

if TYPE_CHECKING:
    from stratuslab.sandbox.opennebula.releases import Release

OFFERED = methods_in(
    """
    clusterpool: info()
    datastore: info(i)
    datastorepool: info()
    group: info(i) quota(is)
    host: info(i)
    hostpool: info()
    image: allocate(sib) chmod(iiiiiiiiii) chtype(is) clone(is) delete(ib) enable(ib) info(i) lock(is)
        persistent(ib) rename(is) snapshotdelete(ii) snapshotflatten(ii) snapshotrevert(ii) unlock(ii)
        update(is)
    imagepool: info(iii)
    system: config() version()
    template: allocate(s) clone(isb) delete(i) info(i) instantiate(isbs) rename(is) update(is)
    templatepool: info(iii)
    user: info(i) login(ssii) quota(is) update(is)
    userpool: info()
    userquota: info()
    vm: action(si) allocate(sb) attach(is) attachnic(is) chmod(iiiiiiiiii) detach(ii) detachnic(ii)
        diskresize(iis) disksaveas(iissi) disksnapshotcreate(iis) disksnapshotdelete(iii)
        disksnapshotrename(iiis) disksnapshotrevert(iii) info(i) lock(is) monitoring(i) recover(ii)
        rename(is) resize(isb) snapshotcreate(is) snapshotdelete(ii) snapshotrevert(ii) unlock(ii)
        update(is) updateconf(is)
    vmpool: info(iiiis) infoextended(iiiis) infoset(s) monitoring(i)
    vn: allocate(si) info(i)
    vnpool: info(iii)
    zonepool: info()
    """
)
"""What the sandbox does."""

_NOT_OFFERED = methods_in(
    """
    acl: addrule(sss) delrule(i) info()
    cluster: adddatastore(ii) addhost(ii) addvnet(ii) allocate(s) deldatastore(ii) delete(i) delhost(ii)
        delvnet(ii) info(i) rename(is) update(is)
    datastore: allocate(si) chmod(iiiiiiiiii) chown(iii) delete(i) enable(ib) rename(is) update(is)
    document: allocate(si) chmod(iiiiiiiiii) chown(iii) clone(is) delete(i) info(i) lock(is) rename(is)
        unlock(ii) update(is)
    documentpool: info(iiii)
    group: addadmin(ii) allocate(s) deladmin(ii) delete(i) update(is)
    grouppool: info()
    groupquota: info() update(s)
    hook: allocate(s) delete(i) info(i) lock(is) rename(is) retry(ii) unlock(ii) update(is)
    hooklog: info(iiii)
    hookpool: info(iii)
    host: allocate(sssi) delete(i) monitoring(i) rename(is) status(ii) update(is)
    hostpool: monitoring()
    image: chown(iii)
    market: allocate(s) allocatedb(s) chmod(iiiiiiiiii) chown(iii) delete(i) info(i) rename(is)
        update(is) updatedb(is)
    marketapp: allocate(si) allocatedb(s) chmod(iiiiiiiiii) chown(iii) delete(i) dropdb(i) enable(ib)
        info(i) lock(is) rename(is) unlock(ii) update(is) updatedb(is)
    marketapppool: info(iii)
    marketpool: info()
    secgroup: allocate(s) chmod(iiiiiiiiii) chown(iii) clone(is) commit(ib) delete(i) info(i) rename(is)
        update(is)
    secgrouppool: info(iii)
    system: sql(sb) sqlquery(s)
    template: chmod(iiiiiiiiiib) chown(iii) lock(is) unlock(ii)
    user: addgroup(ii) allocate(sssA) chauth(iss) chgrp(ii) delete(i) delgroup(ii) passwd(is)
    userquota: update(s)
    vdc: addcluster(iii) adddatastore(iii) addgroup(ii) addhost(iii) addvnet(iii) allocate(s)
        delcluster(iii) deldatastore(iii) delete(i) delgroup(ii) delhost(iii) delvnet(iii) info(i)
        rename(is) update(is)
    vdcpool: info()
    vm: chown(iii) deploy(iibis) migrate(iibbii)
    vmgroup: allocate(s) chmod(iiiiiiiiii) chown(iii) delete(i) info(i) lock(is) rename(is) unlock(ii)
        update(is)
    vmgrouppool: info(iii)
    vmpool: accounting(iii) calculateshowback(ii) showback(iiiii)
    vn: add_ar(is) chmod(iiiiiiiiii) chown(iii) delete(i) free_ar(ii) hold(is) lock(is) release(is)
        rename(is) reserve(is) rm_ar(ii) unlock(ii) update(is) update_ar(is)
    vntemplate: allocate(s) chmod(iiiiiiiiii) chown(iii) clone(is) delete(i) info(i) instantiate(iss)
        lock(is) rename(is) unlock(ii) update(is)
    vntemplatepool: info(iii)
    vrouter: allocate(s) attachnic(is) chmod(iiiiiiiiii) chown(iii) delete(i) detachnic(ii) info(i)
        instantiate(iiisbs) lock(is) rename(is) unlock(ii) update(is)
    vrouterpool: info(iii)
    zone: addserver(is) allocate(s) delete(i) delserver(ii) fedreplicate(is) info(i) raftstatus()
        rename(is) replicate(iiiiiiis) resetserver(is) update(is) updatedb(is) voterequest(iiii)
    """
)
_NEW_IN_6 = methods_in(
    """
    backupjob: allocate(s) backup(i) cancel(i) chmod(iiiiiiiiii) chown(iii) delete(i) info(i) lock(is)
        priority(ii) rename(is) retry(i) schedadd(is) scheddelete(ii) schedupdate(iis) unlock(ii)
        update(is)
    backupjobpool: info(iii)
    image: restore(iis)
    market: enable(ii)
    user: enable(ii)
    vm: attachpci(is) attachsg(iii) backup(iib) backupcancel(i) detachpci(ii) detachsg(iii)
        restore(iiii) schedadd(s) scheddelete(i) schedupdate(is) updatenic(iis)
    vmgroup: roleadd(is) roledelete(ii) roleupdate(iis)
    vn: recover(ii)
    zone: enable(ii)
    """
)
NOT_OFFERED = {**_NOT_OFFERED, **_NEW_IN_6}
"""What exists as well up to 6.10; the sandbox refuses it."""

_NEW_IN_7_4 = methods_in(
    """
    cluster: optimize(i) plandelete(i) planexecute(i)
    group: vlan(is)
    vm: cancelexec(i) exec(iss) retryexec(i) vmgroupadd(iis) vmgroupdel(i)
    """
)


def methods_of(release: Release) -> dict[str, str]:
    """Return all methods of a release, with the types of their arguments after the session."""
    methods = {**OFFERED, **_NOT_OFFERED}
    if release.has_formats:
        methods |= _NEW_IN_6
    if release.has_plans:
        methods |= _NEW_IN_7_4
    return methods
