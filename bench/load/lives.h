/*
 * Lives: presentities that publish, change, refresh, remove, or let expire; and
 * watchers that subscribe, refresh, unsubscribe, let expire, or vanish and answer
 * nobody any more.
 */

#ifndef LIVES_H
#define LIVES_H

#include "run.h"

/* Turn a life into what is done next in it, and by whom; false when nobody has anything
 * to do. */
bool pick_life(struct run *run, enum operation *operation, unsigned *actor);

/* Everybody leaves: one half says so, the other is heard of no more, and is answered
 * for `linger` seconds.  Counts who was not told of his end. */
void end_lives(struct run *run);

#endif
