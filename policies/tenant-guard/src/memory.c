// The parts of a C library that a guest needs, without one: memory and a few functions on bytes.
//
// Memory is handed out and never taken back. The host runs each question in a fresh instance and throws
// it away with all its memory, so this is correct, and nothing is faster.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 65536u
// What every C type can lie at.
#define ALIGNMENT 16u

// The linker says where the guest's own data ends.
extern unsigned char __heap_base;

static uintptr_t next_free;

void *malloc(size_t size) {
  if (next_free == 0) next_free = (uintptr_t)&__heap_base;
  uintptr_t start = (next_free + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  uintptr_t end = start + size;
  if (end < start) return NULL;
  uintptr_t have = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
  if (end > have) {
    size_t pages = (end - have + PAGE_BYTES - 1) / PAGE_BYTES;
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return NULL;
  }
  next_free = end;
  return (void *)start;
}

void *realloc(void *old, size_t size) {
  void *memory = malloc(size);
  // The old size is not known. No more than `size` bytes are needed of what is there, and to read
  // beyond the end of the old block is to read what lies in front of the new one.
  if (memory != NULL && old != NULL) memcpy(memory, old, size);
  return memory;
}

void free(void *memory) { (void)memory; }

// The host reports the trap, and nothing is published.
_Noreturn void abort(void) { __builtin_trap(); }

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  // By -ffreestanding the compiler leaves this loop as it is; else it would make a call of memcpy of it.
  unsigned char *target = to;
  const unsigned char *source = from;
  for (size_t index = 0; index < size; index++) target[index] = source[index];
  return to;
}

int memcmp(const void *left, const void *right, size_t size) {
  const unsigned char *a = left, *b = right;
  for (size_t index = 0; index < size; index++) {
    if (a[index] != b[index]) return a[index] < b[index] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

// wit-bindgen refers to an object file that holds the contract. `policy build` writes the contract
// into the module itself, so there is no such file.
void __component_type_object_force_link_dns_policy(void) {}
