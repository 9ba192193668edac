// What `DNSPolicy.spec.configuration` may say.
#pragma once
#include "text.h"

typedef struct {
  // Time to live of every record, from 1 to 86400.
  uint32_t ttl_seconds;
  // Namespaces that may claim every name of the cluster, such as that of its own routes.
  dns_policy_list_string_t exempt_namespaces;
  // Whether other namespaces may claim names with a `*`.
  bool wildcards;
} configuration;

// Reads JSON text; what is not given has its default. False with `error` set, which names the field and what it
// expects.
bool configuration_of(text source, configuration *ret, text *error);
