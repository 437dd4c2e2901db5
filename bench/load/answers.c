#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "clock.h"

static int64_t timeout(const struct run *run)
{
    return (int64_t)(run->options.timeout * SECOND);
}

void finish(struct run *run, int64_t asked_at, bool is_good)
{
    run->in_flight--;
    if (!is_good) {
        run->result.failed++;
        return;
    }
    run->result.operations++;
    histogram_add(&run->result.answers, clock_now() - asked_at);
}

void note_refusal(struct run *run, int64_t asked_at, int status)
{
    if (status != 503)
        return;
    run->result.refused++;
    histogram_add(&run->result.refusals, clock_now() - asked_at);
}

/* --- Publishing --- */

static void send_publish(struct run *run, enum operation operation, unsigned actor)
{
    struct presentity *presentity = &run->presentities[actor];
    unsigned turn = run->is_scattered ? presentity->cseq : 0;
    unsigned way = way_of_presentity(run, actor + turn);
    struct transaction *transaction = transaction_open(&run->transactions, way);
    char branch[32];
    transaction_branch(&run->transactions, transaction, branch);
    struct writer writer = writer_into(transaction->request, REQUEST_ROOM);
    const char *own = wire_name(run->wire, way);
    bool has_state = operation != REFRESH && operation != REMOVE;
    if (operation == REGISTER)
        write_register(&writer, &run->house, actor, presentity, branch, own);
    else
        write_publish(&writer, &run->house, actor, presentity,
                      has_state ? WITH_STATE : WITHOUT_STATE,
                      operation == REMOVE ? 0 : run->house.expires, branch, own);
    transaction->length = writer.used;
    transaction->operation = (int)operation;
    transaction->actor = actor;
    presentity->sent_at = clock_now();
    transaction_send(&run->transactions, transaction, presentity->sent_at);
}

void start_publish(struct run *run, enum operation operation, unsigned actor,
                   int64_t due)
{
    struct presentity *presentity = &run->presentities[actor];
    presentity->is_busy = true;
    presentity->is_answered = false;
    presentity->is_watched_round = operation == ROUND;
    presentity->asked_at = due;
    presentity->given_up_at = clock_now() + timeout(run);
    if (operation == PUBLISH_NEW)
        presentity->entity_tag[0] = '\0';
    if (operation == PUBLISH_NEW || operation == MODIFY || operation == ROUND) {
        presentity->sent++;
        presentity->seen = 0;
    }
    send_publish(run, operation, actor);
}

static void end_publish(struct run *run, struct presentity *presentity, bool is_good)
{
    presentity->is_busy = false;
    finish(run, presentity->asked_at, is_good);
}

static void end_round_if_complete(struct run *run, struct presentity *presentity)
{
    if (presentity->is_busy && presentity->is_watched_round &&
        presentity->is_answered && presentity->seen >= presentity->watchers)
        end_publish(run, presentity, true);
}

static void take_state(struct presentity *presentity, enum operation operation,
                       const struct message *response)
{
    slice_copy(response->entity_tag, presentity->entity_tag,
               sizeof presentity->entity_tag);
    if (operation == REMOVE)
        presentity->entity_tag[0] = '\0';
    if (operation != REFRESH && operation != REMOVE)
        presentity->accepted = presentity->sent;
    presentity->is_gone = operation == REMOVE;
}

static void publish_answered(struct run *run, struct transaction *transaction,
                             const struct message *response)
{
    struct presentity *presentity = &run->presentities[transaction->actor];
    if (response->status >= 300) {
        if (response->status == 412)
            presentity->entity_tag[0] = '\0'; /* publishes anew next time */
        note_refusal(run, presentity->asked_at, response->status);
        end_publish(run, presentity, false);
        return;
    }
    if (transaction->operation != REGISTER)
        take_state(presentity, (enum operation)transaction->operation, response);
    presentity->is_answered = true;
    if (transaction->operation == ROUND)
        end_round_if_complete(run, presentity);
    else
        end_publish(run, presentity, true);
}

/* --- Subscribing --- */

static void send_subscribe(struct run *run, enum operation operation, unsigned actor)
{
    struct subscription *subscription = &run->subscriptions[actor];
    unsigned way = actor % run->options.ways;
    struct transaction *transaction = transaction_open(&run->transactions, way);
    char branch[32];
    transaction_branch(&run->transactions, transaction, branch);
    struct writer writer = writer_into(transaction->request, REQUEST_ROOM);
    bool is_last = operation == POLL || operation == UNSUBSCRIBE;
    write_subscribe(&writer, &run->house, actor, subscription,
                    is_last ? 0 : run->house.expires, branch,
                    wire_name(run->wire, way));
    transaction->length = writer.used;
    transaction->operation = (int)operation;
    transaction->actor = actor;
    subscription->sent_at = clock_now();
    transaction_send(&run->transactions, transaction, subscription->sent_at);
}

