/*
 * Calls, of which both ends are ours and what is measured lies between.
 *
 * One is an INVITE that is answered by 180 and 200, the ACK, and at once the BYE with its
 * 200.  Whatever comes otherwise than it was sent, or elsewhere, is counted.
 */

#ifndef CALLS_H
#define CALLS_H

#include "run.h"

/* Let everybody who may call have nobody to speak to yet. */
void calls_make(struct run *run);

void start_call(struct run *run, unsigned actor, int64_t due);

/* Take a response to what a caller sent, `transaction` NULL if it waits for none. */
void call_answered(struct run *run, struct transaction *transaction,
                   const struct message *response);

/* Take an INVITE, ACK or BYE; false if the request is another one. */
bool callee_asked(struct run *run, const struct message *request, unsigned way);

/* End the call that `lost` was of: nobody answered it. */
void call_lost(struct run *run, const struct transaction *lost);

#endif
