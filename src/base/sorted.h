/* base/sorted.h: numbers in ascending order. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void sort_u64(uint64_t *v, size_t n);
size_t sort_u64_once(uint64_t *v, size_t n); /* and each once: so many are left */
