/*
 * Who acts: presentities that publish and watchers that subscribe, and the requests
 * they write.
 *
 * Every state a presentity publishes carries a number, one more each time, so that
 * whoever is told of a state knows whether it is old, missing or told twice.
 */

#ifndef ACTORS_H
#define ACTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "message.h"

struct presentity {
    bool is_busy;          /* with a PUBLISH, or a round of NOTIFYs */
    bool is_answered;      /* the PUBLISH of the round */
    bool is_watched_round; /* the round ends when all watchers have seen it */
    uint32_t sent;         /* number of the latest state sent */
    uint32_t accepted;     /* of the latest state answered 2xx */
    bool is_uncertain;     /* nobody will say what became of the latest PUBLISH */
    bool is_gone;          /* that one was removed, or has expired */
    int64_t lapses_at;     /* it is refreshed no more, and gone by then; 0: it is kept */
    uint32_t cseq;
    unsigned watchers; /* with a subscription that was answered */
    unsigned seen;     /* watchers that have seen `sent` */
    int64_t asked_at;  /* when the operation was due */
    int64_t sent_at;
    int64_t given_up_at;
    char entity_tag[96];
    struct digest digest;
};

struct subscription {
    unsigned presentity;
    unsigned use; /* dialogs this watcher had; part of the Call-ID */
    bool is_busy; /* with a SUBSCRIBE: not answered, or not notified yet */
    bool was_good; /* the SUBSCRIBE before: answered 2xx and notified */
    bool wants_answer;
    bool wants_notify;
    bool may_repeat;        /* a state told before: a SUBSCRIBE is answered with one */
    bool is_active;         /* told of every change */
    bool is_fetch;          /* of the state, once */
    bool has_seen;          /* any state */
    bool sees_none;         /* was told last that there is no state */
    int64_t lapses_at;      /* refreshed no more, and told of its end by then; or 0 */
    int64_t silent_until;   /* vanished, and answers nobody; or 0 */
    uint32_t seen;          /* number of the latest state seen */
    uint32_t shown;         /* of the one in the last NOTIFY by CSeq, old or new */
    uint32_t at_least;      /* what the NOTIFY to come must not be older than */
    uint32_t cseq;          /* of our requests */
    uint32_t notify_cseq;   /* the highest come; 0: none yet */
    uint32_t notify_branch; /* a hash of the branch of that one */
    uint64_t come;          /* bit n: the NOTIFY with CSeq notify_cseq - n came */
    int64_t asked_at;
    int64_t sent_at;
    int64_t given_up_at;
    char remote_tag[64];
    char target[128]; /* the server's Contact */
    struct digest digest;
};

/* What all requests of a run have in common. */
struct house {
    const char *domain;
    const char *password;  /* NULL: nobody has one */
    const char *transport; /* "UDP" or "TCP" */
    unsigned run;          /* part of every Call-ID and tag */
    unsigned expires;      /* asked for in every request */
    bool is_benotify;      /* asked for in every SUBSCRIBE */
};

enum body { WITH_STATE, WITHOUT_STATE };

/* Write a PUBLISH of the presentity's next state, or a refresh of the one it has. */
void write_publish(struct writer *writer, const struct house *house, unsigned number,
                   struct presentity *presentity, enum body body, unsigned expires,
                   const char *branch, const char *own);

/* Write a REGISTER of the presentity's one contact. */
void write_register(struct writer *writer, const struct house *house, unsigned number,
                    struct presentity *presentity, const char *branch, const char *own);

/* Write a SUBSCRIBE: in the dialog when there is one. */
void write_subscribe(struct writer *writer, const struct house *house, unsigned number,
                     struct subscription *subscription, unsigned expires,
                     const char *branch, const char *own);

/* The number of the subscription whose Call-ID this is, and which of its dialogs. */
bool subscription_of(const struct house *house, struct slice call_id, unsigned *number,
                     unsigned *use);

/* The least number of a state that whoever asks now may be told. */
uint32_t least_told(const struct presentity *presentity);

/* The number of the state in a presence document; false when it has none. */
bool state_number(struct slice document, uint32_t *number);

void presentity_user(char user[96], const struct house *house, unsigned number);
void watcher_user(char user[96], const struct house *house, unsigned number);

#endif
