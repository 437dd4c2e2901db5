/*
 * What is left after the server was killed, and started again.
 *
 * The phase before ends without its answers.  What was answered must be there: the last
 * state of every presentity, and every subscription, which is told of the next change.
 */

#ifndef KILLED_H
#define KILLED_H

#include "run.h"

void look_what_is_left(struct run *run);

#endif
