/* The scenarios: what is set up, and what is measured. */

#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>

#include "run.h"

struct scenario {
    const char *name;
    bool publishes_first;   /* a state for every presentity */
    bool subscribes_first;  /* all watchers */
    enum operation pattern[PATTERN];
    unsigned pattern_length;
};

/* The scenario of that name; NULL when there is none. */
const struct scenario *scenario_find(const char *name);

/* Set up, warm up, measure and drain. */
void scenario_play(const struct scenario *scenario, struct run *run);

#endif
