/*
 * Digest, as a user agent answers it (RFC 3261 §22.4, RFC 7616): MD5, quality "auth" or
 * none.  A nonce is kept and its count rises with every request until it is refused.
 */

#ifndef DIGEST_H
#define DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

struct digest {
    char realm[64];
    char nonce[96];
    char opaque[64];
    bool has_quality;
    uint32_t count;  /* of requests answered with this nonce; 0: no nonce yet */
    char secret[33]; /* the hash of user, realm and password */
};

/* Take a challenge; false when it cannot be answered. */
bool digest_take(struct digest *digest, struct slice challenge, const char *user,
                 const char *password);

/* Write the Authorization line of the next request; nothing before a challenge. */
void digest_write(struct digest *digest, struct writer *writer, const char *user,
                  const char *method, const char *uri);

#endif
