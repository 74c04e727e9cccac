/* mail/params.h: the parameters of a Content-Type or Content-Disposition as RFC 2231 means them: pieces joined, charsets
 * undone. Pure.
 *
 *     struct params p = params_read(type.params);
 *     … p.items[0 … p.count)
 *     params_free(&p); */
#pragma once
#include "mail/content.h"

#define PARAM_PIECES_MAX 500 /* more are passed over */

struct param {
    struct str name;  /* without "*0" and "*" if they mean something */
    struct str value; /* extended: UTF-8; else as it stands between the quotes */
    bool extended;    /* it told its charset: "name*", "name*0*" */
};

/* How an extended value in UTF-8 begins (extended-initial-value, RFC 2231 §7); then attribute-chars and percent encoding. */
#define PARAM_UTF8 "utf-8''"

struct params {
    struct param *items; /* in the order of their first pieces */
    size_t count;
    struct buf text; /* private: what they point into */
};

/* What follows the value, as for take_param(); it outlives the params. A piece without the first one stays as it is
 * written. */
struct params params_read(struct str text);
void params_free(struct params *p);

/* Appends what percent encoding stands for; and the other way. */
void percent_decode(struct buf *out, struct str s);
void percent_encode(struct buf *out, struct str s);
