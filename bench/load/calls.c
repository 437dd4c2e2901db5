#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "clock.h"

void calls_make(struct run *run)
{
    run->calls = calloc(run->watcher_count, sizeof *run->calls);
    if (run->calls == NULL) {
        perror("calloc");
        exit(1);
    }
    for (unsigned i = 0; i < run->watcher_count; i++)
        run->calls[i].presentity = i % run->presentity_count;
}

static unsigned way_of(const struct run *run, unsigned actor)
{
    return actor % run->options.ways;
}

/* Open a place for what is sent until it is answered. */
static struct transaction *open_place(struct run *run, enum operation operation,
                                      unsigned actor, unsigned way, char branch[32])
{
    struct transaction *transaction = transaction_open(&run->transactions, way);
    if (transaction == NULL) {
        fprintf(stderr, "load: a call needs more places than there are\n");
        exit(1);
    }
    transaction->operation = (int)operation;
    transaction->actor = actor;
    transaction_branch(&run->transactions, transaction, branch);
    return transaction;
}

static void send_whole(struct run *run, struct transaction *transaction,
                       const struct writer *writer)
{
    transaction->length = writer->used;
    transaction_send(&run->transactions, transaction, clock_now());
}

/* --- Who calls --- */

void start_call(struct run *run, unsigned actor, int64_t due)
{
    struct call *call = &run->calls[actor];
    unsigned presentity = call->presentity, use = call->use + 1;
    *call = (struct call){
        .presentity = presentity, .use = use, .is_busy = true, .asked_at = due};
    char branch[32];
    unsigned way = way_of(run, actor);
    struct transaction *transaction = open_place(run, CALL, actor, way, branch);
    struct writer writer = writer_into(transaction->request, REQUEST_ROOM);
    write_invite(&writer, &run->house, actor, call, branch, wire_name(run->wire, way));
    send_whole(run, transaction, &writer);
}

static void end_call(struct run *run, struct call *call, bool is_good)
{
    if (call->accepting != NULL)
        transaction_close(&run->transactions, call->accepting);
    call->accepting = NULL;
    call->is_busy = false;
    finish(run, call->asked_at, is_good);
}

static void acknowledge(struct run *run, unsigned actor)
{
    struct call *call = &run->calls[actor];
    unsigned way = way_of(run, actor);
    char branch[32], text[REQUEST_ROOM];
    /* Nobody answers it, so it needs no place. */
    snprintf(branch, sizeof branch, "z9hG4bKack%x.%x", actor, call->use);
    struct writer writer = writer_into(text, sizeof text);
    write_within(&writer, &run->house, actor, call, "ACK", branch,
                 wire_name(run->wire, way));
    wire_send(run->wire, way, text, writer.used);
}

static void hang_up(struct run *run, unsigned actor)
{
    char branch[32];
    unsigned way = way_of(run, actor);
    struct transaction *transaction = open_place(run, HANG_UP, actor, way, branch);
    struct writer writer = writer_into(transaction->request, REQUEST_ROOM);
    write_within(&writer, &run->house, actor, &run->calls[actor], "BYE", branch,
                 wire_name(run->wire, way));
    send_whole(run, transaction, &writer);
}

/* Whether a 2xx is what the callee said. */
static bool is_as_said(const struct run *run, unsigned actor,
                       const struct message *response)
{
    const struct call *call = &run->calls[actor];
    char contact[160], tag[32], session[512];
    struct writer writer = writer_into(session, sizeof session);
    presentity_contact(contact, &run->house, call->presentity,
                       wire_name(run->wire, way_of_presentity(run, call->presentity)));
    callee_tag(tag, actor, call);
    write_session(&writer, actor, call);
    return strcmp(call->target, contact) == 0 && strcmp(call->remote_tag, tag) == 0 &&
           response->body.length == writer.used &&
           memcmp(response->body.start, session, writer.used) == 0;
}

static void invite_answered(struct run *run, unsigned actor,
                            const struct message *response)
{
    struct call *call = &run->calls[actor];
    if (response->status >= 300) {
        unsigned way = way_of(run, actor);
        char text[REQUEST_ROOM];
        struct writer writer = writer_into(text, sizeof text);
        write_refused(&writer, &run->house, actor, call, response,
                      wire_name(run->wire, way));
        wire_send(run->wire, way, text, writer.used);
        note_refusal(run, call->asked_at, response->status);
        end_call(run, call, false);
        return;
    }
    take_dialog(call, response);
    call->is_accepted = true;
    run->counters.astray += !is_as_said(run, actor, response) || !call->has_rung;
    acknowledge(run, actor);
    hang_up(run, actor);
}

/* A 2xx that comes once more is acknowledged once more (RFC 3261 §13.2.2.4). */
static void answered_again(struct run *run, const struct message *response)
{
    unsigned actor, use;
    if (run->calls != NULL && slice_is(response->method, "INVITE") &&
        call_of(&run->house, response->call_id, &actor, &use) &&
        actor < run->watcher_count && run->calls[actor].use == use &&
        run->calls[actor].is_accepted && response->status / 100 == 2)
        acknowledge(run, actor);
    run->counters.stray++;
}

