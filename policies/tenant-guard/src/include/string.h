// What the bindings need of a C library; src/memory.c has it.
#pragma once
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
