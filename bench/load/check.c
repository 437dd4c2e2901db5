#include "check.h"

/* FNV-1a. */
static uint32_t hash_of(struct slice text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.start[i]) * 16777619u;
    return hash;
}

enum come check_cseq(struct counters *counters, struct subscription *subscription,
                     const struct message *notify)
{
    uint32_t highest = subscription->notify_cseq;
    uint32_t branch = hash_of(notify->branch);
    if (highest == 0 || notify->cseq > highest) {
        uint32_t step = highest == 0 ? 1 : notify->cseq - highest;
        subscription->come = (step < 64 ? subscription->come << step : 0) | 1;
        subscription->notify_cseq = notify->cseq;
        subscription->notify_branch = branch;
        counters->gaps += step - 1;
        counters->notifies++;
        return FIRST_TIME;
    }
    uint32_t back = highest - notify->cseq;
    if (back >= 64 || subscription->come & (UINT64_C(1) << back)) {
        if (back == 0 && branch != subscription->notify_branch)
            counters->reused++;
        else
            counters->received_again++;
        return AGAIN;
    }
    subscription->come |= UINT64_C(1) << back;
    counters->gaps--;
    counters->notifies++;
    counters->out_of_order++;
    return TOO_LATE;
}

bool check_state(struct counters *counters, struct subscription *subscription,
                 const struct presentity *presentity, struct slice body)
{
    uint32_t number;
    subscription->sees_none = !state_number(body, &number);
    if (subscription->sees_none) {
        counters->without_state++;
        return false;
    }
    subscription->shown = number;
    if (number > presentity->sent) {
        counters->impossible++;
        return false;
    }
    uint32_t oldest = subscription->at_least;
    if (subscription->has_seen && subscription->seen > oldest)
        oldest = subscription->seen;
    if (number < oldest) {
        counters->stale++;
        return false;
    }
    bool is_news = !subscription->has_seen || number > subscription->seen;
    if (!is_news && !subscription->may_repeat)
        counters->duplicates++;
    if (!is_news)
        subscription->may_repeat = false;
    subscription->has_seen = true;
    subscription->seen = number;
    return is_news;
}
