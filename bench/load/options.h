/* What the load is asked to do, on its command line. */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *scenario;
    const char *host;
    uint16_t port;
    const char *behind; /* where presentities are, if at another server; or NULL */
    uint16_t behind_port;
    bool is_tcp;
    unsigned ways;      /* sockets or connections */
    const char *domain; /* of every user */
    unsigned presentities;
    unsigned watchers;    /* subscriptions, spread over the presentities */
    unsigned window;      /* operations in flight, of a closed loop */
    double rate;          /* operations a second, of an open loop; 0: closed */
    double duration;      /* seconds measured */
    uint64_t limit;       /* operations measured; 0: no limit */
    double warmup;        /* seconds of the same before */
    double timeout;       /* seconds until an answer or a NOTIFY is lost */
    double drain;         /* seconds the last state may take to reach everybody */
    unsigned expires;     /* seconds asked for */
    double linger;        /* seconds lives are answered after their end */
    const char *password; /* of every user, to answer a 401 with; NULL: none */
    bool is_benotify;     /* watchers ask for it, and answer none */
    bool is_synchronised; /* waits for a line on stdin around what is measured */
};

/* Read the command line; prints what is wrong with it and exits 2. */
struct options options_read(int count, char **words);

#endif
