#include "message.h"

#include <string.h>
#include <strings.h>

/* Where one line of the header belongs. */
struct field {
    const char *name;
    char compact; /* RFC 3261 §7.3.3; a NUL when it has none */
    size_t value; /* offset of its value in struct message, or NOWHERE */
    size_t line;  /* offset of its whole line, or NOWHERE */
};

#define NOWHERE ((size_t)-1)
#define AT(member) offsetof(struct message, member)

static const struct field FIELDS[] = {
    {"From", 'f', AT(from), AT(from_line)},
    {"To", 't', AT(to), AT(to_line)},
    {"Call-ID", 'i', AT(call_id), AT(call_id_line)},
    {"CSeq", 0, NOWHERE, AT(cseq_line)},
    {"Contact", 'm', AT(contact), NOWHERE},
    {"Content-Length", 'l', AT(content_length), NOWHERE},
    {"Expires", 0, AT(expires), NOWHERE},
    {"Event", 'o', AT(event), NOWHERE},
    {"Subscription-State", 0, AT(state), NOWHERE},
    {"SIP-ETag", 0, AT(entity_tag), NOWHERE},
    {"SIP-If-Match", 0, AT(if_match), NOWHERE},
    {"WWW-Authenticate", 0, AT(challenge), NOWHERE},
    {"Proxy-Authenticate", 0, AT(challenge), NOWHERE},
};

static bool has_name(struct slice name, const char *long_name, char compact)
{
    if (name.length == 1)
        return compact != 0 && (name.start[0] | 0x20) == compact;
    return name.length == strlen(long_name) &&
           strncasecmp(name.start, long_name, name.length) == 0;
}

static struct slice *slot(struct message *message, size_t offset)
{
    return (struct slice *)((char *)message + offset);
}

static void take_line(struct message *message, struct slice line)
{
    const char *colon = memchr(line.start, ':', line.length);
    if (colon == NULL)
        return;
    struct slice name =
        slice_trim((struct slice){line.start, (size_t)(colon - line.start)});
    struct slice rest = {colon + 1, (size_t)(line.start + line.length - colon - 1)};

    if (has_name(name, "Via", 'v')) {
        if (message->via_count == 0)
            message->branch = slice_parameter(rest, ";branch=");
        if (message->via_count < MESSAGE_VIAS)
            message->vias[message->via_count++] = line;
        return;
    }
    if (has_name(name, "Record-Route", 0)) {
        if (message->record_route_count < MESSAGE_ROUTES)
            message->record_routes[message->record_route_count++] = line;
        return;
    }
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        if (!has_name(name, FIELDS[i].name, FIELDS[i].compact))
            continue;
        if (FIELDS[i].value != NOWHERE)
            *slot(message, FIELDS[i].value) = slice_trim(rest);
        if (FIELDS[i].line != NOWHERE)
            *slot(message, FIELDS[i].line) = line;
        return;
    }
}

static bool take_first_line(struct message *message, struct slice line)
{
    if (line.length > 12 && memcmp(line.start, "SIP/2.0 ", 8) == 0) {
        message->status = (int)slice_number((struct slice){line.start + 8, 3});
        return message->status >= 100;
    }
    const char *space = memchr(line.start, ' ', line.length);
    if (space == NULL)
        return false;
    message->is_request = true;
    message->method = (struct slice){line.start, (size_t)(space - line.start)};
    const char *uri = space + 1;
    size_t left = (size_t)(line.start + line.length - uri);
    const char *end = memchr(uri, ' ', left);
    message->uri = (struct slice){uri, end == NULL ? 0 : (size_t)(end - uri)};
    return end != NULL;
}

static void take_cseq(struct message *message)
{
    struct slice line = message->cseq_line;
    const char *colon = memchr(line.start, ':', line.length);
    struct slice value = slice_trim(
        (struct slice){colon + 1, (size_t)(line.start + line.length - colon - 1)});
    message->cseq = slice_number(value);
    const char *space = memchr(value.start, ' ', value.length);
    if (!message->is_request && space != NULL)
        message->method = slice_trim(
            (struct slice){space, (size_t)(value.start + value.length - space)});
}

bool message_read(const char *data, size_t length, struct message *message)
{
    memset(message, 0, sizeof *message);
    const char *end = data + length;
    const char *line = data;
    while (line < end) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        if (feed == NULL)
            return false;
        struct slice whole = {line, (size_t)(feed + 1 - line)};
        if (line == data) {
            if (!take_first_line(message, slice_trim(whole)))
                return false;
        } else if (whole.length <= 2) {
            message->body = (struct slice){feed + 1, (size_t)(end - feed - 1)};
            break;
        } else {
            take_line(message, whole);
        }
        line = feed + 1;
    }
    if (message->cseq_line.length == 0 || message->call_id.length == 0 ||
        message->via_count == 0)
        return false;
    take_cseq(message);
    return true;
}

long message_frame(const char *data, size_t length)
{
    const char *end = memmem(data, length, "\r\n\r\n", 4);
    if (end == NULL)
        return length > 16384 ? -1 : 0;
    size_t head = (size_t)(end + 4 - data);
    struct message message;
    if (!message_read(data, head, &message) || message.content_length.length == 0)
        return -1;
    size_t whole = head + slice_number(message.content_length);
    return whole <= length ? (long)whole : 0;
}

void message_answer(struct writer *writer, const struct message *request, int status,
                    const char *reason, const char *to_tag, const char *fields)
{
    message_answer_with(writer, request, status, reason, to_tag, fields,
                        (struct slice){NULL, 0});
}

void message_answer_with(struct writer *writer, const struct message *request,
                         int status, const char *reason, const char *to_tag,
                         const char *fields, struct slice body)
{
    writer_add(writer, "SIP/2.0 %d %s\r\n", status, reason);
    for (size_t i = 0; i < request->via_count; i++)
        writer_put(writer, request->vias[i]);
    writer_put(writer, request->from_line);
    if (to_tag != NULL && slice_parameter(request->to, ";tag=").length == 0)
        writer_add(writer, "To: %.*s;tag=%s\r\n", (int)request->to.length,
                   request->to.start, to_tag);
    else
        writer_put(writer, request->to_line);
    writer_put(writer, request->call_id_line);
    writer_put(writer, request->cseq_line);
    writer_add(writer, "%sContent-Length: %zu\r\n\r\n", fields, body.length);
    if (body.length > 0)
        writer_put(writer, body);
}
