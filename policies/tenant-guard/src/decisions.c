// A policy module in C: every cluster gets `<cluster>.<base>`, and in it a namespace may claim only names
// of its own: directly below the cluster's domain stands the namespace, or what starts with it and a
// hyphen. The configuration says which namespaces are exempt, whether others have wildcards, and how long
// records live.
//
// A function of the contract that can fail answers true with `ret` set, or false with `err` set.

#include <string.h>

#include "configuration.h"
#include "debug.h"
#include "dns_policy.h"
#include "records.h"
#include "text.h"

#define NAME "tenant-guard"
#define VERSION "0.1.0"

void exports_openmcp_dns_policy_policy_describe(exports_openmcp_dns_policy_policy_description_t *ret) {
  ret->name = JOIN(of(NAME));
  ret->version = JOIN(of(VERSION));
  ret->summary = JOIN(of("Gives each namespace the names that start with its own."));
  ret->details.ptr = NULL;
  ret->details.len = 0;
}

bool exports_openmcp_dns_policy_policy_check_configuration(text *source, text *err) {
  configuration configuration;
  return configuration_of(*source, &configuration, err);
}

static bool has_dot(text name) {
  for (size_t index = 0; index < name.len; index++) {
    if (name.ptr[index] == '.') return true;
  }
  return false;
}

bool exports_openmcp_dns_policy_policy_domain_filter(
    exports_openmcp_dns_policy_policy_context_t *context, text *ret, text *err) {
  text cluster = context->cluster.name;
  if (has_dot(cluster)) {
    *err = JOIN(of("cluster name '"), cluster, of("' contains a dot, so it cannot be one label of a domain"));
    return false;
  }
  *ret = JOIN(cluster, of("."), context->base_domain);
  return true;
}

static void deny(exports_openmcp_dns_policy_policy_verdict_t *ret, const char *code, text message) {
  ret->tag = EXPORTS_OPENMCP_DNS_POLICY_POLICY_VERDICT_DENY;
  ret->val.deny.code = JOIN(of(code));
  ret->val.deny.message = message;
}

// The label directly below the domain: `b` of `a.b.<domain>`. Empty for the domain itself.
static text label_below(text host_name, text domain) {
  size_t end = host_name.len - domain.len;
  if (end == 0) return (text){host_name.ptr, 0};
  end--;  // the dot in front of the domain
  size_t start = end;
  while (start > 0 && host_name.ptr[start - 1] != '.') start--;
  return (text){host_name.ptr + start, end - start};
}

static bool belongs_to(text label, text namespace) {
  if (!starts_with(label, namespace)) return false;
  text rest = without_start(label, namespace.len);
  return rest.len == 0 || rest.ptr[0] == '-';
}

static bool is_one_of(text name, dns_policy_list_string_t names) {
  for (size_t index = 0; index < names.len; index++) {
    if (is_equal(names.ptr[index], name)) return true;
  }
  return false;
}

bool exports_openmcp_dns_policy_policy_validate_hostname(
    exports_openmcp_dns_policy_policy_context_t *context, text *domain,
    exports_openmcp_dns_policy_policy_claim_t *claim, exports_openmcp_dns_policy_policy_verdict_t *ret,
    text *err) {
  configuration configuration;
  if (!configuration_of(context->configuration, &configuration, err)) return false;
  ret->tag = EXPORTS_OPENMCP_DNS_POLICY_POLICY_VERDICT_ALLOW;
  // The operator granted this very name to this cluster; whose namespaces it is for is not said.
  if (is_one_of(claim->host_name, context->shared_names)) return true;
  text below = JOIN(of("."), *domain);
  if (!is_equal(claim->host_name, *domain) && !ends_with(claim->host_name, below)) {
    deny(ret, "outside-domain", JOIN(claim->host_name, of(" is not in "), *domain, of(", the domain of this cluster")));
    return true;
  }
  text namespace = claim->source.namespace_;
  if (is_one_of(namespace, configuration.exempt_namespaces)) return true;
  if (!configuration.wildcards && starts_with(claim->host_name, of("*."))) {
    deny(ret, "wildcard", JOIN(claim->host_name, of(" stands for many names; claim each of them")));
    return true;
  }
  if (!belongs_to(label_below(claim->host_name, *domain), namespace)) {
    deny(ret, "not-of-this-namespace",
         JOIN(of("use "), namespace, below, of(" or "), namespace, of("-<name>"), below,
              of(", or a name below one of them: others belong to other namespaces")));
  }
  return true;
}

bool exports_openmcp_dns_policy_policy_name_records(
    exports_openmcp_dns_policy_policy_context_t *context, text *domain,
    exports_openmcp_dns_policy_policy_claim_t *claim,
    exports_openmcp_dns_policy_policy_list_record_set_t *ret, text *err) {
  (void)domain;
  configuration configuration;
  if (!configuration_of(context->configuration, &configuration, err)) return false;
  *ret = records_of(claim, configuration.ttl_seconds);
  return true;
}
