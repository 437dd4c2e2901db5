#include "scenario.h"

#include <string.h>

#include "clock.h"
#include "lives.h"

static const struct scenario SCENARIOS[] = {
    {"publish-new", NOTHING, {PUBLISH_NEW}, 1},
    {"publish-modify", STATES, {MODIFY}, 1},
    {"publish-refresh", STATES, {REFRESH}, 1},
    {"subscribe", STATES, {SUBSCRIBE}, 1},
    {"poll", STATES, {POLL}, 1},
    {"resubscribe", WATCHERS, {RESUBSCRIBE}, 1},
    {"fanout", TOLD, {ROUND}, 1},
    {"changes", TOLD, {MODIFY}, 1},
    /* Polling clients ask more often than phones refresh, and those more often than
     * people change their state.  Chosen, not counted anywhere. */
    {"mixed",
     TOLD,
     {POLL, MODIFY, RESUBSCRIBE, POLL, REFRESH, POLL, MODIFY, RESUBSCRIBE, POLL,
      REFRESH},
     10},
    {"lives",
     NOTHING,
     {POLL, PUBLISHER_LIFE, WATCHER_LIFE, POLL, PUBLISHER_LIFE, WATCHER_LIFE, POLL,
      PUBLISHER_LIFE, WATCHER_LIFE, POLL},
     10},
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

void scenario_play(const struct scenario *scenario, struct run *run)
{
    const struct options *options = &run->options;
    if (scenario->setting >= STATES)
        set_up(run, PUBLISH_NEW, run->presentity_count);
    if (scenario->setting >= WATCHERS)
        set_up(run, SUBSCRIBE, run->watcher_count);
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
    run_phase(run, &phase);
    run_drain(run);
    end_lives(run);
}
