/*
 * A load for SIP presence servers, which checks all that it is told.
 *
 * One thread, one epoll.  The result is one line of JSON on stdout; the exit status is
 * 0 when the run came to its end, whatever was counted.
 */

#include <stdio.h>

#include "options.h"
#include "report.h"
#include "scenario.h"

int main(int count, char **words)
{
    struct options options = options_read(count, words);
    const struct scenario *scenario = scenario_find(options.scenario);
    if (scenario == NULL) {
        fprintf(stderr, "load: there is no scenario %s; see --help\n",
                options.scenario);
        return 2;
    }
    static struct run run;
    run_make(&run, &options);
    scenario_play(scenario, &run);
    report_write(stdout, &run);
    return 0;
}
