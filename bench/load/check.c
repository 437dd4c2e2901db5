#include "check.h"

enum come check_cseq(struct counters *counters, struct subscription *subscription,
                     uint32_t cseq)
{
    if (subscription->notify_cseq == 0 || cseq > subscription->notify_cseq) {
        uint32_t step = subscription->notify_cseq == 0 ? 1 : cseq - subscription->notify_cseq;
        subscription->come = (step < 64 ? subscription->come << step : 0) | 1;
        subscription->notify_cseq = cseq;
        counters->gaps += step - 1;
        counters->notifies++;
        return FIRST_TIME;
    }
    uint32_t back = subscription->notify_cseq - cseq;
    if (back >= 64 || subscription->come & (UINT64_C(1) << back)) {
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
    if (!state_number(body, &number)) {
        counters->without_state++;
        return false;
    }
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
