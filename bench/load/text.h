/* Pieces of text that belong to somebody else, and a bounded place to write into. */

#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of octets inside a buffer, not ended by a NUL. */
struct slice {
    const char *start;
    size_t length;
};

struct slice slice_of(const char *text);
bool slice_is(struct slice slice, const char *text);
bool slice_begins(struct slice slice, const char *text);
struct slice slice_trim(struct slice slice);

/* The decimal number `slice` begins with; 0 when it begins with none. */
uint32_t slice_number(struct slice slice);

/* Where `needle` begins in `slice`; NULL when nowhere. */
const char *slice_find(struct slice slice, const char *needle);

/* The value of the parameter `name` (as in ";branch=") of a header field; empty when
 * there is none. */
struct slice slice_parameter(struct slice field, const char *name);

/* What stands between the first `open` and the next `close`; empty when nothing does.
 */
struct slice slice_inside(struct slice slice, char open, char close);

/* Copy into `room` octets at `target`, cut if need be, and end with a NUL. */
void slice_copy(struct slice slice, char *target, size_t room);

/* Written to by `writer_add`; what does not fit is cut off and `overflown` is set. */
struct writer {
    char *start;
    size_t used;
    size_t room;
    bool overflown;
};

struct writer writer_into(char *start, size_t room);
void writer_add(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void writer_put(struct writer *writer, struct slice slice);

#endif
