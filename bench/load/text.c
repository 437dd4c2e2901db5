#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

bool slice_is(struct slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.start, text, slice.length) == 0;
}

bool slice_begins(struct slice slice, const char *text)
{
    size_t length = strlen(text);
    return slice.length >= length && memcmp(slice.start, text, length) == 0;
}

struct slice slice_trim(struct slice slice)
{
    while (slice.length > 0 && isspace((unsigned char)slice.start[0])) {
        slice.start++;
        slice.length--;
    }
    while (slice.length > 0 && isspace((unsigned char)slice.start[slice.length - 1]))
        slice.length--;
    return slice;
}

uint32_t slice_number(struct slice slice)
{
    uint32_t number = 0;
    for (size_t i = 0; i < slice.length && isdigit((unsigned char)slice.start[i]); i++)
        number = number * 10 + (uint32_t)(slice.start[i] - '0');
    return number;
}

const char *slice_find(struct slice slice, const char *needle)
{
    return memmem(slice.start, slice.length, needle, strlen(needle));
}

struct slice slice_parameter(struct slice field, const char *name)
{
    const char *found = slice_find(field, name);
    if (found == NULL)
        return (struct slice){field.start, 0};
    found += strlen(name);
    struct slice value = {found, (size_t)(field.start + field.length - found)};
    size_t length = 0;
    while (length < value.length && strchr(";,> \t\r\n", value.start[length]) == NULL)
        length++;
    value.length = length;
    return value;
}

struct slice slice_inside(struct slice slice, char open, char close)
{
    struct slice nothing = {slice.start, 0};
    const char *begin =
        slice.length == 0 ? NULL : memchr(slice.start, open, slice.length);
    if (begin == NULL)
        return nothing;
    begin++;
    const char *end =
        memchr(begin, close, (size_t)(slice.start + slice.length - begin));
    return end == NULL ? nothing : (struct slice){begin, (size_t)(end - begin)};
}

void slice_copy(struct slice slice, char *target, size_t room)
{
    size_t length = slice.length < room ? slice.length : room - 1;
    memcpy(target, slice.start, length);
    target[length] = '\0';
}

struct writer writer_into(char *start, size_t room)
{
    return (struct writer){start, 0, room, false};
}

void writer_add(struct writer *writer, const char *format, ...)
{
    size_t left = writer->room - writer->used;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(writer->start + writer->used, left, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= left) {
        writer->overflown = true;
        return;
    }
    writer->used += (size_t)length;
}

void writer_put(struct writer *writer, struct slice slice)
{
    if (slice.length >= writer->room - writer->used) {
        writer->overflown = true;
        return;
    }
    memcpy(writer->start + writer->used, slice.start, slice.length);
    writer->used += slice.length;
}
