// DEBUG(text) prints for whoever runs `openmcp-dns policy run --debug`, in what `openmcp-dns policy build --debug`
// builds. Elsewhere nothing is left of it: a module that decides imports nothing.
#pragma once
#include "text.h"

#ifdef OPENMCP_DNS_DEBUG
// As WIT has it: print: func(text: string).
__attribute__((import_module("openmcp:dns-policy-debug/output@0.1.0"), import_name("print")))
void debug_print(const uint8_t *start, size_t bytes);
#define DEBUG(text_to_print)             \
  do {                                   \
    text printed = (text_to_print);      \
    debug_print(printed.ptr, printed.len); \
  } while (0)
#else
#define DEBUG(text_to_print) ((void)0)
#endif
