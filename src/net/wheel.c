#include "net/wheel.h"

static struct wheel_entry *slot_of(struct wheel *w, int64_t tick)
{
    return &w->slots[(uint64_t)tick % WHEEL_SLOTS];
}

void wheel_init(struct wheel *w, int64_t tick_ms, int64_t now_ms)
{
    w->tick_ms = tick_ms;
    w->at = now_ms / tick_ms;
    w->count = 0;
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        w->slots[i].next = w->slots[i].prev = &w->slots[i];
}

static int64_t tick_for(const struct wheel *w, int64_t due_ms)
{
    int64_t last = w->at + WHEEL_SLOTS - 1;

    if (due_ms / w->tick_ms >= last)
        return last;
    if (due_ms <= w->at * w->tick_ms)
        return w->at;
    return (due_ms + w->tick_ms - 1) / w->tick_ms; /* never too early */
}

int64_t wheel_put(struct wheel *w, struct wheel_entry *e, int64_t due_ms)
{
    int64_t tick = tick_for(w, due_ms);
    struct wheel_entry *head = slot_of(w, tick);

    wheel_remove(w, e);
    e->next = head;
    e->prev = head->prev;
    head->prev->next = e;
    head->prev = e;
    w->count++;
    return tick * w->tick_ms;
}

void wheel_remove(struct wheel *w, struct wheel_entry *e)
{
    if (!e->next)
        return;
    e->prev->next = e->next;
    e->next->prev = e->prev;
    e->next = e->prev = NULL;
    w->count--;
}

struct wheel_entry *wheel_take(struct wheel *w, int64_t now_ms)
{
    int64_t now = now_ms / w->tick_ms;

    if (now - w->at > WHEEL_SLOTS) /* asleep for more than a turn: once round finds everything */
        w->at = now - WHEEL_SLOTS;
    for (; w->at <= now; w->at++) {
        struct wheel_entry *head = slot_of(w, w->at);

        if (head->next != head) {
            struct wheel_entry *e = head->next;

            wheel_remove(w, e);
            return e;
        }
        if (w->at == now)
            break; /* what is put for now, later in this tick, still comes up */
    }
    return NULL;
}
