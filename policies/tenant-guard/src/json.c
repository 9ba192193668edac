#include "json.h"

#include <stdlib.h>

json json_of(text source) { return (json){.source = source}; }

static bool failed(const json *reader) { return reader->error.len > 0; }

// The first thing that is wrong is what is said.
static bool expected(json *reader, const char *what) {
  if (!failed(reader)) reader->error = JOIN(of("expected "), of(what), of(" at byte "), of_number(reader->at));
  return false;
}

// The byte at the place, or 0 at the end; a text has no such byte elsewhere that counts: it would be an error.
static uint8_t byte(const json *reader) {
  return reader->at < reader->source.len ? reader->source.ptr[reader->at] : 0;
}

static bool next_is(json *reader, uint8_t wanted) {
  if (reader->at == reader->source.len || byte(reader) != wanted) return false;
  reader->at++;
  return true;
}

// The next byte after white space, which is skipped.
static uint8_t peek(json *reader) {
  while (byte(reader) == ' ' || byte(reader) == '\t' || byte(reader) == '\n' || byte(reader) == '\r') reader->at++;
  return byte(reader);
}

static bool word(json *reader, const char *wanted) {
  peek(reader);
  text rest = without_start(reader->source, reader->at);
  if (!starts_with(rest, of(wanted))) return false;
  reader->at += of(wanted).len;
  return true;
}

// Behind a value, the next one of the same object or list needs a comma.
static bool done(json *reader) {
  reader->first = false;
  return true;
}

static bool enter(json *reader, uint8_t opening, const char *what) {
  if (failed(reader)) return false;
  if (peek(reader) != opening) return expected(reader, what);
  reader->at++;
  reader->first = true;
  return true;
}

// Whether another field or item follows; else the object or list is left.
static bool follows(json *reader, uint8_t closing, const char *what) {
  if (failed(reader)) return false;
  peek(reader);
  if (next_is(reader, closing)) {
    done(reader);
    return false;
  }
  if (!reader->first && !next_is(reader, ',')) return expected(reader, what);
  // Behind a comma there is something.
  reader->first = false;
  return true;
}

bool json_object(json *reader) { return enter(reader, '{', "an object"); }

bool json_list(json *reader) { return enter(reader, '[', "a list"); }

bool json_item(json *reader) { return follows(reader, ']', "',' or ']'"); }

bool json_field(json *reader, text *name) {
  if (!follows(reader, '}', "',' or '}'")) return false;
  if (peek(reader) != '"') return expected(reader, "the name of a field in quotes");
  if (!json_text(reader, name)) return false;
  peek(reader);
  return next_is(reader, ':') || expected(reader, "':'");
}

// Four hexadecimal digits behind `\u`.
static bool hexadecimal(json *reader, uint32_t *code) {
  *code = 0;
  for (int digit = 0; digit < 4; digit++, reader->at++) {
    uint8_t found = byte(reader);
    uint32_t value;
    if (found >= '0' && found <= '9') value = found - '0';
    else if (found >= 'a' && found <= 'f') value = found - 'a' + 10;
    else if (found >= 'A' && found <= 'F') value = found - 'A' + 10;
    else return expected(reader, "four hexadecimal digits after \\u");
    *code = *code << 4 | value;
  }
  return true;
}

// What stands behind a backslash. One escape has at least as many bytes as the character in UTF-8.
static bool escaped(json *reader, text *value) {
  static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  for (size_t index = 0; escapes[index] != 0; index++) {
    if (next_is(reader, (uint8_t)escapes[index])) {
      value->ptr[value->len++] = (uint8_t)meanings[index];
      return true;
    }
  }
  if (!next_is(reader, 'u')) return expected(reader, "an escape");
  uint32_t code, second;
  if (!hexadecimal(reader, &code)) return false;
  if (code >= 0xD800 && code <= 0xDBFF) {
    // The first half of a character beyond the first 65536.
    if (!next_is(reader, '\\') || !next_is(reader, 'u')) return expected(reader, "the second half of a character");
    if (!hexadecimal(reader, &second)) return false;
    if (second < 0xDC00 || second > 0xDFFF) return expected(reader, "the second half of a character");
    code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
  } else if (code >= 0xDC00 && code <= 0xDFFF) {
    return expected(reader, "the first half of a character");
  }
  uint8_t *end = value->ptr + value->len;
  if (code < 0x80) {
    *end++ = (uint8_t)code;
  } else if (code < 0x800) {
    *end++ = (uint8_t)(0xC0 | code >> 6);
    *end++ = (uint8_t)(0x80 | (code & 0x3F));
  } else {
    if (code < 0x10000) {
      *end++ = (uint8_t)(0xE0 | code >> 12);
    } else {
      *end++ = (uint8_t)(0xF0 | code >> 18);
      *end++ = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    }
    *end++ = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    *end++ = (uint8_t)(0x80 | (code & 0x3F));
  }
  value->len = (size_t)(end - value->ptr);
  return true;
}

bool json_text(json *reader, text *value) {
  if (failed(reader)) return false;
  peek(reader);
  if (!next_is(reader, '"')) return expected(reader, "a text");
  size_t start = reader->at, end = start;
  bool escapes = false;
  // Where it ends, and whether it is to be rewritten.
  for (; end < reader->source.len && reader->source.ptr[end] != '"'; end++) {
    if (reader->source.ptr[end] == '\\') {
      escapes = true;
      end++;
    }
  }
  if (end >= reader->source.len) {
    reader->at = reader->source.len;
    return expected(reader, "the end of a text");
  }
  *value = (text){reader->source.ptr + start, 0};
  if (escapes) {
    value->ptr = malloc(end - start);
    if (value->ptr == NULL) abort();
  }
  while (reader->at < end) {
    if (byte(reader) < ' ') return expected(reader, "no control character in a text");
    if (next_is(reader, '\\')) {
      if (!escaped(reader, value)) return false;
    } else if (escapes) {
      value->ptr[value->len++] = reader->source.ptr[reader->at++];
    } else {
      reader->at++;
      value->len++;
    }
  }
  reader->at++;  // the closing quote
  return done(reader);
}

static size_t digits(json *reader) {
  size_t start = reader->at;
  while (byte(reader) >= '0' && byte(reader) <= '9') reader->at++;
  return reader->at - start;
}

bool json_number(json *reader, uint32_t *value) {
  if (failed(reader)) return false;
  peek(reader);
  size_t start = reader->at, count = digits(reader);
  uint64_t sum = 0;
  for (size_t index = start; index < start + count && sum <= UINT32_MAX; index++) {
    sum = sum * 10 + (uint64_t)(reader->source.ptr[index] - '0');
  }
  uint8_t next = byte(reader);
  bool fraction = next == '.' || next == 'e' || next == 'E';
  bool zero_in_front = count > 1 && reader->source.ptr[start] == '0';
  if (count == 0 || sum > UINT32_MAX || fraction || zero_in_front) {
    reader->at = start;
    return expected(reader, "a whole number from 0 to 4294967295");
  }
  *value = (uint32_t)sum;
  return done(reader);
}

bool json_flag(json *reader, bool *value) {
  if (failed(reader)) return false;
  *value = word(reader, "true");
  if (*value || word(reader, "false")) return done(reader);
  return expected(reader, "true or false");
}

bool json_null(json *reader) { return !failed(reader) && word(reader, "null") && done(reader); }

bool json_end(json *reader) {
  if (failed(reader)) return false;
  peek(reader);
  return reader->at == reader->source.len || expected(reader, "the end");
}
