// Reading is strict: a field that is not known is an error, because a rule that is silently ignored publishes
// what it was written to refuse.
#include "configuration.h"

#include <stdlib.h>

#include "json.h"

#define DEFAULT_TTL_SECONDS 60
#define MAX_TTL_SECONDS 86400
// Most namespaces that are exempt: each is compared with that of every claim.
#define MAX_NAMESPACES 256

// A field with its reader. What is no JSON, the reader of JSON knows; a reader of a field answers false where a value
// cannot be used.
typedef struct {
  const char *name;
  bool (*read)(json *reader, configuration *ret, text *error);
} field;

static bool wrong(const char *field, const char *what, text *error) {
  *error = JOIN(of(field), of(": "), of(what));
  return false;
}

static bool read_ttl(json *reader, configuration *ret, text *error) {
  if (!json_number(reader, &ret->ttl_seconds)) return true;
  if (ret->ttl_seconds >= 1 && ret->ttl_seconds <= MAX_TTL_SECONDS) return true;
  return wrong("ttlSeconds", "expected 1 to 86400 seconds", error);
}

static bool read_namespaces(json *reader, configuration *ret, text *error) {
  dns_policy_list_string_t *list = &ret->exempt_namespaces;
  if (!json_list(reader)) return true;
  list->ptr = malloc(MAX_NAMESPACES * sizeof(text));
  if (list->ptr == NULL) abort();
  for (text namespace; json_item(reader);) {
    if (!json_text(reader, &namespace)) return true;
    if (namespace.len == 0) return wrong("exemptNamespaces", "expected names of namespaces, found an empty one", error);
    if (list->len == MAX_NAMESPACES) return wrong("exemptNamespaces", "expected at most 256 namespaces", error);
    list->ptr[list->len++] = namespace;
  }
  return true;
}

static bool read_wildcards(json *reader, configuration *ret, text *error) {
  (void)error;
  json_flag(reader, &ret->wildcards);
  return true;
}

static const field fields[] = {
    {"exemptNamespaces", read_namespaces},
    {"ttlSeconds", read_ttl},
    {"wildcards", read_wildcards},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))
#define KNOWN "exemptNamespaces, ttlSeconds, wildcards"

bool configuration_of(text source, configuration *ret, text *error) {
  *ret = (configuration){.ttl_seconds = DEFAULT_TTL_SECONDS, .wildcards = true};
  json reader = json_of(source);
  bool given[FIELDS] = {false};
  text name = of("the configuration");
  if (json_object(&reader)) {
    while (json_field(&reader, &name)) {
      size_t index = 0;
      while (index < FIELDS && !is_equal(name, of(fields[index].name))) index++;
      if (index == FIELDS) {
        *error = JOIN(name, of(": there is no such field; known are " KNOWN));
        return false;
      }
      if (given[index]) return wrong(fields[index].name, "is given twice", error);
      given[index] = true;
      // As everywhere in Kubernetes, null counts as not given.
      if (!json_null(&reader) && !fields[index].read(&reader, ret, error)) return false;
    }
  }
  if (json_end(&reader)) return true;
  *error = JOIN(name, of(": "), reader.error);
  return false;
}
