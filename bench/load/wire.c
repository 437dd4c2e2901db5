#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

enum {
    LARGEST = 65536,
    SOCKET_BUFFER = 4 << 20, /* as much as the system grants of it */
    EVENTS = 64,
    AT_ONCE = 256, /* messages read from one socket before the others have their turn */
};

struct way {
    int socket;
    char name[32];
    /* Of a connection: what came and is no whole message yet, and what waits to leave.
     */
    char *came;
    size_t came_length;
    char *leaving;
    size_t leaving_length, leaving_room;
};

struct wire {
    int epoll;
    bool is_tcp;
    bool is_broken;
    unsigned ways;
    uint64_t unsent;
    struct way *way;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void open_way(struct wire *wire, unsigned number,
                     const struct sockaddr_in *server)
{
    struct way *way = &wire->way[number];
    int size = SOCKET_BUFFER, on = 1;
    way->socket = socket(AF_INET, wire->is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (way->socket < 0)
        fail("socket");
    if (!wire->is_tcp) {
        setsockopt(way->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        setsockopt(way->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    } else {
        setsockopt(way->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        way->came = malloc(LARGEST);
        if (way->came == NULL)
            fail("malloc");
    }
    if (connect(way->socket, (const struct sockaddr *)server, sizeof *server) < 0)
        fail("connect");

    struct sockaddr_in own;
    socklen_t length = sizeof own;
    getsockname(way->socket, (struct sockaddr *)&own, &length);
    snprintf(way->name, sizeof way->name, "%s:%u", inet_ntoa(own.sin_addr),
             ntohs(own.sin_port));

    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(wire->epoll, EPOLL_CTL_ADD, way->socket, &event) < 0)
        fail("epoll_ctl");
}

static void open_end(struct wire *wire, const struct end *end)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(end->port)};
    if (inet_pton(AF_INET, end->host, &server.sin_addr) != 1) {
        fprintf(stderr, "%s is no address of IPv4\n", end->host);
        exit(2);
    }
    for (unsigned i = 0; i < end->ways; i++)
        open_way(wire, wire->ways++, &server);
}

struct wire *wire_open(const struct end *ends, unsigned count, bool is_tcp)
{
    unsigned ways = 0;
    for (unsigned i = 0; i < count; i++)
        ways += ends[i].ways;
    struct wire *wire = calloc(1, sizeof *wire);
    struct way *way = calloc(ways, sizeof *way);
    if (wire == NULL || way == NULL)
        fail("calloc");
    *wire = (struct wire){.is_tcp = is_tcp, .way = way};
    wire->epoll = epoll_create1(0);
    for (unsigned i = 0; i < count; i++)
        open_end(wire, &ends[i]);
    return wire;
}

void wire_close(struct wire *wire)
{
    for (unsigned i = 0; i < wire->ways; i++) {
        close(wire->way[i].socket);
        free(wire->way[i].came);
        free(wire->way[i].leaving);
    }
    close(wire->epoll);
    free(wire->way);
    free(wire);
}

const char *wire_name(const struct wire *wire, unsigned way)
{
    return wire->way[way].name;
}

uint64_t wire_unsent(const struct wire *wire)
{
    return wire->unsent;
}

bool wire_is_broken(const struct wire *wire)
{
    return wire->is_broken;
}

static void watch(struct wire *wire, unsigned number, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = number};
    epoll_ctl(wire->epoll, EPOLL_CTL_MOD, wire->way[number].socket, &event);
}

/* Keep what a connection did not take. */
static void keep(struct wire *wire, unsigned number, const char *data, size_t length)
{
    struct way *way = &wire->way[number];
    if (way->leaving_length + length > way->leaving_room) {
        way->leaving_room = 2 * (way->leaving_length + length);
        way->leaving = realloc(way->leaving, way->leaving_room);
        if (way->leaving == NULL)
            fail("realloc");
    }
    memcpy(way->leaving + way->leaving_length, data, length);
    way->leaving_length += length;
    watch(wire, number, EPOLLIN | EPOLLOUT);
}

void wire_send(struct wire *wire, unsigned number, const char *data, size_t length)
{
    struct way *way = &wire->way[number];
    if (way->leaving_length > 0) {
        keep(wire, number, data, length);
        return;
    }
    ssize_t sent = send(way->socket, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)length)
        return;
    if (!wire->is_tcp)
        wire->unsent++;
    else if (sent >= 0 || errno == EAGAIN)
        keep(wire, number, data + (sent > 0 ? sent : 0),
             length - (sent > 0 ? (size_t)sent : 0));
    else
        wire->is_broken = true;
}

static void send_kept(struct wire *wire, unsigned number)
{
    struct way *way = &wire->way[number];
    ssize_t sent = send(way->socket, way->leaving, way->leaving_length,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0)
        return;
    way->leaving_length -= (size_t)sent;
    memmove(way->leaving, way->leaving + sent, way->leaving_length);
    if (way->leaving_length == 0)
        watch(wire, number, EPOLLIN);
}

static void read_datagrams(struct wire *wire, unsigned number, wire_receive *receive,
                           void *context)
{
    static char data[LARGEST];
    for (int i = 0; i < AT_ONCE; i++) {
        ssize_t length =
            recv(wire->way[number].socket, data, sizeof data, MSG_DONTWAIT);
        if (length < 0)
            return; /* nothing more, or nobody listened to what was sent */
        receive(context, data, (size_t)length, number);
    }
}

static void read_stream(struct wire *wire, unsigned number, wire_receive *receive,
                        void *context)
{
    struct way *way = &wire->way[number];
    ssize_t length = recv(way->socket, way->came + way->came_length,
                          LARGEST - way->came_length, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        wire->is_broken = true;
        epoll_ctl(wire->epoll, EPOLL_CTL_DEL, way->socket, NULL);
        return;
    }
    way->came_length += (size_t)length;
    size_t read = 0;
    for (;;) {
        while (read < way->came_length && strchr("\r\n", way->came[read]) != NULL)
            read++; /* the answer to a keep-alive (RFC 5626 §4.4.1) */
        long whole = message_frame(way->came + read, way->came_length - read);
        if (whole < 0)
            wire->is_broken = true;
        if (whole <= 0)
            break;
        receive(context, way->came + read, (size_t)whole, number);
        read += (size_t)whole;
    }
    way->came_length -= read;
    memmove(way->came, way->came + read, way->came_length);
}

void wire_wait(struct wire *wire, int milliseconds, wire_receive *receive,
               void *context)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(wire->epoll, events, EVENTS, milliseconds);
    for (int i = 0; i < count; i++) {
        unsigned number = events[i].data.u32;
        if (events[i].events & EPOLLOUT)
            send_kept(wire, number);
        if (!(events[i].events & ~(uint32_t)EPOLLOUT))
            continue;
        if (wire->is_tcp)
            read_stream(wire, number, receive, context);
        else
            read_datagrams(wire, number, receive, context);
    }
}
