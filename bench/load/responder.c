/*
 * The least a presence server can be: over UDP, on one thread, without any check.
 *
 * It believes all it is told, forgets nothing, and sends nothing twice.  What a run
 * against it costs is what the load costs.  It prints its port and runs until killed.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

enum { ROOM = 65536, FIELD = 128, STATE = 1400 };

struct subscriber {
    struct sockaddr_in address;
    unsigned presentity;
    unsigned cseq;
    unsigned next;    /* subscriber of the same presentity, plus one; 0: none */
    char from[FIELD]; /* as we write it: their To, with our tag */
    char to[FIELD];
    char call_id[FIELD];
    char target[FIELD];
};

struct presentity {
    unsigned first; /* subscriber, plus one; 0: none */
    size_t length;
    char state[STATE];
};

static int endpoint;
static char own[32];
static struct presentity *presentities;
static unsigned presentity_count;
static struct subscriber *subscribers;
static unsigned subscriber_count, subscriber_room;
static unsigned long branches, entity_tags;

/* Make room for `count` things of `size` octets; what is new is zero. */
static void *grow(void *things, size_t before, size_t count, size_t size)
{
    char *grown = realloc(things, count * size);
    if (grown == NULL) {
        perror("realloc");
        exit(1);
    }
    memset(grown + before * size, 0, (count - before) * size);
    return grown;
}

/* The presentity that "sip:p17@host" names. */
static struct presentity *presentity_of(struct slice uri)
{
    unsigned number = uri.length > 5
                          ? slice_number((struct slice){uri.start + 5, uri.length - 5})
                          : 0;
    if (number >= presentity_count) {
        presentities =
            grow(presentities, presentity_count, 2 * number + 64, sizeof *presentities);
        presentity_count = 2 * number + 64;
    }
    return &presentities[number];
}

static void send_to(const struct writer *writer, const struct sockaddr_in *address)
{
    sendto(endpoint, writer->start, writer->used, 0, (const struct sockaddr *)address,
           sizeof *address);
}

static void notify(struct subscriber *subscriber, const char *state)
{
    char text[4096];
    struct writer writer = writer_into(text, sizeof text);
    const struct presentity *presentity = &presentities[subscriber->presentity];
    writer_add(&writer,
               "NOTIFY %s SIP/2.0\r\n"
               "Via: SIP/2.0/UDP %s;branch=z9hG4bKr%lx\r\n"
               "Max-Forwards: 70\r\n"
               "From: %s;tag=r\r\n"
               "To: %s\r\n"
               "Call-ID: %s\r\n"
               "CSeq: %u NOTIFY\r\n"
               "Contact: <sip:%s>\r\n"
               "Event: presence\r\n"
               "Subscription-State: %s\r\n"
               "Content-Type: application/pidf+xml\r\n"
               "Content-Length: %zu\r\n\r\n",
               subscriber->target, own, ++branches, subscriber->from, subscriber->to,
               subscriber->call_id, ++subscriber->cseq, own, state, presentity->length);
    writer_put(&writer, (struct slice){presentity->state, presentity->length});
    send_to(&writer, &subscriber->address);
}

static void answer(const struct message *request, const struct sockaddr_in *from,
                   const char *fields)
{
    char text[4096];
    struct writer writer = writer_into(text, sizeof text);
    message_answer(&writer, request, 200, "OK", "r", fields);
    send_to(&writer, from);
}

static void publish(const struct message *request, const struct sockaddr_in *from)
{
    struct presentity *presentity = presentity_of(request->uri);
    char fields[128];
    snprintf(fields, sizeof fields, "SIP-ETag: %lx\r\nExpires: 3600\r\n",
             ++entity_tags);
    answer(request, from, fields);
    if (request->body.length == 0 || request->body.length > STATE)
        return;
    memcpy(presentity->state, request->body.start, request->body.length);
    presentity->length = request->body.length;
    for (unsigned i = presentity->first; i != 0; i = subscribers[i - 1].next)
        notify(&subscribers[i - 1], "active;expires=3600");
}

static struct subscriber subscriber_of(const struct message *request,
                                       const struct sockaddr_in *from)
{
    struct subscriber subscriber = {.address = *from};
    subscriber.presentity = (unsigned)(presentity_of(request->uri) - presentities);
    slice_copy(request->to, subscriber.from, FIELD);
    slice_copy(request->from, subscriber.to, FIELD);
    slice_copy(request->call_id, subscriber.call_id, FIELD);
    slice_copy(slice_inside(request->contact, '<', '>'), subscriber.target, FIELD);
    return subscriber;
}

/* Keep a subscriber, and give the number to find it by. */
static unsigned keep(const struct subscriber *subscriber)
{
    if (subscriber_count == subscriber_room) {
        subscribers = grow(subscribers, subscriber_room, 2 * subscriber_room + 1024,
                           sizeof *subscribers);
        subscriber_room = 2 * subscriber_room + 1024;
    }
    struct presentity *presentity = &presentities[subscriber->presentity];
    subscribers[subscriber_count] = *subscriber;
    subscribers[subscriber_count].next = presentity->first;
    presentity->first = ++subscriber_count;
    return subscriber_count - 1;
}

static void answer_subscribe(const struct message *request,
                             const struct sockaddr_in *from, unsigned number)
{
    char fields[128];
    snprintf(fields, sizeof fields, "Contact: <sip:s%u@%s>\r\nExpires: 3600\r\n",
             number, own);
    answer(request, from, fields);
}

static void subscribe(const struct message *request, const struct sockaddr_in *from)
{
    if (request->uri.length > 5 && request->uri.start[4] == 's') {
        unsigned number = slice_number(
            (struct slice){request->uri.start + 5, request->uri.length - 5});
        answer_subscribe(request, from, number);
        if (number < subscriber_count)
            notify(&subscribers[number], "active;expires=3600");
        return;
    }
    struct subscriber subscriber = subscriber_of(request, from);
    if (slice_is(request->expires, "0")) {
        answer_subscribe(request, from, 0);
        notify(&subscriber, "terminated;reason=timeout");
        return;
    }
    unsigned number = keep(&subscriber);
    answer_subscribe(request, from, number);
    notify(&subscribers[number], "active;expires=3600");
}

static void open_endpoint(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int size = 4 << 20;
    endpoint = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(endpoint, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (endpoint < 0 || bind(endpoint, (struct sockaddr *)&address, length) < 0) {
        perror("socket");
        exit(1);
    }
    getsockname(endpoint, (struct sockaddr *)&address, &length);
    snprintf(own, sizeof own, "127.0.0.1:%u", ntohs(address.sin_port));
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(void)
{
    static char data[ROOM];
    open_endpoint();
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        struct message message;
        ssize_t count =
            recvfrom(endpoint, data, sizeof data, 0, (struct sockaddr *)&from, &length);
        if (count <= 0 || !message_read(data, (size_t)count, &message) ||
            !message.is_request)
            continue;
        if (slice_is(message.method, "PUBLISH"))
            publish(&message, &from);
        else if (slice_is(message.method, "SUBSCRIBE"))
            subscribe(&message, &from);
        else
            answer(&message, &from, "");
    }
}
