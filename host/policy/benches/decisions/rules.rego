# The rules of the standard module, for the same configuration.
package dns

import rego.v1

ipv4 := [target | some target in input.targets; trim(target, "0123456789.") == ""]

ipv6 := [target | some target in input.targets; contains(target, ":")]

addresses := count(ipv4) + count(ipv6)

shared if input.hostName in input.sharedNames

is_domain if input.hostName == input.domain

suffix := concat("", [".", input.domain])

within if is_domain

within if endswith(input.hostName, suffix)

labels := [] if is_domain

labels := split(trim_suffix(input.hostName, suffix), ".") if {
	not is_domain
	within
}

wildcard if labels[0] == "*"

named := array.slice(labels, 1, count(labels)) if wildcard

named := labels if not wildcard

# Objections with their order: the least of them is given.
objection contains [1, 0, 0, 0, "too-many-targets"] if count(ipv4) > 64

objection contains [1, 0, 0, 0, "too-many-targets"] if count(ipv6) > 64

objection contains [2, 0, 0, 0, "target-is-itself"] if {
	addresses == 0
	input.targets == [input.hostName]
}

objection contains [2, 0, 0, 0, "ambiguous-target"] if {
	addresses == 0
	count(input.targets) > 1
}

objection contains [3, 0, 0, 0, "outside-domain"] if {
	not shared
	not within
}

objection contains [4, 0, 0, 0, "reserved-name"] if {
	not shared
	labels[count(labels) - 1] in data.configuration.reservedNames
}

selected contains index if {
	not shared
	within
	some index, rule in data.configuration.rules
	has(rule, "kinds", [input.kind])
	has(rule, "namespaces", [input.namespace])
	has(rule, "purposes", input.purposes)
}

has(rule, field, _) if not rule[field]

has(rule, field, values) if {
	some value in values
	value in rule[field]
}

objection contains [5, index, 0, 0, "denied-by-rule"] if {
	some index in selected
	data.configuration.rules[index].deny
}

objection contains [5, index, 1, 0, "wildcard-not-allowed"] if {
	some index in selected
	wildcard
	data.configuration.rules[index].wildcards == false
}

objection contains [5, index, 2, 0, "too-many-labels"] if {
	some index in selected
	count(labels) > data.configuration.rules[index].maxLabels
}

objection contains [5, index, 3, 0, "prefix-not-allowed"] if {
	some index in selected
	prefixes := data.configuration.rules[index].allowedPrefixes
	first := named[0]
	count([prefix | some prefix in prefixes; startswith(first, prefix)]) == 0
}

objection contains [5, index, 4, position * 3, "label-too-short"] if {
	some index in selected
	some position, label in named
	count(label) < data.configuration.rules[index].minLabelLength
}

objection contains [5, index, 4, (position * 3) + 1, "label-too-long"] if {
	some index in selected
	some position, label in named
	count(label) > data.configuration.rules[index].maxLabelLength
}

objection contains [5, index, 4, (position * 3) + 2, "character-not-allowed"] if {
	some index in selected
	some position, label in named
	trim(label, data.configuration.rules[index].allowedCharacters) != ""
}

verdict := "allow" if count(objection) == 0

verdict := min(objection)[4] if count(objection) > 0
