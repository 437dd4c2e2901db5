#include "callers.h"

#include <stdio.h>
#include <string.h>

static const char *transport_of(const struct house *house)
{
    return house->transport[0] == 'T' ? ";transport=tcp" : "";
}

void presentity_contact(char contact[160], const struct house *house, unsigned number,
                        const char *own)
{
    char user[96];
    presentity_user(user, house, number);
    snprintf(contact, 160, "sip:%s@%s%s", user, own, transport_of(house));
}

void callee_tag(char tag[32], unsigned number, const struct call *call)
{
    snprintf(tag, 32, "d%u.%u", number, call->use);
}

void write_session(struct writer *writer, unsigned number, const struct call *call)
{
    writer_add(writer,
               "v=0\r\n"
               "o=w%u %u 1 IN IP4 127.0.0.1\r\n"
               "s=-\r\n"
               "c=IN IP4 127.0.0.1\r\n"
               "t=0 0\r\n"
               "m=audio 40000 RTP/AVP 8 0 101\r\n"
               "a=rtpmap:8 PCMA/8000\r\n"
               "a=rtpmap:0 PCMU/8000\r\n"
               "a=rtpmap:101 telephone-event/8000\r\n",
               number, call->use);
}

/* Write what every request of a caller begins with, up to its CSeq. */
static void write_head(struct writer *writer, const struct house *house,
                       unsigned number, const struct call *call, const char *method,
                       uint32_t cseq, const char *target, const char *branch,
                       const char *own)
{
    char user[96];
    watcher_user(user, house, number);
    writer_add(writer,
               "%s %s SIP/2.0\r\n"
               "Via: SIP/2.0/%s %s;rport;branch=%s\r\n"
               "Max-Forwards: 70\r\n"
               "%s"
               "From: <sip:%s@%s>;tag=c%u.%u-%x\r\n"
               "To: <sip:p%u@%s>%s%s\r\n"
               "Call-ID: c%u.%u-%x@load\r\n"
               "CSeq: %u %s\r\n",
               method, target, house->transport, own, branch, call->routes, user,
               house->domain, number, call->use, house->run, call->presentity,
               house->domain, call->remote_tag[0] != '\0' ? ";tag=" : "",
               call->remote_tag, number, call->use, house->run, cseq, method);
}

void write_invite(struct writer *writer, const struct house *house, unsigned number,
                  const struct call *call, const char *branch, const char *own)
{
    char uri[160], user[96], session[512];
    struct writer offer = writer_into(session, sizeof session);
    write_session(&offer, number, call);
    watcher_user(user, house, number);
    snprintf(uri, sizeof uri, "sip:p%u@%s", call->presentity, house->domain);
    write_head(writer, house, number, call, "INVITE", 1, uri, branch, own);
    writer_add(writer,
               "Contact: <sip:%s@%s%s>\r\n"
               "Allow: INVITE, ACK, CANCEL, BYE\r\n"
               "User-Agent: presproxy bench\r\n"
               "Content-Type: application/sdp\r\n"
               "Content-Length: %zu\r\n\r\n",
               user, own, transport_of(house), offer.used);
    writer_put(writer, (struct slice){session, offer.used});
}

void write_within(struct writer *writer, const struct house *house, unsigned number,
                  const struct call *call, const char *method, const char *branch,
                  const char *own)
{
    uint32_t cseq = strcmp(method, "ACK") == 0 ? 1 : 2;
    write_head(writer, house, number, call, method, cseq, call->target, branch, own);
    writer_add(writer, "User-Agent: presproxy bench\r\nContent-Length: 0\r\n\r\n");
}

void write_refused(struct writer *writer, const struct house *house, unsigned number,
                   const struct call *call, const struct message *refusal,
                   const char *own)
{
    char uri[160], branch[96];
    struct call refused = *call;
    slice_copy(slice_parameter(refusal->to, ";tag="), refused.remote_tag,
               sizeof refused.remote_tag);
    slice_copy(refusal->branch, branch, sizeof branch);
    snprintf(uri, sizeof uri, "sip:p%u@%s", call->presentity, house->domain);
    write_head(writer, house, number, &refused, "ACK", 1, uri, branch, own);
    writer_add(writer, "Content-Length: 0\r\n\r\n");
}

void write_answer(struct writer *writer, const struct message *invite, unsigned number,
                  const struct call *call, int status, const char *contact)
{
    char fields[2048], session[512], tag[32];
    struct writer lines = writer_into(fields, sizeof fields);
    struct writer body = writer_into(session, sizeof session);
    for (size_t i = 0; i < invite->record_route_count; i++)
        writer_put(&lines, invite->record_routes[i]);
    writer_add(&lines, "Contact: <%s>\r\n", contact);
    if (status >= 200) {
        writer_add(&lines, "Content-Type: application/sdp\r\n");
        write_session(&body, number, call);
    }
    fields[lines.used] = '\0';
    callee_tag(tag, number, call);
    message_answer_with(writer, invite, status, status < 200 ? "Ringing" : "OK", tag,
                        fields, (struct slice){session, body.used});
}

/* Put the values of one line of Record-Route before those that are there. */
static void put_before(char routes[ROUTES_ROOM], struct slice line)
{
    const char *value = memchr(line.start, ':', line.length);
    const char *end = line.start + line.length;
    while (value != NULL && value < end) {
        value++;
        const char *closed = memchr(value, '>', (size_t)(end - value));
        const char *comma =
            closed == NULL ? NULL : memchr(closed, ',', (size_t)(end - closed));
        struct slice one = slice_trim(
            (struct slice){value, (size_t)((comma == NULL ? end : comma) - value)});
        char before[ROUTES_ROOM];
        snprintf(before, sizeof before, "%s", routes);
        struct writer writer = writer_into(routes, ROUTES_ROOM);
        writer_add(&writer, "Route: %.*s\r\n%s", (int)one.length, one.start, before);
        value = comma;
    }
}

void take_dialog(struct call *call, const struct message *response)
{
    slice_copy(slice_parameter(response->to, ";tag="), call->remote_tag,
               sizeof call->remote_tag);
    slice_copy(slice_inside(response->contact, '<', '>'), call->target,
               sizeof call->target);
    call->routes[0] = '\0';
    for (size_t i = 0; i < response->record_route_count; i++)
        put_before(call->routes, response->record_routes[i]);
}

bool call_of(const struct house *house, struct slice call_id, unsigned *number,
             unsigned *use)
{
    char text[64];
    unsigned run;
    slice_copy(call_id, text, sizeof text);
    return sscanf(text, "c%u.%u-%x@load", number, use, &run) == 3 && run == house->run;
}
