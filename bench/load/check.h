/*
 * What is counted, and what is wrong with the NOTIFYs that come.
 *
 * A subscriber's rights: the CSeq rises (RFC 3261 §12.2.2), no state is older than one
 * with a lower CSeq or than one answered before the SUBSCRIBE left, none is told twice,
 * and in the end everybody has the last one by the NOTIFY with the highest CSeq.  Of one
 * that comes too late only that is counted: nobody believes it.
 */

#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "actors.h"
#include "histogram.h"

enum { STATUSES = 700 };

struct counters {
    uint64_t statuses[STATUSES]; /* final responses by status */
    uint64_t notifies;           /* first of their CSeq */
    uint64_t without_state;      /* NOTIFYs with no number in the body */
    uint64_t received_again;     /* NOTIFYs retransmitted by the server */
    uint64_t stray;              /* responses that belong to no open transaction */
    uint64_t unknown;            /* NOTIFYs of a subscription we do not have */
    uint64_t unreadable;         /* what is no message */
    uint64_t lost_answers;
    uint64_t lost_notifies;
    uint64_t ended; /* subscriptions that a NOTIFY ended, and nobody else */
    uint64_t stale;
    uint64_t duplicates;
    uint64_t out_of_order;
    uint64_t reused;     /* another NOTIFY with the CSeq of one before */
    uint64_t gaps;       /* numbers of CSeq that never came */
    uint64_t unasked;    /* NOTIFYs to who asked for BENOTIFYs */
    uint64_t astray;     /* what of a call came other than it was sent, or elsewhere */
    uint64_t impossible; /* a state that was never published */
    uint64_t wrong_final;
    /* Where the server was killed: who had an answer, and whose state or subscription
     * was not there afterwards. */
    uint64_t acknowledged_publications, lost_publications;
    uint64_t acknowledged_subscriptions, lost_subscriptions;
};

/* What a NOTIFY turned out to be. */
enum come { FIRST_TIME, AGAIN, TOO_LATE };

enum come check_cseq(struct counters *counters, struct subscription *subscription,
                     const struct message *notify);

/* Check the state of a NOTIFY that came for the first time, and in time; true when it is
 * news. */
bool check_state(struct counters *counters, struct subscription *subscription,
                 const struct presentity *presentity, struct slice body);

#endif
