/* Random conversations of several sessions against the model, with the core in this process. More of them:
 *
 *     build/src/vault/imap/model_test --steps 1000000 --seed 7                                                       */
#include "vault/imap/model.h"
#include "vault/imap/testing.h"

#include "base/arena.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static struct driven sessions[8];

static void open_session(void *arg, size_t session)
{
    struct buf replies = buf_make(BUF_UNLIMITED);
    struct str nothing = STR_NONE;

    (void)arg;
    sessions[session] = (struct driven){.who = world.fred};
    driven_feed(&sessions[session], &nothing, &replies);
    buf_free(&replies);
}

static void close_session(void *arg, size_t session)
{
    (void)arg;
    driven_close(&sessions[session]);
}

static void say(void *arg, size_t session, struct str bytes, struct buf *reply)
{
    struct driven *d = &sessions[session];

    (void)arg;
    while (bytes.n && d->wish == SESSION_MORE)
        driven_feed(d, &bytes, reply);
    driven_wake(d, reply);
}

static bool run(uint64_t seed, uint64_t steps)
{
    const struct model_wire wire = {NULL, open_session, close_session, say};
    struct model_settings settings = {.seed = seed, .steps = steps, .sessions = 2 + seed % 4};
    char trouble[MODEL_TROUBLE];
    bool good;

    world_start();
    good = model_run(&wire, &settings, trouble);
    for (size_t i = 0; i < settings.sessions; i++)
        driven_close(&sessions[i]);
    world_stop();
    if (!good)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, trouble);
    return good;
}

static uint64_t number(const char *text)
{
    uint64_t n;

    return parse_u64(str_from_c(text), &n) ? n : 0;
}

int main(int argc, char **argv)
{
    uint64_t steps = 3000, seed = 0;
    bool good = true;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (str_same(str_from_c(argv[i]), S("--steps")))
            steps = number(argv[i + 1]);
        else if (str_same(str_from_c(argv[i]), S("--seed")))
            seed = number(argv[i + 1]);
    }
    world.cx.arena = arena_new(0);
    log_start("model-test", LOG_ERROR + 1);
    if (seed)
        good = run(seed, steps);
    else
        for (seed = 1; seed <= 8 && good; seed++)
            good = run(seed, steps);
    arena_free(world.cx.arena);
    return good ? 0 : 1;
}
