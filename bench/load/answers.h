/* What is started, what comes back, and what it ends. */

#ifndef ANSWERS_H
#define ANSWERS_H

#include <stddef.h>

#include "run.h"

void start_publish(struct run *run, enum operation operation, unsigned actor,
                   int64_t due);
void start_subscribe(struct run *run, enum operation operation, unsigned actor,
                     int64_t due);

/* An operation of the phase ended that was due at `asked_at`. */
void finish(struct run *run, int64_t asked_at, bool is_good);

/* Count a refusal, if that is what `status` is. */
void note_refusal(struct run *run, int64_t asked_at, int status);

/* The subscription ends for us, whatever the server knows of it. */
void leave(struct run *run, struct subscription *subscription);

/* Take one message; `context` is the run. */
void receive(void *context, const char *data, size_t length, unsigned way);

/* End what `lost` was for: nobody answered it. */
void give_up(struct run *run, struct transaction *lost);

/* Wait for nothing any more that is under way. */
void abandon(struct run *run);

/* End rounds and subscriptions whose NOTIFYs do not come. */
void give_up_waiting(struct run *run, int64_t now);

#endif
