// A policy module in JavaScript: every cluster gets `<cluster>.<base>`, and each name of it is recorded a
// second time below a label of the cluster, for example its region: `shop.<domain>` also as
// `shop.<region>.<domain>`. Which label that is stands in the configuration.
//
// What a function throws is an error of the module, as the contract has it.

import { sayingBugs } from './bugs.js';
import { configurationOf } from './configuration.js';
import { isOneLabel, labelsBelow, placeOf } from './names.js';
import { recordSets } from './records.js';

const NAME = 'geo-label';
const VERSION = '0.1.0';

export const policy = sayingBugs({
  describe() {
    return {
      name: NAME,
      version: VERSION,
      summary: 'Records each name a second time below a label of its cluster, such as the region.',
      details: [],
    };
  },

  checkConfiguration(configuration) {
    configurationOf(configuration);
  },

  domainFilter({ cluster, baseDomain }) {
    if (!isOneLabel(cluster.name)) {
      throw `cluster name '${cluster.name}' contains a dot, so it cannot be one label of a domain`;
    }
    return `${cluster.name}.${baseDomain}`;
  },

  validateHostname(context, domain, { hostName }) {
    // The operator granted this very name to this cluster.
    if (context.sharedNames.includes(hostName)) return { tag: 'allow' };
    const labels = labelsBelow(hostName, domain);
    if (labels === undefined) {
      return deny('outside-domain', `${hostName} is not in ${domain}, the domain of this cluster`);
    }
    // Two objects would ask for the same name: one by its name, one by its name and the place.
    const place = placeOf(context);
    if (place !== undefined && labels.at(-1) === place) {
      return deny(
        'reserved-for-place',
        `names below ${place}.${domain} are made by the policy; claim the name without '.${place}'`,
      );
    }
    return { tag: 'allow' };
  },

  nameRecords(context, domain, claim) {
    const { ttlSeconds } = configurationOf(context.configuration);
    const names = [claim.hostName];
    const labels = labelsBelow(claim.hostName, domain);
    const place = placeOf(context);
    if (labels !== undefined && place !== undefined && !context.sharedNames.includes(claim.hostName)) {
      const second = [...labels, place, domain].join('.');
      // A name that is too long is recorded once: better without a second name than without any.
      if (second.length <= 253) names.push(second);
    }
    return recordSets(names, claim, ttlSeconds);
  },
});

function deny(code, message) {
  return { tag: 'deny', val: { code, message } };
}
