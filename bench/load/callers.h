/*
 * Who calls and who is called, and the messages they write (RFC 3261 §13 to §15).
 *
 * Watchers call presentities.  Both ends of a call are ours, so one place knows what each
 * of them has said and heard.
 */

#ifndef CALLERS_H
#define CALLERS_H

#include <stdbool.h>
#include <stdint.h>

#include "actors.h"
#include "message.h"
#include "transaction.h"

enum { ROUTES_ROOM = 1536 };

struct call {
    unsigned presentity; /* who is called */
    unsigned use;        /* calls of this caller; part of the Call-ID */
    bool is_busy;
    int64_t asked_at;
    /* What the caller knows. */
    bool has_rung;
    bool is_accepted;
    char remote_tag[64];
    char target[192];
    char routes[ROUTES_ROOM]; /* lines of Route, as they are in his requests */
    /* What the callee knows. */
    bool is_invited, is_acknowledged;
    char branch[96];               /* of the INVITE */
    struct transaction *accepting; /* the 200 until it is acknowledged, or NULL */
};

/* The session that a caller offers, and that is accepted. */
void write_session(struct writer *writer, unsigned number, const struct call *call);

void write_invite(struct writer *writer, const struct house *house, unsigned number,
                  const struct call *call, const char *branch, const char *own);

/* Write what a caller says within the dialog: "ACK" or "BYE". */
void write_within(struct writer *writer, const struct house *house, unsigned number,
                  const struct call *call, const char *method, const char *branch,
                  const char *own);

/* Write the ACK to a refusal, which goes by the branch of the INVITE (RFC 3261
 * §17.1.1.3). */
void write_refused(struct writer *writer, const struct house *house, unsigned number,
                   const struct call *call, const struct message *refusal,
                   const char *own);

/* Write the callee's 180 or 200. */
void write_answer(struct writer *writer, const struct message *invite, unsigned number,
                  const struct call *call, int status, const char *contact);

/* Keep who answered, and the way to him: what a 2xx says (RFC 3261 §12.1.2). */
void take_dialog(struct call *call, const struct message *response);

/* The Contact of a presentity, and what its address begins with. */
void presentity_contact(char contact[160], const struct house *house, unsigned number,
                        const char *own);

/* The tag of a callee. */
void callee_tag(char tag[32], unsigned number, const struct call *call);

/* The number of the caller whose Call-ID this is, and which of his calls. */
bool call_of(const struct house *house, struct slice call_id, unsigned *number,
             unsigned *use);

#endif
