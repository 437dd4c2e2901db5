#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "answers.h"
#include "calls.h"
#include "clock.h"
#include "lives.h"

enum {
    TICK = 50,         /* milliseconds between two looks at the clocks */
    OPEN_LOOP = 16384, /* operations in flight, at most, when the rate is given */
};

static const int64_t SEARCH = SECOND / 4;
static const int64_t LINGER = SECOND / 5; /* for what should not come any more */

static void *make(size_t count, size_t size)
{
    void *made = calloc(count, size);
    if (made == NULL) {
        perror("calloc");
        exit(1);
    }
    return made;
}

void run_make(struct run *run, const struct options *options)
{
    *run = (struct run){
        .options = *options,
        .presentity_count = options->presentities,
        .watcher_count = options->watchers,
        .fetcher_count = options->watchers,
    };
    run->house = (struct house){
        .domain = options->domain,
        .password = options->password,
        .transport = options->is_tcp ? "TCP" : "UDP",
        .run = (unsigned)getpid(),
        .expires = options->expires,
        .is_benotify = options->is_benotify,
    };
    const struct end ends[] = {
        {options->host, options->port, options->ways},
        {options->behind, options->behind_port, options->ways},
    };
    run->wire = wire_open(ends, options->behind == NULL ? 1 : 2, options->is_tcp);
    /* A call may take two: what the caller waits for, and the callee. */
    unsigned places = 2 * (options->rate > 0 ? OPEN_LOOP : options->window);
    transactions_make(&run->transactions, run->wire, options->is_tcp, places,
                      (int64_t)(options->timeout * SECOND));
    run->presentities = make(run->presentity_count, sizeof *run->presentities);
    unsigned subscriptions = run->watcher_count + run->fetcher_count;
    run->subscriptions = make(subscriptions, sizeof *run->subscriptions);
    for (unsigned i = 0; i < subscriptions; i++)
        run->subscriptions[i].presentity =
            i % run->watcher_count % run->presentity_count;
    run->next_tick = run->next_search = clock_now();
    run->chance = 2463534242u;
}

unsigned way_of_presentity(const struct run *run, unsigned number)
{
    unsigned way = number % run->options.ways;
    return run->options.behind == NULL ? way : way + run->options.ways;
}

static bool is_kept(const struct subscription *subscription)
{
    return subscription->is_active && subscription->lapses_at == 0;
}

static bool has_state(const struct presentity *presentity)
{
    return presentity->entity_tag[0] != '\0' && presentity->lapses_at == 0;
}

/* Who acts next by `operation`; false when everybody it could be is busy. */
static bool pick(struct run *run, enum operation operation, unsigned *actor)
{
    bool is_publish = operation <= ROUND;
    unsigned first = operation == POLL ? run->watcher_count : 0;
    unsigned count = is_publish          ? run->presentity_count
                     : operation == POLL ? run->fetcher_count
                                         : run->watcher_count;
    for (unsigned tried = 0; tried < count; tried++) {
        unsigned number = first + run->cursor[operation]++ % count;
        bool is_busy = is_publish          ? run->presentities[number].is_busy
                       : operation == CALL ? run->calls[number].is_busy
                                           : run->subscriptions[number].is_busy;
        if (operation == PUBLISH_NEW && run->presentities[number].sent > 0)
            return false; /* everybody has published */
        if (operation == SUBSCRIBE && run->subscriptions[number].is_active)
            return false; /* everybody has subscribed */
        if ((operation == RESUBSCRIBE || operation == UNSUBSCRIBE) &&
            !is_kept(&run->subscriptions[number]))
            continue;
        if (operation == ROUND && run->presentities[number].is_uncertain)
            continue;
        if (operation == REMOVE && !has_state(&run->presentities[number]))
            continue;
        if (!is_busy) {
            *actor = number;
            return true;
        }
    }
    return false;
}

static bool start_one(struct run *run, int64_t due)
{
    enum operation operation =
        run->phase->pattern[run->started % run->phase->pattern_length];
    unsigned actor;
    bool is_life = operation == PUBLISHER_LIFE || operation == WATCHER_LIFE;
    if (run->transactions.free_count < (operation == CALL ? 2 : 1) ||
        !(is_life ? pick_life(run, &operation, &actor)
                  : pick(run, operation, &actor)))
        return false;
    run->started++;
    run->in_flight++;
    run->last_start = clock_now();
    if (operation <= ROUND)
        start_publish(run, operation, actor, due);
    else if (operation == CALL)
        start_call(run, actor, due);
    else
        start_subscribe(run, operation, actor, due);
    return true;
}

