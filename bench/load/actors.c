#include "actors.h"

#include <stdio.h>
#include <string.h>

/* What stands before the number of a state, in a note of the document. */
static const char MARK[] = "state number ";

void presentity_user(char user[96], const struct house *house, unsigned number)
{
    (void)house;
    snprintf(user, 96, "p%u", number);
}

void watcher_user(char user[96], const struct house *house, unsigned number)
{
    (void)house;
    snprintf(user, 96, "w%u", number);
}

/* A document such as a phone publishes: one tuple, one person with an activity. */
static size_t write_document(char *body, size_t room, const struct house *house,
                             unsigned presentity, uint32_t number)
{
    bool is_away = number % 2;
    int length = snprintf(
        body, room,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\""
        " xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\""
        " xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\""
        " entity=\"sip:p%u@%s\">\n"
        "<tuple id=\"t%u\"><status><basic>open</basic></status>"
        "<contact priority=\"0.8\">sip:p%u@%s</contact>"
        "<note>%s%u</note></tuple>\n"
        "<dm:person "
        "id=\"d%u\"><rpid:activities><rpid:%s/></rpid:activities></dm:person>\n"
        "</presence>\n",
        presentity, house->domain, presentity, presentity, house->domain, MARK, number,
        presentity, is_away ? "away" : "on-the-phone");
    return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

uint32_t least_told(const struct presentity *presentity)
{
    return presentity->accepted + presentity->is_gone;
}

bool state_number(struct slice document, uint32_t *number)
{
    const char *found = slice_find(document, MARK);
    if (found == NULL)
        return false;
    found += sizeof MARK - 1;
    *number = slice_number(
        (struct slice){found, (size_t)(document.start + document.length - found)});
    return true;
}

void write_publish(struct writer *writer, const struct house *house, unsigned number,
                   struct presentity *presentity, enum body body, unsigned expires,
                   const char *branch, const char *own)
{
    char document[1024], uri[160], user[96];
    size_t length = 0;
    if (body == WITH_STATE)
        length =
            write_document(document, sizeof document, house, number, presentity->sent);
    presentity_user(user, house, number);
    snprintf(uri, sizeof uri, "sip:%s@%s", user, house->domain);

    writer_add(writer,
               "PUBLISH %s SIP/2.0\r\n"
               "Via: SIP/2.0/%s %s;rport;branch=%s\r\n"
               "Max-Forwards: 70\r\n"
               "From: <%s>;tag=p%u-%x\r\n"
               "To: <%s>\r\n"
               "Call-ID: p%u-%x@load\r\n"
               "CSeq: %u PUBLISH\r\n"
               "Event: presence\r\n"
               "Expires: %u\r\n"
               "User-Agent: presproxy bench\r\n",
               uri, house->transport, own, branch, uri, number, house->run, uri, number,
               house->run, ++presentity->cseq, expires);
    if (presentity->entity_tag[0] != '\0')
        writer_add(writer, "SIP-If-Match: %s\r\n", presentity->entity_tag);
    digest_write(&presentity->digest, writer, user, "PUBLISH", uri);
    if (length > 0)
        writer_add(writer, "Content-Type: application/pidf+xml\r\n");
    writer_add(writer, "Content-Length: %zu\r\n\r\n", length);
    writer_put(writer, (struct slice){document, length});
}

void write_register(struct writer *writer, const struct house *house, unsigned number,
                    struct presentity *presentity, const char *branch, const char *own)
{
    char user[96];
    presentity_user(user, house, number);
    writer_add(writer,
               "REGISTER sip:%s SIP/2.0\r\n"
               "Via: SIP/2.0/%s %s;rport;branch=%s\r\n"
               "Max-Forwards: 70\r\n"
               "From: <sip:%s@%s>;tag=r%u-%x\r\n"
               "To: <sip:%s@%s>\r\n"
               "Call-ID: r%u-%x@load\r\n"
               "CSeq: %u REGISTER\r\n"
               "Contact: <sip:%s@%s%s>\r\n"
               "Expires: %u\r\n"
               "User-Agent: presproxy bench\r\n"
               "Content-Length: 0\r\n\r\n",
               house->domain, house->transport, own, branch, user, house->domain,
               number, house->run, user, house->domain, number, house->run,
               ++presentity->cseq, user, own,
               house->transport[0] == 'T' ? ";transport=tcp" : "", house->expires);
}

void write_subscribe(struct writer *writer, const struct house *house, unsigned number,
                     struct subscription *subscription, unsigned expires,
                     const char *branch, const char *own)
{
    char user[96], uri[160];
    bool is_in_dialog = subscription->remote_tag[0] != '\0';
    watcher_user(user, house, number);
    snprintf(uri, sizeof uri, "sip:p%u@%s", subscription->presentity, house->domain);
    const char *target = is_in_dialog ? subscription->target : uri;

    writer_add(writer,
               "SUBSCRIBE %s SIP/2.0\r\n"
               "Via: SIP/2.0/%s %s;rport;branch=%s\r\n"
               "Max-Forwards: 70\r\n"
               "From: <sip:%s@%s>;tag=w%u.%u-%x\r\n"
               "To: <%s>%s%s\r\n"
               "Call-ID: w%u.%u-%x@load\r\n"
               "CSeq: %u SUBSCRIBE\r\n"
               "Contact: <sip:%s@%s%s>\r\n"
               "Event: presence\r\n"
               "%s"
               "Accept: application/pidf+xml\r\n"
               "Expires: %u\r\n"
               "User-Agent: presproxy bench\r\n",
               target, house->transport, own, branch, user, house->domain, number,
               subscription->use, house->run, uri, is_in_dialog ? ";tag=" : "",
               subscription->remote_tag, number, subscription->use, house->run,
               ++subscription->cseq, user, own,
               house->transport[0] == 'T' ? ";transport=tcp" : "",
               house->is_benotify ? "Supported: ms-benotify\r\n" : "", expires);
    digest_write(&subscription->digest, writer, user, "SUBSCRIBE", target);
    writer_add(writer, "Content-Length: 0\r\n\r\n");
}

bool subscription_of(const struct house *house, struct slice call_id, unsigned *number,
                     unsigned *use)
{
    char text[64];
    unsigned run;
    slice_copy(call_id, text, sizeof text);
    return sscanf(text, "w%u.%u-%x@load", number, use, &run) == 3 && run == house->run;
}
