#include "scenario.h"

#include <string.h>

#include "calls.h"
#include "clock.h"
#include "killed.h"
#include "lives.h"

static const struct scenario SCENARIOS[] = {
    {"publish-new", NOTHING, {PUBLISH_NEW}, .pattern_length = 1},
    {"publish-modify", STATES, {MODIFY}, .pattern_length = 1},
    {"publish-refresh", STATES, {REFRESH}, .pattern_length = 1},
    {"subscribe", STATES, {SUBSCRIBE}, .pattern_length = 1},
    {"poll", STATES, {POLL}, .pattern_length = 1},
    {"resubscribe", WATCHERS, {RESUBSCRIBE}, .pattern_length = 1},
    {"fanout", TOLD, {ROUND}, .pattern_length = 1},
    {"changes", TOLD, {MODIFY}, .pattern_length = 1},
    /* Polling clients ask more often than phones refresh, and those more often than
     * people change their state.  Chosen, not counted anywhere. */
    {"mixed",
     TOLD,
     {POLL, MODIFY, RESUBSCRIBE, POLL, REFRESH, POLL, MODIFY, RESUBSCRIBE, POLL,
      REFRESH},
     .pattern_length = 10},
    {"lives",
     NOTHING,
     {POLL, PUBLISHER_LIFE, WATCHER_LIFE, POLL, PUBLISHER_LIFE, WATCHER_LIFE, POLL,
      PUBLISHER_LIFE, WATCHER_LIFE, POLL},
     .pattern_length = 10},
    {"interleave", TOLD, {MODIFY}, .pattern_length = 1, .is_scattered = true},
    {"kill",
     WATCHERS,
     {MODIFY, MODIFY, MODIFY, SUBSCRIBE},
     .pattern_length = 4,
     .watched_by = 10,
     .is_killed = true},
    {"call", REGISTERED, {CALL}, .pattern_length = 1},
    {"tour", TOUR, {SUBSCRIBE, ROUND, RESUBSCRIBE, REFRESH}, .pattern_length = 4},
};

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < sizeof SCENARIOS / sizeof *SCENARIOS; i++)
        if (strcmp(SCENARIOS[i].name, name) == 0)
            return &SCENARIOS[i];
    return NULL;
}

/* Setting up is done with a window that no server's buffer overflows from. */
static void set_up(struct run *run, enum operation operation, uint64_t count)
{
    struct phase phase = {
        .pattern = {operation},
        .pattern_length = 1,
        .limit = count,
        .window = run->options.window < 32 ? run->options.window : 32,
    };
    run_phase(run, &phase);
}

enum { ROUNDS = 5 };

/* Everybody is there, but as many watchers as subscribe in the tour.  It goes round some
 * times; each phase has one operation, and as many of it as the limit says. */
static void tour(const struct scenario *scenario, struct run *run)
{
    uint64_t limit = run->options.limit;
    if (ROUNDS * limit < run->watcher_count)
        set_up(run, SUBSCRIBE, run->watcher_count - ROUNDS * limit);
    for (unsigned i = 0; i < ROUNDS * scenario->pattern_length; i++) {
        struct phase phase = {
            .pattern = {scenario->pattern[i % scenario->pattern_length]},
            .pattern_length = 1,
            .limit = limit,
            .window = run->options.window,
            .is_measured = true,
        };
        run_phase(run, &phase);
    }
    run_drain(run);
}

void scenario_play(const struct scenario *scenario, struct run *run)
{
    const struct options *options = &run->options;
    run->is_scattered = scenario->is_scattered;
    if (scenario->setting == REGISTERED) {
        calls_make(run);
        set_up(run, REGISTER, run->presentity_count);
    }
    if (scenario->setting >= STATES)
        set_up(run, PUBLISH_NEW, run->presentity_count);
    if (scenario->setting == TOUR) {
        tour(scenario, run);
        return;
    }
    if (scenario->setting >= WATCHERS)
        set_up(run, SUBSCRIBE,
               scenario->watched_by > 0
                   ? (uint64_t)scenario->watched_by * run->presentity_count
                   : run->watcher_count);
    if (scenario->setting >= TOLD)
        set_up(run, ROUND, run->presentity_count);

    struct phase phase = {
        .pattern_length = scenario->pattern_length,
        .duration = (int64_t)(options->warmup * SECOND),
        .window = options->window,
        .rate = options->rate,
    };
    memcpy(phase.pattern, scenario->pattern, sizeof phase.pattern);
    if (phase.duration > 0)
        run_phase(run, &phase);

    phase.duration = (int64_t)(options->duration * SECOND);
    phase.limit = options->limit;
    phase.is_measured = true;
    phase.is_broken_off = scenario->is_killed;
    run_phase(run, &phase);
    if (scenario->is_killed)
        look_what_is_left(run);
    run_drain(run);
    end_lives(run);
}
