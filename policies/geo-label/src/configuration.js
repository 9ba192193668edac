// The module's configuration. Reading is strict: a field that is not known is an error, because a rule
// that is silently ignored publishes what it was written to refuse.

const DEFAULTS = { labelKey: 'topology.kubernetes.io/region', ttlSeconds: 60 };

const CHECKS = {
  labelKey: (value) =>
    (typeof value === 'string' && value.length > 0) || 'expected the key of a label of the cluster',
  ttlSeconds: (value) =>
    (Number.isInteger(value) && value >= 1 && value <= 86400) ||
    'expected a whole number of 1 to 86400 seconds',
};

// Reads JSON text; throws what is wrong with it.
export function configurationOf(text) {
  let given;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw `the configuration is no JSON: ${error.message}`;
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw 'the configuration: expected an object';
  }
  for (const [field, value] of Object.entries(given)) {
    if (!Object.hasOwn(CHECKS, field)) {
      throw `${field}: there is no such field; known are ${Object.keys(CHECKS).join(', ')}`;
    }
    const fine = CHECKS[field](value);
    if (fine !== true) throw `${field}: ${fine}, found ${JSON.stringify(value)}`;
  }
  return { ...DEFAULTS, ...given };
}
