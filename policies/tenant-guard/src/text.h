// Texts as the contract has them: a pointer and a length, without a zero at the end.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "dns_policy.h"

typedef dns_policy_string_t text;

// A text of a literal.
text of(const char *literal);
// A number in digits.
text of_number(size_t number);
bool is_equal(text left, text right);
bool starts_with(text whole, text start);
// Whether `whole` is longer than `end` and ends with it.
bool ends_with(text whole, text end);
// What is left of `whole` without this many bytes at its start.
text without_start(text whole, size_t bytes);
// `parts` in a row, in memory of its own: the caller of an exported function may free it.
text join(const text *parts, size_t count);
#define JOIN(...) \
  join((const text[]){__VA_ARGS__}, sizeof((const text[]){__VA_ARGS__}) / sizeof(text))
