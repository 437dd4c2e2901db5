/* The scenarios: what is set up, and what is measured. */

#ifndef SCENARIO_H
#define SCENARIO_H

#include "run.h"

/* What is there before a scenario begins; each has all that stands before it. */
enum setting {
    NOTHING,
    REGISTERED, /* every presentity, who can be called; and nothing else */
    STATES,   /* of every presentity */
    TOUR,     /* watchers, but for as many as are to subscribe: see scenario.c */
    WATCHERS, /* all of them subscribed */
    TOLD,     /* all of them, of a change */
};

struct scenario {
    const char *name;
    enum setting setting;
    enum operation pattern[PATTERN];
    unsigned pattern_length;
    unsigned watched_by; /* so many watchers of each at first; 0: all there are */
    bool is_scattered; /* each PUBLISH of a presentity leaves by another way */
    bool is_killed;    /* the server, somewhere in the middle */
};

/* The scenario of that name; NULL when there is none. */
const struct scenario *scenario_find(const char *name);

/* Set up, warm up, measure and drain. */
void scenario_play(const struct scenario *scenario, struct run *run);

#endif
