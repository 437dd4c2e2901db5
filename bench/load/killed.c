#include "killed.h"

#include <stdio.h>
#include <stdlib.h>

/* Do `count` operations; how many of them could not be done is added to `failed`. */
static void ask(struct run *run, enum operation operation, uint64_t count,
                uint64_t *failed)
{
    const struct phase phase = {
        .pattern = {operation},
        .pattern_length = 1,
        .limit = count,
        .window = 32,
    };
    if (count == 0)
        return;
    run_phase(run, &phase);
    *failed += run->result.failed;
}

/* Everybody's state is fetched by somebody who was told nothing before. */
static void fetch_states(struct run *run, uint64_t *failed)
{
    ask(run, POLL, run->presentity_count, failed);
    for (unsigned i = 0; i < run->presentity_count; i++) {
        uint32_t accepted = run->presentities[i].accepted;
        const struct subscription *fetch = &run->subscriptions[run->watcher_count + i];
        if (accepted == 0)
            continue;
        run->counters.acknowledged_publications++;
        if (fetch->sees_none || fetch->shown < accepted)
            run->counters.lost_publications++;
    }
}

/* Everybody changes his state once more but those who do not know by which entity-tag. */
static void tell_watchers(struct run *run, uint64_t *failed)
{
    uint64_t certain = 0;
    for (unsigned i = 0; i < run->presentity_count; i++)
        certain += !run->presentities[i].is_uncertain;
    ask(run, ROUND, certain, failed);
}

static bool was_told(const struct run *run, const struct subscription *subscription)
{
    const struct presentity *presentity = &run->presentities[subscription->presentity];
    bool is_changed = presentity->accepted == presentity->sent;
    return !is_changed || subscription->shown == presentity->sent;
}

/* What was not changed is seen by a refresh. */
static void refresh_subscriptions(struct run *run, uint64_t *failed)
{
    uint64_t active = 0;
    for (unsigned i = 0; i < run->watcher_count; i++)
        active += run->subscriptions[i].is_active;
    ask(run, RESUBSCRIBE, active, failed);
}

static bool *active_ones(const struct run *run)
{
    bool *are_active = calloc(run->watcher_count, sizeof *are_active);
    if (are_active == NULL) {
        perror("calloc");
        exit(1);
    }
    for (unsigned i = 0; i < run->watcher_count; i++)
        are_active[i] = run->subscriptions[i].is_active;
    return are_active;
}

void look_what_is_left(struct run *run)
{
    struct result result = run->result;
    bool *are_acknowledged = active_ones(run), *are_told;
    fetch_states(run, &result.failed);
    tell_watchers(run, &result.failed);
    are_told = active_ones(run);
    for (unsigned i = 0; i < run->watcher_count; i++)
        are_told[i] &= was_told(run, &run->subscriptions[i]);
    refresh_subscriptions(run, &result.failed);
    for (unsigned i = 0; i < run->watcher_count; i++) {
        if (!are_acknowledged[i])
            continue;
        run->counters.acknowledged_subscriptions++;
        if (!are_told[i] || !run->subscriptions[i].was_good)
            run->counters.lost_subscriptions++;
    }
    free(are_acknowledged);
    free(are_told);
    run->result = result;
}