void call_answered(struct run *run, struct transaction *transaction,
                   const struct message *response)
{
    if (transaction == NULL) {
        answered_again(run, response);
        return;
    }
    unsigned actor = transaction->actor;
    struct call *call = &run->calls[actor];
    if (response->status < 200) {
        /* From here on it is the other side that sends again. */
        transaction->interval = 0;
        call->has_rung |= response->status == 180;
        return;
    }
    enum operation operation = (enum operation)transaction->operation;
    transaction_close(&run->transactions, transaction);
    if (operation == CALL) {
        invite_answered(run, actor, response);
        return;
    }
    run->counters.astray += !call->is_acknowledged;
    end_call(run, call, response->status < 300);
}

/* --- Who is called --- */

/* Whether a request came to the one who is called, and as his contact. */
static bool is_for_callee(const struct run *run, const struct call *call,
                          const struct message *request, unsigned way)
{
    char contact[160];
    presentity_contact(contact, &run->house, call->presentity,
                       wire_name(run->wire, way));
    return way == way_of_presentity(run, call->presentity) &&
           slice_is(request->uri, contact);
}

static void answer(struct run *run, const struct message *request, unsigned way,
                   unsigned actor, int status)
{
    char text[REQUEST_ROOM], contact[160];
    const struct call *call = &run->calls[actor];
    struct writer writer = writer_into(text, sizeof text);
    presentity_contact(contact, &run->house, call->presentity,
                       wire_name(run->wire, way));
    write_answer(&writer, request, actor, call, status, contact);
    wire_send(run->wire, way, text, writer.used);
}

/* Accept; the 200 is sent until it is acknowledged (RFC 3261 §13.3.1.4). */
static void accept_call(struct run *run, const struct message *invite, unsigned way,
                        unsigned actor)
{
    struct call *call = &run->calls[actor];
    char branch[32], contact[160];
    struct transaction *transaction = open_place(run, ACCEPT, actor, way, branch);
    struct writer writer = writer_into(transaction->request, REQUEST_ROOM);
    presentity_contact(contact, &run->house, call->presentity,
                       wire_name(run->wire, way));
    write_answer(&writer, invite, actor, call, 200, contact);
    call->accepting = transaction;
    send_whole(run, transaction, &writer);
}

static bool is_session(struct slice body, unsigned actor, const struct call *call)
{
    char session[512];
    struct writer writer = writer_into(session, sizeof session);
    write_session(&writer, actor, call);
    return body.length == writer.used && memcmp(body.start, session, writer.used) == 0;
}

static void invited(struct run *run, const struct message *invite, unsigned way,
                    unsigned actor)
{
    struct call *call = &run->calls[actor];
    if (call->is_invited) {
        if (slice_is(invite->branch, call->branch))
            run->counters.received_again++;
        else
            run->counters.astray++; /* nobody asked for a fork */
        return;
    }
    call->is_invited = true;
    slice_copy(invite->branch, call->branch, sizeof call->branch);
    run->counters.astray += !is_for_callee(run, call, invite, way) ||
                            invite->record_route_count == 0 ||
                            !is_session(invite->body, actor, call);
    answer(run, invite, way, actor, 180);
    accept_call(run, invite, way, actor);
}

static void acknowledged(struct run *run, const struct message *ack, unsigned way,
                         unsigned actor)
{
    struct call *call = &run->calls[actor];
    char tag[32];
    callee_tag(tag, actor, call);
    run->counters.astray += !is_for_callee(run, call, ack, way) ||
                            !slice_is(slice_parameter(ack->to, ";tag="), tag);
    call->is_acknowledged = true;
    if (call->accepting != NULL)
        transaction_close(&run->transactions, call->accepting);
    call->accepting = NULL;
}

static void answer_bye(struct run *run, const struct message *bye, unsigned way)
{
    char text[REQUEST_ROOM];
    struct writer writer = writer_into(text, sizeof text);
    message_answer(&writer, bye, 200, "OK", NULL, "");
    wire_send(run->wire, way, text, writer.used);
}

static void hung_up(struct run *run, const struct message *bye, unsigned way,
                    unsigned actor)
{
    run->counters.astray += !is_for_callee(run, &run->calls[actor], bye, way);
    answer_bye(run, bye, way);
}

/* What was sent again of a call that is over. */
static void called_before(struct run *run, const struct message *request, unsigned way)
{
    run->counters.received_again++;
    if (slice_is(request->method, "BYE"))
        answer_bye(run, request, way);
}

bool callee_asked(struct run *run, const struct message *request, unsigned way)
{
    bool is_invite = slice_is(request->method, "INVITE");
    bool is_ack = slice_is(request->method, "ACK");
    if (!is_invite && !is_ack && !slice_is(request->method, "BYE"))
        return false;
    unsigned actor, use;
    if (run->calls == NULL || !call_of(&run->house, request->call_id, &actor, &use) ||
        actor >= run->watcher_count || use > run->calls[actor].use)
        run->counters.astray++;
    else if (use < run->calls[actor].use)
        called_before(run, request, way);
    else if (is_invite)
        invited(run, request, way, actor);
    else if (is_ack)
        acknowledged(run, request, way, actor);
    else
        hung_up(run, request, way, actor);
    return true;
}

void call_lost(struct run *run, const struct transaction *lost)
{
    struct call *call = &run->calls[lost->actor];
    if (lost->operation == ACCEPT)
        call->accepting = NULL; /* the caller, too, waits for something */
    else
        end_call(run, call, false);
}
