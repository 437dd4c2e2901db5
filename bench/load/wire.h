/*
 * The ways to the server: sockets of UDP or connections of TCP, to one address or two.
 *
 * Nothing here waits but `wire_wait`.  A datagram the system does not take is lost and
 * counted; octets a connection does not take are kept until it does.
 */

#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire;

/* Called with each whole message and the number of the way it came. */
typedef void wire_receive(void *context, const char *data, size_t length, unsigned way);

/* A server, and how many ways lead there. */
struct end {
    const char *host;
    uint16_t port;
    unsigned ways;
};

/* The ways to each end are numbered after those to the one before. */
struct wire *wire_open(const struct end *ends, unsigned count, bool is_tcp);
void wire_close(struct wire *wire);

void wire_send(struct wire *wire, unsigned way, const char *data, size_t length);

/* Wait for up to `milliseconds`, and hand over all that has come. */
void wire_wait(struct wire *wire, int milliseconds, wire_receive *receive,
               void *context);

/* Our own address and port on `way`, as in "127.0.0.1:40001". */
const char *wire_name(const struct wire *wire, unsigned way);

uint64_t wire_unsent(const struct wire *wire);
bool wire_is_broken(const struct wire *wire);

#endif
