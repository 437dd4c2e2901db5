#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* RFC 3261 §17.1.1.1. */
static const int64_t T1 = 500 * MILLISECOND;
static const int64_t T2 = 4 * SECOND;

void transactions_make(struct transactions *transactions, struct wire *wire,
                       bool is_reliable, unsigned places, int64_t timeout)
{
    *transactions = (struct transactions){
        .wire = wire,
        .is_reliable = is_reliable,
        .timeout = timeout,
        .places = places,
        .free_count = places,
        .free = malloc(places * sizeof(unsigned)),
        .place = calloc(places, sizeof(struct transaction)),
    };
    if (transactions->free == NULL || transactions->place == NULL) {
        perror("transactions");
        exit(1);
    }
    for (unsigned i = 0; i < places; i++)
        transactions->free[i] = places - 1 - i;
}

struct transaction *transaction_open(struct transactions *transactions, unsigned way)
{
    if (transactions->free_count == 0)
        return NULL;
    unsigned number = transactions->free[--transactions->free_count];
    if (number >= transactions->used_up_to)
        transactions->used_up_to = number + 1;
    struct transaction *transaction = &transactions->place[number];
    transaction->is_open = true;
    transaction->use++;
    transaction->way = way;
    return transaction;
}

void transaction_branch(const struct transactions *transactions,
                        const struct transaction *transaction, char branch[32])
{
    snprintf(branch, 32, "z9hG4bK%x.%x", (unsigned)(transaction - transactions->place),
             transaction->use);
}

void transaction_send(struct transactions *transactions,
                      struct transaction *transaction, int64_t now)
{
    transaction->sent_at = now;
    transaction->interval = transactions->is_reliable ? 0 : T1;
    transaction->again_at = now + T1;
    transaction->given_up_at = now + transactions->timeout;
    wire_send(transactions->wire, transaction->way, transaction->request,
              transaction->length);
}

void transaction_close(struct transactions *transactions,
                       struct transaction *transaction)
{
    transaction->is_open = false;
    transactions->free[transactions->free_count++] =
        (unsigned)(transaction - transactions->place);
}

struct transaction *transactions_find(struct transactions *transactions,
                                      const struct message *response)
{
    char branch[32];
    unsigned number, use;
    slice_copy(response->branch, branch, sizeof branch);
    if (sscanf(branch, "z9hG4bK%x.%x", &number, &use) != 2 ||
        number >= transactions->used_up_to)
        return NULL;
    struct transaction *transaction = &transactions->place[number];
    return transaction->is_open && transaction->use == use ? transaction : NULL;
}

struct transaction *transactions_tick(struct transactions *transactions, int64_t now)
{
    for (unsigned i = 0; i < transactions->used_up_to; i++) {
        struct transaction *transaction = &transactions->place[i];
        if (!transaction->is_open)
            continue;
        if (now >= transaction->given_up_at)
            return transaction;
        if (transaction->interval == 0 || now < transaction->again_at)
            continue;
        transaction->interval *= 2;
        if (transaction->interval > T2)
            transaction->interval = T2;
        transaction->again_at = now + transaction->interval;
        transactions->sent_again++;
        wire_send(transactions->wire, transaction->way, transaction->request,
                  transaction->length);
    }
    return NULL;
}
