// Reads JSON (RFC 8259) as far as a configuration needs it, field by field, straight from its text.
//
// Nothing is built of it: a reader holds its place in the text, and an index never goes beyond the end. Memory is taken only
// for a text with escapes, never more than it has bytes, and for an error. It calls itself for nothing: how deep a text may
// be nested is what the code that reads it asks for.
#pragma once
#include "text.h"

typedef struct {
  text source;
  size_t at;
  // Whether nothing was read yet of the object or list that was entered last.
  bool first;
  // What is wrong, in words for people; empty as long as nothing is. Nothing is read any more then.
  text error;
} json;

json json_of(text source);

// Enters the object that comes next; then goes from field to field. False at its end, and after an error:
//   text name;
//   if (json_object(&reader)) while (json_field(&reader, &name)) ...read its value...
bool json_object(json *reader);
bool json_field(json *reader, text *name);
// The same of a list, whose items have no names.
bool json_list(json *reader);
bool json_item(json *reader);

// What comes next, or an error that says what was expected. A text is without quotes and escapes.
bool json_text(json *reader, text *value);
// From 0 to 4294967295, without sign, fraction and exponent.
bool json_number(json *reader, uint32_t *value);
bool json_flag(json *reader, bool *value);
// Whether `null` comes next, which is read then; a field that is null counts as not given.
bool json_null(json *reader);
// Whether nothing but white space is left.
bool json_end(json *reader);
