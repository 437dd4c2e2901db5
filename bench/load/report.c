#include "report.h"

#include <inttypes.h>
#include <sys/resource.h>

static void write_statuses(FILE *file, const struct counters *counters)
{
    const char *comma = "";
    fputs("\"statuses\": {", file);
    for (int status = 0; status < STATUSES; status++) {
        if (counters->statuses[status] == 0)
            continue;
        fprintf(file, "%s\"%d\": %" PRIu64, comma, status, counters->statuses[status]);
        comma = ", ";
    }
    fputs("}", file);
}

/* Milliseconds. */
static void write_latency(FILE *file, const char *name,
                          const struct histogram *histogram)
{
    fprintf(file, "\"%s\": {\"count\": %" PRIu64, name, histogram->count);
    if (histogram->count > 0)
        fprintf(file, ", \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f",
                (double)histogram_at(histogram, 0.5) / 1e6,
                (double)histogram_at(histogram, 0.99) / 1e6,
                (double)histogram->largest / 1e6);
    fputs("}", file);
}

void report_write(FILE *file, const struct run *run)
{
    const struct result *result = &run->result;
    const struct counters *counters = &run->counters;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"operations", result->operations},
        {"failed", result->failed},
        {"refused", result->refused},
        {"notifies", result->notifies},
        {"retransmissions_sent", run->transactions.sent_again},
        {"retransmissions_received", counters->received_again},
        {"unsent", wire_unsent(run->wire)},
        {"stray_responses", counters->stray},
        {"unknown_notifies", counters->unknown},
        {"without_state", counters->without_state},
        {"unreadable", counters->unreadable},
        {"lost", counters->lost_answers + counters->lost_notifies},
        {"lost_answers", counters->lost_answers},
        {"lost_notifies", counters->lost_notifies},
        {"ended", counters->ended},
        {"stale", counters->stale},
        {"duplicates", counters->duplicates},
        {"out_of_order", counters->out_of_order},
        {"reused_cseq", counters->reused},
        {"gaps", counters->gaps},
        {"unasked", counters->unasked},
        {"astray", counters->astray},
        {"impossible", counters->impossible},
        {"wrong_final", counters->wrong_final},
        {"acknowledged_publications", counters->acknowledged_publications},
        {"acknowledged_subscriptions", counters->acknowledged_subscriptions},
        {"lost_publications", counters->lost_publications},
        {"lost_subscriptions", counters->lost_subscriptions},
    };
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);

    fprintf(file, "{\"scenario\": \"%s\", \"transport\": \"%s\", \"seconds\": %.6f, ",
            run->options.scenario, run->house.transport, (double)result->elapsed / 1e9);
    fprintf(file, "\"caught_up\": %.6f, ", (double)result->caught_up / 1e9);
    fprintf(file, "\"own_cpu\": %.6f, \"own_memory_kb\": %ld, ",
            (double)result->own_cpu / 1e9, usage.ru_maxrss);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fprintf(file, "\"%s\": %" PRIu64 ", ", numbers[i].name, numbers[i].value);
    write_statuses(file, counters);
    fputs(", \"latency\": {", file);
    write_latency(file, "operation", &result->answers);
    fputs(", ", file);
    write_latency(file, "notify", &result->told);
    fputs(", ", file);
    write_latency(file, "refused", &result->refusals);
    fputs("}}\n", file);
    fflush(file);
}
