/* How long things took: counts in buckets that grow with the value, 1.6 % wide. */

#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_OCTAVES = 40 };

struct histogram {
    uint64_t count;
    int64_t largest;
    uint64_t buckets[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
};

void histogram_add(struct histogram *histogram, int64_t nanoseconds);
void histogram_clear(struct histogram *histogram);

/* The value that `share` (0 to 1) of all values do not exceed, in nanoseconds. */
int64_t histogram_at(const struct histogram *histogram, double share);

#endif
