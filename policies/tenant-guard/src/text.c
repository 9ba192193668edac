#include "text.h"

#include <stdlib.h>
#include <string.h>

text of(const char *literal) { return (text){(uint8_t *)literal, strlen(literal)}; }

text of_number(size_t number) {
  uint8_t digits[20], *start = digits + sizeof(digits);
  do {
    *--start = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return JOIN(((text){start, (size_t)(digits + sizeof(digits) - start)}));
}

bool is_equal(text left, text right) {
  return left.len == right.len && memcmp(left.ptr, right.ptr, left.len) == 0;
}

bool starts_with(text whole, text start) {
  return whole.len >= start.len && memcmp(whole.ptr, start.ptr, start.len) == 0;
}

bool ends_with(text whole, text end) {
  return whole.len > end.len && memcmp(whole.ptr + whole.len - end.len, end.ptr, end.len) == 0;
}

text without_start(text whole, size_t bytes) { return (text){whole.ptr + bytes, whole.len - bytes}; }

text join(const text *parts, size_t count) {
  size_t length = 0;
  for (size_t index = 0; index < count; index++) length += parts[index].len;
  text joined = {malloc(length), 0};
  if (joined.ptr == NULL) abort();
  for (size_t index = 0; index < count; index++) {
    memcpy(joined.ptr + joined.len, parts[index].ptr, parts[index].len);
    joined.len += parts[index].len;
  }
  return joined;
}
