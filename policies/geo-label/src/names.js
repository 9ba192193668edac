// Names and their labels.

import { configurationOf } from './configuration.js';

export function isOneLabel(name) {
  return !name.includes('.');
}

// The labels in front of the domain: none for the domain itself, undefined outside of it.
export function labelsBelow(hostName, domain) {
  if (hostName === domain) return [];
  if (!hostName.endsWith(`.${domain}`)) return undefined;
  return hostName.slice(0, -domain.length - 1).split('.');
}

// The cluster's place as a label of a host name; undefined for a cluster without one.
export function placeOf({ cluster, configuration }) {
  const { labelKey } = configurationOf(configuration);
  const found = cluster.labels.find(([key]) => key === labelKey);
  if (found === undefined) return undefined;
  // A value may have dots, underscores and upper case (Kubernetes), a host name not (RFC 1123).
  const label = found[1].toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  // The host refuses the label `any`, and with it the whole answer.
  return label === '' || label === 'any' ? undefined : label;
}
