#include "records.h"

#include <stdlib.h>

#include "text.h"

// Most values of one record set, as the contract says.
#define MAX_VALUES 64
// The types A, AAAA and CNAME: their numbers in the contract are 0, 1 and 2.
#define TYPES 3

typedef exports_openmcp_dns_policy_policy_record_set_t record_set;
typedef exports_openmcp_dns_policy_policy_record_type_t record_type;

#define A EXPORTS_OPENMCP_DNS_POLICY_POLICY_RECORD_TYPE_A
#define AAAA EXPORTS_OPENMCP_DNS_POLICY_POLICY_RECORD_TYPE_AAAA
#define CNAME EXPORTS_OPENMCP_DNS_POLICY_POLICY_RECORD_TYPE_CNAME

// Four numbers of at most 255, joined by dots.
static bool is_ipv4(text target) {
  int parts = 1, digits = 0, value = 0;
  for (size_t index = 0; index < target.len; index++) {
    uint8_t byte = target.ptr[index];
    if (byte == '.') {
      if (digits == 0) return false;
      parts++;
      digits = 0;
      value = 0;
    } else if (byte >= '0' && byte <= '9' && digits < 3) {
      digits++;
      value = value * 10 + (byte - '0');
      if (value > 255) return false;
    } else {
      return false;
    }
  }
  return parts == 4 && digits > 0;
}

// The contract gives addresses in their canonical form, and no host name has a colon.
static record_type type_of(text target) {
  if (is_ipv4(target)) return A;
  for (size_t index = 0; index < target.len; index++) {
    if (target.ptr[index] == ':') return AAAA;
  }
  return CNAME;
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL) abort();
  return memory;
}

exports_openmcp_dns_policy_policy_list_record_set_t records_of(
    const exports_openmcp_dns_policy_policy_claim_t *claim, uint32_t ttl_seconds) {
  dns_policy_list_string_t values[TYPES] = {0};
  for (size_t index = 0; index < claim->targets.len; index++) {
    text target = claim->targets.ptr[index];
    record_type type = type_of(target);
    // A name that is its own alias leads nowhere.
    if (type == CNAME && is_equal(target, claim->host_name)) continue;
    dns_policy_list_string_t *list = &values[type];
    if (list->len == (type == CNAME ? 1 : MAX_VALUES)) continue;
    if (list->ptr == NULL) list->ptr = allocate(MAX_VALUES * sizeof(text));
    list->ptr[list->len++] = JOIN(target);
  }
  // A CNAME must stand alone (RFC 1034 section 3.6.2).
  if (values[A].len + values[AAAA].len > 0) values[CNAME].len = 0;

  exports_openmcp_dns_policy_policy_list_record_set_t sets = {allocate(TYPES * sizeof(record_set)), 0};
  for (record_type type = 0; type < TYPES; type++) {
    if (values[type].len == 0) continue;
    sets.ptr[sets.len++] = (record_set){JOIN(claim->host_name), type, ttl_seconds, values[type]};
  }
  return sets;
}
