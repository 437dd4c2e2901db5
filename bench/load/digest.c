#include "digest.h"

#include <stdio.h>
#include <string.h>

#include "md5.h"

static const char CNONCE[] = "0a4f113b";

static void hash(char hex[33], const char *text)
{
    md5_hex(text, strlen(text), hex);
}

/* The value of a directive, without its quotes. */
static struct slice directive(struct slice challenge, const char *name)
{
    struct slice rest = challenge;
    size_t length = strlen(name);
    for (;;) {
        const char *found = slice_find(rest, name);
        if (found == NULL)
            return (struct slice){challenge.start, 0};
        const char *value = found + length;
        rest = (struct slice){value, (size_t)(rest.start + rest.length - value)};
        /* "nonce=" is the end of "cnonce=", too. */
        if (found == challenge.start || strchr(" ,\t", found[-1]) != NULL)
            break;
    }
    if (rest.length > 0 && rest.start[0] == '"') {
        const char *end = memchr(rest.start + 1, '"', rest.length - 1);
        size_t inside = end == NULL ? 0 : (size_t)(end - rest.start - 1);
        return (struct slice){rest.start + 1, inside};
    }
    size_t end = 0;
    while (end < rest.length && strchr(", \t\r\n", rest.start[end]) == NULL)
        end++;
    return (struct slice){rest.start, end};
}

bool digest_take(struct digest *digest, struct slice challenge, const char *user,
                 const char *password)
{
    struct slice algorithm = directive(challenge, "algorithm=");
    struct slice nonce = directive(challenge, "nonce=");
    if (nonce.length == 0 || nonce.length >= sizeof digest->nonce ||
        (algorithm.length > 0 && !slice_is(algorithm, "MD5")))
        return false;
    slice_copy(nonce, digest->nonce, sizeof digest->nonce);
    slice_copy(directive(challenge, "realm="), digest->realm, sizeof digest->realm);
    slice_copy(directive(challenge, "opaque="), digest->opaque, sizeof digest->opaque);
    digest->has_quality = directive(challenge, "qop=").length > 0;
    digest->count = 1;

    char text[256];
    snprintf(text, sizeof text, "%s:%s:%s", user, digest->realm, password);
    hash(digest->secret, text);
    return true;
}

static void respond(const struct digest *digest, const char *method, const char *uri,
                    char response[33])
{
    char text[512], request[33];
    snprintf(text, sizeof text, "%s:%s", method, uri);
    hash(request, text);
    if (digest->has_quality)
        snprintf(text, sizeof text, "%s:%s:%08x:%s:auth:%s", digest->secret,
                 digest->nonce, digest->count, CNONCE, request);
    else
        snprintf(text, sizeof text, "%s:%s:%s", digest->secret, digest->nonce, request);
    hash(response, text);
}

void digest_write(struct digest *digest, struct writer *writer, const char *user,
                  const char *method, const char *uri)
{
    if (digest->count == 0)
        return;
    char response[33];
    respond(digest, method, uri, response);
    writer_add(writer,
               "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", "
               "uri=\"%s\", response=\"%s\", algorithm=MD5",
               user, digest->realm, digest->nonce, uri, response);
    if (digest->has_quality)
        writer_add(writer, ", qop=auth, nc=%08x, cnonce=\"%s\"", digest->count, CNONCE);
    if (digest->opaque[0] != '\0')
        writer_add(writer, ", opaque=\"%s\"", digest->opaque);
    writer_add(writer, "\r\n");
    digest->count++;
}
