#include "lives.h"

#include "answers.h"
#include "clock.h"

/* Seconds a server may take to notice an end, which it may keep by whole seconds. */
enum { LATE = 5 };

/* Seconds until whoever answers nobody is given up (RFC 3261 §17.1.2.2), and a little. */
enum { DEAF = 40 };

/* A number below 100; Marsaglia's xorshift. */
static unsigned chance(struct run *run)
{
    run->chance ^= run->chance << 13;
    run->chance ^= run->chance >> 17;
    run->chance ^= run->chance << 5;
    return run->chance % 100;
}

static int64_t expired(const struct run *run, int64_t now)
{
    return now + (int64_t)run->house.expires * SECOND;
}

/* What a presentity does next; false when it only lets time pass. */
static bool publisher_does(struct run *run, struct presentity *presentity,
                           enum operation *operation, int64_t now)
{
    if (presentity->is_busy || now < presentity->lapses_at)
        return false;
    if (presentity->lapses_at > 0) {
        presentity->lapses_at = 0;
        presentity->is_gone = true;
        presentity->entity_tag[0] = '\0';
    }
    unsigned number = chance(run);
    if (number < 5)
        *operation = REGISTER;
    else if (presentity->entity_tag[0] == '\0')
        *operation = PUBLISH_NEW;
    else if (number < 60)
        *operation = MODIFY;
    else if (number < 85)
        *operation = REFRESH;
    else if (number < 93)
        *operation = REMOVE;
    else {
        presentity->lapses_at = expired(run, now) + LATE * SECOND;
        return false;
    }
    return true;
}

static void vanish(struct run *run, struct subscription *subscription, int64_t now)
{
    leave(run, subscription);
    subscription->silent_until = expired(run, now) + DEAF * SECOND;
}

/* What a watcher does next; false when he only lets time pass. */
static bool watcher_does(struct run *run, struct subscription *subscription,
                         enum operation *operation, int64_t now)
{
    if (subscription->is_busy || now < subscription->silent_until)
        return false;
    if (subscription->is_active && subscription->lapses_at > 0) {
        if (now < subscription->lapses_at)
            return false;
        run->counters.lost_notifies++;
        leave(run, subscription);
    }
    if (!subscription->is_active) {
        *operation = SUBSCRIBE;
        return true;
    }
    unsigned number = chance(run);
    if (number < 85)
        *operation = RESUBSCRIBE;
    else if (number < 93)
        *operation = UNSUBSCRIBE;
    else if (number < 96) {
        vanish(run, subscription, now);
        return false;
    } else {
        subscription->lapses_at = expired(run, now) + LATE * SECOND;
        return false;
    }
    return true;
}

bool pick_life(struct run *run, enum operation *operation, unsigned *actor)
{
    enum operation life = *operation;
    bool is_publisher = life == PUBLISHER_LIFE;
    unsigned count = is_publisher ? run->presentity_count : run->watcher_count;
    int64_t now = clock_now();
    for (unsigned tried = 0; tried < count; tried++) {
        *actor = run->cursor[life]++ % count;
        bool does =
            is_publisher
                ? publisher_does(run, &run->presentities[*actor], operation, now)
                : watcher_does(run, &run->subscriptions[*actor], operation, now);
        if (does)
            return true;
    }
    return false;
}

/* Every second one says that he leaves; the others are only not seen again.  Gives how
 * many could not. */
static uint64_t leave_all(struct run *run)
{
    const struct phase removing = {
        .pattern = {REMOVE},
        .pattern_length = 1,
        .limit = run->presentity_count / 2,
        .window = 32,
    };
    const struct phase unsubscribing = {
        .pattern = {UNSUBSCRIBE},
        .pattern_length = 1,
        .limit = run->watcher_count / 2,
        .window = 32,
    };
    run_phase(run, &removing);
    uint64_t failed = run->result.failed;
    run_phase(run, &unsubscribing);
    return failed + run->result.failed;
}

void end_lives(struct run *run)
{
    if (run->options.linger <= 0)
        return;
    struct result result = run->result;
    uint64_t failed = leave_all(run);
    for (unsigned i = 0; i < run->watcher_count; i++)
        if (run->subscriptions[i].is_active)
            run->subscriptions[i].lapses_at = INT64_MAX;
    run_linger(run, clock_now() + (int64_t)(run->options.linger * SECOND));
    for (unsigned i = 0; i < run->watcher_count; i++)
        if (run->subscriptions[i].is_active)
            run->counters.lost_notifies++;
    result.failed += failed;
    run->result = result;
}
