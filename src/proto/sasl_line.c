/* The three marks of RFC 4954 §4 around base64_decode(), which is strict as that section wants. */
#include "proto/sasl_line.h"

#include "base/codec.h"

enum sasl_line sasl_initial(struct buf *out, struct str argument)
{
    if (str_same(argument, S("=")))
        return SASL_BYTES;
    if (str_same(argument, S("*")))
        return SASL_CANCEL;
    return argument.n && base64_decode(out, argument) ? SASL_BYTES : SASL_BAD;
}

enum sasl_line sasl_answer(struct buf *out, struct str line)
{
    if (str_same(line, S("*")))
        return SASL_CANCEL;
    return base64_decode(out, line) ? SASL_BYTES : SASL_BAD;
}

void sasl_initial_write(struct buf *out, struct str response)
{
    if (response.n == 0)
        buf_add_char(out, '=');
    else
        base64_encode(out, response);
}
