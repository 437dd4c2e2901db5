/*
 * A run: everybody who acts, and phases of operations one after the other.
 *
 * An operation is a PUBLISH until it is answered, a SUBSCRIBE until it is answered and
 * its NOTIFY has come, or a round: a PUBLISH until all watchers have seen the state; or
 * a call, from its INVITE until the BYE is answered.
 * Of a life the operation is chosen when its turn comes.
 */

#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "actors.h"
#include "callers.h"
#include "check.h"
#include "options.h"
#include "transaction.h"

enum operation {
    PUBLISH_NEW,
    MODIFY,
    REFRESH,
    REMOVE,
    REGISTER,
    PUBLISHER_LIFE,
    ROUND, /* the last of those that presentities do */
    SUBSCRIBE,
    RESUBSCRIBE,
    UNSUBSCRIBE,
    WATCHER_LIFE,
    POLL,
    CALL,
    /* What a call is made of, and no operation by itself. */
    HANG_UP,
    ACCEPT,
};

enum { PATTERN = 16 };

struct phase {
    enum operation pattern[PATTERN]; /* done in turn */
    unsigned pattern_length;
    uint64_t limit;   /* operations; 0: no limit */
    int64_t duration; /* 0: no limit */
    unsigned window;
    double rate;
    bool is_measured;
    bool is_broken_off; /* at the end of its time, whatever is under way */
};

/* What a measured phase came to. */
struct result {
    uint64_t operations;
    uint64_t failed;  /* ended without what was asked for */
    uint64_t refused; /* of these, with a 503 */
    uint64_t notifies;
    int64_t elapsed;
    int64_t own_cpu;
    int64_t caught_up; /* from the last operation's start until all was current */
    struct histogram answers; /* from the moment an operation was due to its end */
    struct histogram refusals; /* from the moment one was due to its 503 */
    struct histogram told;     /* from PUBLISH sent to each NOTIFY with its state */
};

struct run {
    struct options options;
    struct house house;
    struct wire *wire;
    struct transactions transactions;
    unsigned presentity_count;
    struct presentity *presentities;
    /* First those that stay, then as many who only fetch. */
    unsigned watcher_count, fetcher_count;
    struct subscription *subscriptions;
    struct call *calls; /* of each watcher, where there are calls; or NULL */
    struct counters counters;
    struct result result;
    bool is_scattered; /* each PUBLISH of a presentity leaves by another way */
    const struct phase *phase;
    uint64_t started; /* operations of the phase */
    uint64_t in_flight;
    unsigned cursor[CALL + 1]; /* who acts next, for each operation */
    uint32_t chance;           /* what lives are chosen by */
    int64_t last_start; /* of an operation */
    int64_t next_tick;
    int64_t next_search; /* for rounds and NOTIFYs that do not end */
};

void run_make(struct run *run, const struct options *options);
void run_phase(struct run *run, const struct phase *phase);

/* The way that a presentity speaks by: to the server behind, if there is one. */
unsigned way_of_presentity(const struct run *run, unsigned number);

/* Answer what comes. */
void run_linger(struct run *run, int64_t until);

/* Wait until everybody has seen the last state, then count who has not. */
void run_drain(struct run *run);

#endif
