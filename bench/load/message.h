/*
 * Messages of SIP, as far as the load and the responder need them (RFC 3261 §7).
 *
 * A message points into the octets it was read from and owns nothing.
 */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { MESSAGE_VIAS = 8, MESSAGE_ROUTES = 8 };

struct message {
    bool is_request;
    int status;          /* of a response */
    struct slice method; /* of the request, or of the CSeq of a response */
    struct slice uri;    /* of a request */
    uint32_t cseq;
    struct slice branch; /* of the top Via */
    /* Whole lines, with their CRLF, to be copied into a response. */
    struct slice vias[MESSAGE_VIAS];
    size_t via_count;
    struct slice record_routes[MESSAGE_ROUTES];
    size_t record_route_count;
    struct slice from_line, to_line, call_id_line, cseq_line;
    /* Values. */
    struct slice from, to, call_id, contact, expires, event, state, entity_tag,
        if_match;
    struct slice challenge; /* WWW-Authenticate or Proxy-Authenticate */
    struct slice content_length;
    struct slice body;
};

/* Read one message; false when `data` is none. */
bool message_read(const char *data, size_t length, struct message *message);

/* The number of octets of the first whole message in a stream; 0 when it is not all
 * there yet, -1 when the stream cannot be read on. */
long message_frame(const char *data, size_t length);

/* Write the response `status` to `request`.  `to_tag` is added to a To without a tag
 * when not NULL; `fields` are whole lines, or "". */
void message_answer(struct writer *writer, const struct message *request, int status,
                    const char *reason, const char *to_tag, const char *fields);
void message_answer_with(struct writer *writer, const struct message *request,
                         int status, const char *reason, const char *to_tag,
                         const char *fields, struct slice body);

#endif
