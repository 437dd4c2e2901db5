/* The result of a run, as one line of JSON. */

#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include "run.h"

void report_write(FILE *file, const struct run *run);

#endif
