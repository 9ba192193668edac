// What is published for an allowed claim.

// Most values of one record set, as the contract says.
const MAX_VALUES = 64;

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;

// The contract gives addresses in their canonical form, and no host name has a colon.
function typeOf(target) {
  if (IPV4.test(target)) return 'a';
  return target.includes(':') ? 'aaaa' : 'cname';
}

// The record sets of a claim, for each of its names.
export function recordSets(names, { hostName, targets }, ttlSeconds) {
  const values = { a: [], aaaa: [], cname: [] };
  // A name that is its own alias leads nowhere.
  for (const target of targets.filter((target) => target !== hostName)) values[typeOf(target)].push(target);
  // A CNAME must stand alone (RFC 1034 section 3.6.2), with one value.
  const types = values.a.length + values.aaaa.length > 0 ? ['a', 'aaaa'] : ['cname'];
  const sets = [];
  for (const name of names) {
    for (const recordType of types) {
      const most = recordType === 'cname' ? 1 : MAX_VALUES;
      const ofType = values[recordType].filter((target) => target !== name).slice(0, most);
      if (ofType.length > 0) sets.push({ name, recordType, ttlSeconds, values: ofType });
    }
  }
  return sets;
}
