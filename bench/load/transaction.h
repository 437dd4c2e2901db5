/*
 * Client transactions (RFC 3261 §17.1): what is sent again until it is answered.
 *
 * The branch of a request is the number of its place and how often that place was used,
 * so that a response finds its transaction without a search, and an old one finds none.
 */

#ifndef TRANSACTION_H
#define TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "wire.h"

enum { REQUEST_ROOM = 3072 };

struct transaction {
    bool is_open;
    unsigned use; /* how often this place was used */
    unsigned way;
    int operation; /* what is done by it, and by whom: the caller's words */
    unsigned actor;
    int64_t sent_at, again_at, given_up_at;
    int64_t interval; /* until it is sent once more; 0: never, TCP is reliable */
    size_t length;
    char request[REQUEST_ROOM];
};

struct transactions {
    struct wire *wire;
    bool is_reliable;
    int64_t timeout;
    unsigned places;
    unsigned used_up_to; /* places beyond were never used */
    unsigned free_count;
    unsigned *free;
    struct transaction *place;
    uint64_t sent_again;
};

void transactions_make(struct transactions *transactions, struct wire *wire,
                       bool is_reliable, unsigned places, int64_t timeout);

/* Take a place; NULL when all are taken.  Write the request there, then send it. */
struct transaction *transaction_open(struct transactions *transactions, unsigned way);
void transaction_branch(const struct transactions *transactions,
                        const struct transaction *transaction, char branch[32]);
void transaction_send(struct transactions *transactions,
                      struct transaction *transaction, int64_t now);
void transaction_close(struct transactions *transactions,
                       struct transaction *transaction);

/* The open transaction that `response` belongs to; NULL when none does. */
struct transaction *transactions_find(struct transactions *transactions,
                                      const struct message *response);

/* Send again what is due; give one that nobody answered, or NULL when there is none. */
struct transaction *transactions_tick(struct transactions *transactions, int64_t now);

#endif