/* Start what is due; false when the phase starts no more. */
static bool start_due(struct run *run, int64_t began, int64_t now)
{
    const struct phase *phase = run->phase;
    if (phase->duration > 0 && now - began >= phase->duration)
        return false;
    for (;;) {
        if (phase->limit > 0 && run->started >= phase->limit)
            return false;
        int64_t due = now;
        if (phase->rate > 0) {
            due = began + (int64_t)((double)run->started / phase->rate * SECOND);
            if (due > now)
                return true;
        } else if (run->in_flight >= phase->window) {
            return true;
        }
        if (!start_one(run, due))
            return run->in_flight > 0;
    }
}

static void look_at_clocks(struct run *run, int64_t now)
{
    if (now >= run->next_tick) {
        struct transaction *lost;
        while ((lost = transactions_tick(&run->transactions, now)) != NULL)
            give_up(run, lost);
        run->next_tick = now + TICK * MILLISECOND;
    }
    if (now >= run->next_search) {
        give_up_waiting(run, now);
        run->next_search = now + SEARCH;
    }
}

/* Milliseconds until something is to be done.  An open loop sleeps whole ones only, and
 * stays awake for the rest. */
static int pause_of(const struct run *run, int64_t began)
{
    if (run->phase->rate <= 0)
        return TICK;
    int64_t due = began + (int64_t)((double)run->started / run->phase->rate * SECOND);
    int64_t left = (due - clock_now()) / MILLISECOND;
    return left < 0 ? 0 : left < TICK ? (int)left : TICK;
}

static void turn(struct run *run, int milliseconds)
{
    wire_wait(run->wire, milliseconds, receive, run);
    look_at_clocks(run, clock_now());
    if (wire_is_broken(run->wire)) {
        fprintf(stderr, "load: a connection was closed or cannot be read on\n");
        exit(1);
    }
}

/* Say where we are, and wait until we are told to go on. */
static void synchronise(const struct run *run, const char *word)
{
    if (!run->options.is_synchronised || !run->phase->is_measured)
        return;
    puts(word);
    fflush(stdout);
    int letter;
    while ((letter = getchar()) != '\n')
        if (letter == EOF)
            exit(1);
}

static int64_t own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

void run_phase(struct run *run, const struct phase *phase)
{
    run->phase = phase;
    run->started = 0;
    synchronise(run, "begin");
    run->result = (struct result){0};
    uint64_t notifies = run->counters.notifies;
    int64_t cpu = own_cpu(), began = clock_now();

    while (start_due(run, began, clock_now()))
        turn(run, pause_of(run, began));
    if (phase->is_broken_off)
        abandon(run);
    while (run->in_flight > 0)
        turn(run, TICK);

    run->result.elapsed = clock_now() - began;
    run->result.own_cpu = own_cpu() - cpu;
    run->result.notifies = run->counters.notifies - notifies;
    synchronise(run, "end");
}

/* Whether a watcher was not told yet what is so. */
static bool is_behind(const struct subscription *subscription,
                      const struct presentity *presentity)
{
    /* While a publication expires, nobody but the server knows what is so. */
    if (!subscription->is_active || presentity->accepted == 0 ||
        presentity->lapses_at > 0)
        return false;
    if (presentity->is_gone)
        return subscription->has_seen && !subscription->sees_none;
    return subscription->sees_none || !subscription->has_seen ||
           subscription->shown < presentity->accepted;
}

static unsigned behind(const struct run *run)
{
    unsigned count = 0;
    for (unsigned i = 0; i < run->watcher_count; i++) {
        const struct subscription *subscription = &run->subscriptions[i];
        if (is_behind(subscription, &run->presentities[subscription->presentity]))
            count++;
    }
    return count;
}

void run_linger(struct run *run, int64_t until)
{
    while (clock_now() < until)
        turn(run, TICK);
}

void run_drain(struct run *run)
{
    int64_t end = clock_now() + (int64_t)(run->options.drain * SECOND);
    while (behind(run) > 0 && clock_now() < end)
        turn(run, TICK);
    run->result.caught_up = clock_now() - run->last_start;
    run_linger(run, clock_now() + LINGER);
    run->counters.wrong_final = behind(run);
}
