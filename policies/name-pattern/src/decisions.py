"""A policy module in Python: every cluster gets `<cluster>.<base>`, and the configuration says by regular
expressions which names of it are allowed, by kind, namespace and purpose.

What a function raises as `Err` is an error of the module, as the contract has it.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.policy import Denial, Description, Verdict_Allow, Verdict_Deny

from bugs import saying_bugs
from configuration import Configuration, ConfigurationError
from records import record_sets

NAME = "name-pattern"
VERSION = "0.1.0"


class Policy(exports.Policy):
    def describe(self):
        return Description(NAME, VERSION, "Allows the names that match the patterns of its configuration.", [])

    @saying_bugs
    def check_configuration(self, configuration):
        read(configuration)

    @saying_bugs
    def domain_filter(self, context):
        cluster = context.cluster.name
        if "." in cluster:
            raise Err(f"cluster name '{cluster}' contains a dot, so it cannot be one label of a domain")
        return f"{cluster}.{context.base_domain}"

    @saying_bugs
    def validate_hostname(self, context, domain, claim):
        # The operator granted this very name to this cluster.
        if claim.host_name in context.shared_names:
            return Verdict_Allow()
        name = below(claim.host_name, domain)
        if name is None:
            return deny("outside-domain", f"{claim.host_name} is not in {domain}, the domain of this cluster")
        for rule in read(context.configuration).rules:
            if rule.selects(context, claim) and not rule.matches(name):
                return deny("pattern-mismatch", rule.explain(name))
        return Verdict_Allow()

    @saying_bugs
    def name_records(self, context, domain, claim):
        return record_sets(claim, read(context.configuration).ttl_seconds)


def read(text):
    try:
        return Configuration.parse(text)
    except ConfigurationError as error:
        raise Err(str(error)) from None


def below(host_name, domain):
    """The labels in front of the domain: empty for the domain itself, None outside of it."""
    if host_name == domain:
        return ""
    return host_name.removesuffix(f".{domain}") if host_name.endswith(f".{domain}") else None


def deny(code, message):
    return Verdict_Deny(Denial(code, message))