static void begin_dialog(struct subscription *subscription)
{
    subscription->use++;
    subscription->remote_tag[0] = '\0';
    subscription->notify_cseq = 0;
    subscription->come = 0;
    subscription->has_seen = subscription->sees_none = false;
    subscription->shown = 0;
    subscription->lapses_at = subscription->silent_until = 0;
}

void leave(struct run *run, struct subscription *subscription)
{
    if (subscription->is_active)
        run->presentities[subscription->presentity].watchers--;
    subscription->is_active = false;
}

void start_subscribe(struct run *run, enum operation operation, unsigned actor,
                     int64_t due)
{
    struct subscription *subscription = &run->subscriptions[actor];
    if (operation == UNSUBSCRIBE)
        leave(run, subscription);
    else if (operation != RESUBSCRIBE)
        begin_dialog(subscription);
    subscription->is_busy = true;
    subscription->is_fetch = operation == POLL;
    subscription->wants_answer = subscription->wants_notify = true;
    /* It stays so when a change comes first: the NOTIFY that the SUBSCRIBE is answered
     * with may follow and tell the same again. */
    subscription->may_repeat = operation == RESUBSCRIBE || operation == UNSUBSCRIBE;
    subscription->at_least =
        least_told(&run->presentities[subscription->presentity]);
    subscription->asked_at = due;
    subscription->given_up_at = clock_now() + timeout(run);
    send_subscribe(run, operation, actor);
}

static void end_subscribe(struct run *run, struct subscription *subscription,
                          bool is_good)
{
    subscription->is_busy = false;
    subscription->was_good = is_good;
    subscription->wants_answer = subscription->wants_notify = false;
    finish(run, subscription->asked_at, is_good);
}

static void end_subscribe_if_complete(struct run *run,
                                      struct subscription *subscription)
{
    if (!subscription->is_busy || subscription->wants_answer ||
        subscription->wants_notify)
        return;
    end_subscribe(run, subscription, true);
}

static void subscribe_answered(struct run *run, struct transaction *transaction,
                               const struct message *response)
{
    struct subscription *subscription = &run->subscriptions[transaction->actor];
    if (response->status >= 300) {
        if (response->status == 481)
            leave(run, subscription);
        note_refusal(run, subscription->asked_at, response->status);
        end_subscribe(run, subscription, false);
        return;
    }
    slice_copy(slice_parameter(response->to, ";tag="), subscription->remote_tag,
               sizeof subscription->remote_tag);
    struct slice target = slice_inside(response->contact, '<', '>');
    if (target.length > 0)
        slice_copy(target, subscription->target, sizeof subscription->target);
    subscription->wants_answer = false;
    if (transaction->operation == SUBSCRIBE) {
        subscription->is_active = true;
        run->presentities[subscription->presentity].watchers++;
    }
    end_subscribe_if_complete(run, subscription);
}

/* --- What comes --- */

/* Answer a challenge, once; false when it cannot be, or was. */
static bool try_again(struct run *run, struct transaction *transaction,
                      const struct message *response)
{
    const struct options *options = &run->options;
    if (options->password == NULL || response->challenge.length == 0)
        return false;
    enum operation operation = (enum operation)transaction->operation;
    unsigned actor = transaction->actor;
    char user[96];
    struct digest *digest;
    if (operation <= ROUND) {
        presentity_user(user, &run->house, actor);
        digest = &run->presentities[actor].digest;
    } else {
        watcher_user(user, &run->house, actor);
        digest = &run->subscriptions[actor].digest;
    }
    char before[sizeof digest->nonce];
    memcpy(before, digest->nonce, sizeof before);
    if (!digest_take(digest, response->challenge, user, options->password) ||
        strcmp(before, digest->nonce) == 0)
        return false;
    transaction_close(&run->transactions, transaction);
    if (operation <= ROUND)
        send_publish(run, operation, actor);
    else
        send_subscribe(run, operation, actor);
    return true;
}

static void receive_response(struct run *run, const struct message *response)
{
    struct transaction *transaction = transactions_find(&run->transactions, response);
    bool is_call = transaction == NULL ? slice_is(response->method, "INVITE")
                                       : transaction->operation >= CALL;
    if (response->status >= 200 && transaction != NULL)
        run->counters.statuses[response->status < STATUSES ? response->status : 0]++;
    if (is_call) {
        call_answered(run, transaction, response);
        return;
    }
    if (transaction == NULL) {
        run->counters.stray++;
        return;
    }
    if (response->status < 200)
        return;
    if (response->status == 401 && try_again(run, transaction, response))
        return;
    if (transaction->operation <= ROUND)
        publish_answered(run, transaction, response);
    else
        subscribe_answered(run, transaction, response);
    transaction_close(&run->transactions, transaction);
}

static void take_end(struct run *run, struct subscription *subscription)
{
    if (subscription->is_active && subscription->lapses_at == 0)
        run->counters.ended++;
    leave(run, subscription);
}

