"""The module's configuration. Reading is strict: a field that is not known is an error, because a rule
that is silently ignored publishes what it was written to refuse.
"""

import json
import re
from dataclasses import dataclass


class ConfigurationError(Exception):
    """Names the field and what it expects."""


@dataclass
class Rule:
    """What is asked of the claims that it selects; a list that is not given selects all."""

    pattern: re.Pattern
    message: str | None
    kinds: list[str] | None
    namespaces: list[str] | None
    purposes: list[str] | None

    def selects(self, context, claim):
        return (
            (self.kinds is None or claim.source.kind in self.kinds)
            and (self.namespaces is None or claim.source.namespace in self.namespaces)
            and (self.purposes is None or any(purpose in self.purposes for purpose in context.cluster.purposes))
        )

    def matches(self, name):
        # The whole name: a pattern that may match in its middle allows more than it seems to.
        return self.pattern.fullmatch(name) is not None

    def explain(self, name):
        return self.message or f"'{name}' does not match {self.pattern.pattern}, choose a name that does"

    @classmethod
    def read(cls, field, given):
        fields = take(field, given, {"pattern", "message", "kinds", "namespaces", "purposes"})
        pattern = text(f"{field}.pattern", fields.get("pattern"))
        try:
            compiled = re.compile(pattern, re.ASCII)
        except re.error as error:
            raise ConfigurationError(f"{field}.pattern: '{pattern}' is no regular expression: {error}") from None
        message = fields.get("message")
        lists = {key: texts(f"{field}.{key}", fields.get(key)) for key in ("kinds", "namespaces", "purposes")}
        return cls(compiled, message and text(f"{field}.message", message), **lists)


@dataclass
class Configuration:
    """All that can be configured."""

    rules: list[Rule]
    ttl_seconds: int

    @classmethod
    def parse(cls, given):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise ConfigurationError(f"the configuration is no JSON: {error}") from None
        fields = take("", given, {"rules", "ttlSeconds"})
        ttl = fields.get("ttlSeconds", 60)
        # True is an int in Python.
        if not isinstance(ttl, int) or isinstance(ttl, bool) or not 1 <= ttl <= 86400:
            raise ConfigurationError(f"ttlSeconds: expected a whole number of 1 to 86400 seconds, found {json.dumps(ttl)}")
        rules = fields.get("rules", [])
        if not isinstance(rules, list):
            raise ConfigurationError("rules: expected a list")
        return cls([Rule.read(f"rules[{index}]", rule) for index, rule in enumerate(rules)], ttl)


def take(field, given, known):
    if not isinstance(given, dict):
        raise ConfigurationError(f"{field or 'the configuration'}: expected an object")
    for key in given:
        if key not in known:
            where = f"{field}.{key}" if field else key
            raise ConfigurationError(f"{where}: there is no such field; known are {', '.join(sorted(known))}")
    return given


def text(field, given):
    if not isinstance(given, str) or not given:
        raise ConfigurationError(f"{field}: expected a text that is not empty")
    return given


def texts(field, given):
    if given is None:
        return None
    if not isinstance(given, list) or not given:
        raise ConfigurationError(f"{field}: expected a list that is not empty")
    return [text(f"{field}[{index}]", item) for index, item in enumerate(given)]
