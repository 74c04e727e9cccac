/* mail/thread_naive.h: THREAD=REFERENCES as RFC 5256 §3 tells it, step by step and slowly. Only for tests. */
#pragma once
#include "mail/thread.h"

/* As thread_by_references(), and thread_write() of it. */
void thread_naively(struct buf *out, const struct thread_item *items, size_t n);