static void receive_notify(struct run *run, const struct message *notify,
                           struct subscription *subscription)
{
    struct presentity *presentity = &run->presentities[subscription->presentity];
    if (check_cseq(&run->counters, subscription, notify) != FIRST_TIME)
        return;
    bool is_last = slice_begins(notify->state, "terminated");
    /* The last one need not tell anything (RFC 6665 §4.2.2), or may tell it again. */
    subscription->may_repeat |= is_last;
    bool is_news =
        !(is_last && notify->body.length == 0) &&
        check_state(&run->counters, subscription, presentity, notify->body);
    if (is_last)
        take_end(run, subscription);
    if (is_news && !subscription->wants_notify)
        histogram_add(&run->result.told, clock_now() - presentity->sent_at);
    if (is_news && subscription->is_active && subscription->seen == presentity->sent)
        presentity->seen++;
    subscription->wants_notify = false;
    end_subscribe_if_complete(run, subscription);
    end_round_if_complete(run, presentity);
}

/* The subscription that a NOTIFY is of; NULL when it is of none. */
static struct subscription *notified(struct run *run, const struct message *request)
{
    unsigned number, use;
    if (subscription_of(&run->house, request->call_id, &number, &use) &&
        number < run->watcher_count + run->fetcher_count &&
        run->subscriptions[number].use == use)
        return &run->subscriptions[number];
    return NULL;
}

static void answer_request(struct run *run, const struct message *request,
                           unsigned way, bool is_known)
{
    char answer[2048];
    struct writer writer = writer_into(answer, sizeof answer);
    if (is_known)
        message_answer(&writer, request, 200, "OK", NULL, "");
    else
        message_answer(&writer, request, 481, "Subscription Does Not Exist", NULL, "");
    wire_send(run->wire, way, answer, writer.used);
}

static void receive_request(struct run *run, const struct message *request,
                            unsigned way)
{
    if (callee_asked(run, request, way))
        return;
    bool is_notify = slice_is(request->method, "NOTIFY");
    /* Which nobody answers ([MS-SIP] 3.5), and few ask for. */
    bool is_benotify = run->house.is_benotify && slice_is(request->method, "BENOTIFY");
    struct subscription *subscription =
        is_notify || is_benotify ? notified(run, request) : NULL;
    if (subscription != NULL && subscription->silent_until > 0)
        return;
    if (subscription == NULL)
        run->counters.unknown++;
    if (is_notify && run->house.is_benotify)
        run->counters.unasked++;
    if (!is_benotify)
        answer_request(run, request, way, subscription != NULL);
    if (subscription != NULL)
        receive_notify(run, request, subscription);
}

void receive(void *context, const char *data, size_t length, unsigned way)
{
    struct run *run = context;
    struct message message;
    if (!message_read(data, length, &message))
        run->counters.unreadable++;
    else if (message.is_request)
        receive_request(run, &message, way);
    else
        receive_response(run, &message);
}

/* --- What does not come --- */

void give_up(struct run *run, struct transaction *lost)
{
    run->counters.lost_answers++;
    if (lost->operation >= CALL)
        call_lost(run, lost);
    else if (lost->operation <= ROUND)
        end_publish(run, &run->presentities[lost->actor], false);
    else
        end_subscribe(run, &run->subscriptions[lost->actor], false);
    transaction_close(&run->transactions, lost);
}

void give_up_waiting(struct run *run, int64_t now)
{
    for (unsigned i = 0; i < run->presentity_count; i++) {
        struct presentity *presentity = &run->presentities[i];
        if (!presentity->is_busy || !presentity->is_answered ||
            now < presentity->given_up_at)
            continue;
        run->counters.lost_notifies += presentity->watchers - presentity->seen;
        end_publish(run, presentity, false);
    }
    for (unsigned i = 0; i < run->watcher_count + run->fetcher_count; i++) {
        struct subscription *subscription = &run->subscriptions[i];
        if (!subscription->is_busy || subscription->wants_answer ||
            now < subscription->given_up_at)
            continue;
        run->counters.lost_notifies++;
        end_subscribe(run, subscription, false);
    }
}

void abandon(struct run *run)
{
    for (unsigned i = 0; i < run->transactions.used_up_to; i++)
        if (run->transactions.place[i].is_open)
            transaction_close(&run->transactions, &run->transactions.place[i]);
    for (unsigned i = 0; i < run->presentity_count; i++) {
        struct presentity *presentity = &run->presentities[i];
        presentity->is_uncertain = presentity->is_busy && !presentity->is_answered;
        presentity->is_busy = false;
    }
    for (unsigned i = 0; i < run->watcher_count + run->fetcher_count; i++) {
        struct subscription *subscription = &run->subscriptions[i];
        subscription->is_busy = false;
        subscription->wants_answer = subscription->wants_notify = false;
    }
    run->in_flight = 0;
}
