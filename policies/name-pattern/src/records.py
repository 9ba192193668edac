"""What is published for an allowed claim."""

import re

from wit_world.exports.policy import RecordSet, RecordType

# Most values of one record set, as the contract says.
MAX_VALUES = 64

IPV4 = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


def type_of(target):
    # The contract gives addresses in their canonical form, and no host name has a colon.
    if IPV4.fullmatch(target):
        return RecordType.A
    return RecordType.AAAA if ":" in target else RecordType.CNAME


def record_sets(claim, ttl_seconds):
    values = {RecordType.A: [], RecordType.AAAA: [], RecordType.CNAME: []}
    for target in claim.targets:
        # A name that is its own alias leads nowhere.
        if target != claim.host_name:
            values[type_of(target)].append(target)
    # A CNAME must stand alone (RFC 1034 section 3.6.2), with one value.
    if values[RecordType.A] or values[RecordType.AAAA]:
        del values[RecordType.CNAME]
    else:
        del values[RecordType.CNAME][1:]
    return [
        RecordSet(claim.host_name, record_type, ttl_seconds, found[:MAX_VALUES])
        for record_type, found in values.items()
        if found
    ]
