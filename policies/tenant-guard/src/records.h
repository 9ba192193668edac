// What is published for an allowed claim.
#pragma once
#include "dns_policy.h"

exports_openmcp_dns_policy_policy_list_record_set_t records_of(
    const exports_openmcp_dns_policy_policy_claim_t *claim, uint32_t ttl_seconds);
