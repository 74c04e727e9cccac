/* A small generator seeded by the letter's number decides everything, so letters need not be kept to be the same. */
#include "letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define THREADS 7 /* letters of one conversation, on average */
#define RARE_EVERY 20000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const words[] = {
    "the",     "of",     "report",  "meeting", "about",    "quarter",  "budget",  "and",
    "for",     "please", "project", "travel",  "plan",     "with",     "invoice", "team",
    "release", "to",     "review",  "draft",   "is",       "contract", "office",  "next",
    "week",    "server", "answer",  "a",       "figure",   "in",       "number",  "agenda",
    "we",      "change", "update",  "you",     "customer", "this",     "order",   "market",
};
static const char *const subjects[] = {
    "harvest", "invoice", "minutes",  "travel",
    "holiday", "release", "contract", "budget",
    "printer", "lunch",   "picture",  "garden",
    "parking", "network", "question", "Gr\xc3\xbc\xc3\x9f\x65",
};
static const char *const people[] = {
    "Ann Archer", "Bob Baker",  "Cid Carter",     "Dora Dyer",  "Emil Eriksen", "Fay Fisher",
    "Gus Glover", "Hal Hunter", "Ida Ironmonger", "Jo Joiner",  "Kim Kellogg",  "Lee Lister",
    "Mia Mason",  "Ned Naylor", "Oda Osler",      "Pia Potter",
};

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void add_person(struct buf *out, uint64_t who)
{
    const char *name = people[who % COUNT(people)];

    buf_printf(out, "%s <p%" PRIu64 "@company%" PRIu64 ".test>", name, who % 4000, who % 97);
}

static void add_people(struct buf *out, const char *field, uint64_t count, uint64_t *seed)
{
    buf_printf(out, "%s: ", field);
    for (uint64_t i = 0; i < count; i++) {
        if (i)
            buf_add_c(out, ",\r\n ");
        add_person(out, next(seed));
    }
    buf_add_c(out, "\r\n");
}

static void add_subject(struct buf *out, uint64_t thread, bool reply)
{
    uint64_t seed = thread * 2654435761u + 1;
    const char *word = subjects[next(&seed) % COUNT(subjects)];
    bool ascii = is_ascii(str_from_c(word));

    buf_printf(out, "Subject: %s", reply ? "Re: " : "");
    buf_printf(out, ascii ? "%s" : "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", word);
    buf_printf(out, " %s %s %" PRIu64 "\r\n", words[next(&seed) % COUNT(words)],
               words[next(&seed) % COUNT(words)], thread % 500);
}

static void add_id(struct buf *out, uint64_t n)
{
    buf_printf(out, "<letter.%" PRIu64 ".%08" PRIx64 "@company.test>", n,
               (n * 2654435761u) & 0xffffffff);
}

static void add_header(struct buf *out, uint64_t n, uint64_t *seed)
{
    uint64_t threads = n / THREADS + 1, thread = next(seed) % threads, parent = thread * THREADS;
    bool reply = parent < n && next(seed) % 3;
    time_t at = 1700000000 + (time_t)(n * 613) + (time_t)(next(seed) % 86400);
    char date[64];
    struct tm tm;

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0100", gmtime_r(&at, &tm));
    buf_printf(out,
               "Return-Path: <p%" PRIu64
               "@company.test>\r\nReceived: from mx.company.test (mx.company.test "
               "[192.0.2.7])\r\n\tby mail.bench.test with ESMTPS id %" PRIx64 ";\r\n\t%s\r\n",
               n % 4000, n, date);
    add_people(out, "From", 1, seed);
    add_people(out, "To", 1 + next(seed) % 3, seed);
    if (next(seed) % 4 == 0)
        add_people(out, "Cc", 1 + next(seed) % 2, seed);
    add_subject(out, thread, reply);
    buf_printf(out, "Date: %s\r\nMessage-ID: ", date);
    add_id(out, n);
    buf_add_c(out, "\r\n");
    if (reply) {
        buf_add_c(out, "In-Reply-To: ");
        add_id(out, parent);
        buf_add_c(out, "\r\nReferences: ");
        add_id(out, parent);
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, "MIME-Version: 1.0\r\n");
}

static void add_text(struct buf *out, uint64_t n, uint64_t lines, uint64_t *seed)
{
    for (uint64_t l = 0; l < lines; l++) {
        for (int w = 0; w < 10; w++) {
            buf_add_c(out, words[next(seed) % COUNT(words)]);
            buf_add_char(out, ' ');
        }
        if (l == lines / 2 && n % RARE_EVERY == RARE_EVERY / 2)
            buf_add_c(out, LETTER_RARE);
        buf_add_c(out, "\r\n");
    }
}

static void add_both(struct buf *out, uint64_t n, uint64_t lines, uint64_t *seed)
{
    buf_add_c(out, "Content-Type: multipart/alternative; boundary=\"two\"\r\n\r\n--two\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    add_text(out, n, lines, seed);
    buf_add_c(out, "--two\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>\r\n");
    add_text(out, n + 1, lines, seed);
    buf_add_c(out, "</p></body></html>\r\n--two--\r\n");
}

static void add_attachment(struct buf *out, uint64_t n, uint64_t lines, uint64_t *seed)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    buf_add_c(out, "Content-Type: multipart/mixed; boundary=\"all\"\r\n\r\n--all\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    add_text(out, n, lines, seed);
    buf_printf(out,
               "--all\r\nContent-Type: application/pdf; name=\"figures-%" PRIu64 ".pdf\"\r\n"
               "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n"
               " filename=\"figures-%" PRIu64 ".pdf\"\r\n\r\n",
               n, n);
    for (int l = 0; l < 60; l++) {
        for (int c = 0; c < 76; c++)
            buf_add_char(out, alphabet[next(seed) % 64]);
        buf_add_c(out, "\r\n");
    }
    buf_add_c(out, "--all--\r\n");
}

void letter_add(struct buf *out, uint64_t n)
{
    uint64_t seed = n * 0x9e3779b97f4a7c15u + 7, lines = 4 + next(&seed) % 40, kind = next(&seed) % 10;

    add_header(out, n, &seed);
    if (kind < 6) {
        buf_add_c(out, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
        add_text(out, n, lines, &seed);
    } else if (kind < 9) {
        add_both(out, n, lines / 2 + 1, &seed);
    } else {
        add_attachment(out, n, lines, &seed);
    }
}
