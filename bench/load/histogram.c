#include "histogram.h"

#include <string.h>

/* Values below HISTOGRAM_STEPS have a bucket each; above, every doubling is cut into
 * HISTOGRAM_STEPS buckets of the same width. */
static unsigned bucket_of(int64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return value < 0 ? 0 : (unsigned)value;
    unsigned octave = 63u - (unsigned)__builtin_clzll((uint64_t)value) - 6u;
    unsigned step = (unsigned)(value >> octave) - HISTOGRAM_STEPS;
    unsigned bucket = (octave + 1) * HISTOGRAM_STEPS + step;
    unsigned last = HISTOGRAM_OCTAVES * HISTOGRAM_STEPS - 1;
    return bucket < last ? bucket : last;
}

static int64_t value_of(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    unsigned octave = bucket / HISTOGRAM_STEPS - 1;
    return (int64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << octave;
}

void histogram_add(struct histogram *histogram, int64_t nanoseconds)
{
    histogram->count++;
    histogram->buckets[bucket_of(nanoseconds)]++;
    if (nanoseconds > histogram->largest)
        histogram->largest = nanoseconds;
}

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

int64_t histogram_at(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share);
    uint64_t passed = 0;
    for (unsigned i = 0; i < HISTOGRAM_OCTAVES * HISTOGRAM_STEPS; i++) {
        passed += histogram->buckets[i];
        if (passed > wanted)
            return value_of(i);
    }
    return histogram->largest;
}
