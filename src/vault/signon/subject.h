/* vault/signon/subject.h: who a name stands for, as far as durable rows tell, and what is made up for a name that
 * stands for nobody. */
#pragma once
#include "vault/signon/keyed.h"
#include "vault/signon/sasl.h"
#include "vault/store/directory.h"

struct subject {
    struct account_id account; /* 0: nobody */
    struct account_row row;
    struct credential_row credential; /* empty when there is none */
};

/* OK also for a name that is nobody's. Bytes in cx->arena. */
enum err subject_find(struct store *s, struct cx *cx, struct str name, struct subject *out);
/* Is it still as it was: not removed, not suspended, the same credential? */
enum err subject_stands(struct store *s, struct cx *cx, struct account_id account, uint64_t version,
                        bool *stands);

/* The same for each way to write an address: what the throttle counts by. A bare name is not completed, for that would
 * tell which there are: it counts apart from the same name with its domain. In cx->arena. */
struct str canonical_name(struct cx *cx, struct str name);

/* The secret of this store (row `secret`), made if it is not there yet. */
enum err store_secret(struct store *s, struct cx *cx, struct keyed *out);
/* What SCRAM is told about a subject. For one without SCRAM keys they are made up: a salt that the name has for ever,
 * and a key that nothing fits. */
struct scram_keys subject_scram_keys(struct cx *cx, const struct keyed *secret,
                                     const struct subject *subject, struct str name);
