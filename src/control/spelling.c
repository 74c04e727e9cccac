#include "control/spelling.h"

#include "control/operator.h"

#define LONGEST_WORD 24
#define LARGEST_DISTANCE 2

/* How many letters are to be put in, left out, changed or exchanged with the next. */
static size_t distance(struct str a, struct str b)
{
    size_t d[LONGEST_WORD + 1][LONGEST_WORD + 1];

    for (size_t i = 0; i <= a.n; i++)
        for (size_t k = 0; k <= b.n; k++) {
            size_t least = i ? d[i - 1][k] + 1 : k;

            if (i && k && d[i - 1][k - 1] + (a.p[i - 1] != b.p[k - 1]) < least)
                least = d[i - 1][k - 1] + (a.p[i - 1] != b.p[k - 1]);
            if (k && d[i][k - 1] + 1 < least)
                least = d[i][k - 1] + 1;
            if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1] &&
                d[i - 2][k - 2] + 1 < least)
                least = d[i - 2][k - 2] + 1;
            d[i][k] = least;
        }
    return d[a.n][b.n];
}

static struct str first_word(const char *words)
{
    struct str all = str_from_c(words), word;

    return take_until(&all, ' ', &word) ? word : all;
}

const char *nearest_command(const char *typed)
{
    struct str word = str_from_c(typed);
    size_t least = LARGEST_DISTANCE + 1;
    static char nearest[LONGEST_WORD + 1];

    for (size_t i = 0; i < command_count && word.n > LARGEST_DISTANCE && word.n <= LONGEST_WORD; i++) {
        struct str command = first_word(commands[i].words);
        size_t d = distance(word, command);

        if (d < least) {
            least = d;
            memcpy(nearest, command.p, command.n);
            nearest[command.n] = '\0';
        }
    }
    return least <= LARGEST_DISTANCE ? nearest : NULL;
}
