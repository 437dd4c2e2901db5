#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "usage: load [options] SCENARIO\n"
    "\n"
    "SCENARIO is one of publish-new, publish-modify, publish-refresh, subscribe,\n"
    "resubscribe, poll, fanout, changes, mixed, lives, tour, interleave, kill, call.\n"
    "\n"
    "  -s, --server HOST:PORT  where the server is                 [127.0.0.1:5060]\n"
    "      --behind HOST:PORT  where presentities speak to, if elsewhere\n"
    "  -t, --tcp               TCP instead of UDP\n"
    "  -c, --ways N            sockets or connections              [1; TCP: 16]\n"
    "  -d, --domain NAME       of all users                        [bench.test]\n"
    "  -p, --presentities N                                        [1000]\n"
    "  -w, --watchers N        subscriptions, over all presentities [1000]\n"
    "  -f, --window N          operations in flight                [32]\n"
    "  -r, --rate N            operations a second, however long they take\n"
    "  -T, --duration SECONDS  measured                            [3]\n"
    "  -n, --limit N           operations measured, at most\n"
    "  -W, --warmup SECONDS    of the same, before                 [0.5]\n"
    "      --timeout SECONDS   until an answer is lost             [10]\n"
    "      --drain SECONDS     until the last state is everywhere  [5]\n"
    "      --expires SECONDS   asked for                           [3600]\n"
    "      --linger SECONDS    lives are answered after their end  [0]\n"
    "  -a, --password WORD     of all users, for Digest\n"
    "  -b, --benotify          asked for by all watchers\n"
    "      --sync              waits for a line around what is measured\n";

enum { TIMEOUT = 256, DRAIN, SYNC, EXPIRES, LINGER, BEHIND };

static const struct option LONG[] = {
    {"server", required_argument, NULL, 's'},
    {"behind", required_argument, NULL, BEHIND},
    {"tcp", no_argument, NULL, 't'},
    {"ways", required_argument, NULL, 'c'},
    {"domain", required_argument, NULL, 'd'},
    {"presentities", required_argument, NULL, 'p'},
    {"watchers", required_argument, NULL, 'w'},
    {"window", required_argument, NULL, 'f'},
    {"rate", required_argument, NULL, 'r'},
    {"duration", required_argument, NULL, 'T'},
    {"limit", required_argument, NULL, 'n'},
    {"warmup", required_argument, NULL, 'W'},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"drain", required_argument, NULL, DRAIN},
    {"expires", required_argument, NULL, EXPIRES},
    {"linger", required_argument, NULL, LINGER},
    {"password", required_argument, NULL, 'a'},
    {"benotify", no_argument, NULL, 'b'},
    {"sync", no_argument, NULL, SYNC},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void complain(const char *what)
{
    fprintf(stderr, "load: %s\n%s", what, USAGE);
    exit(2);
}

static unsigned positive(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*end != '\0' || number == 0 || number > 10000000)
        complain("a number from 1 to 10000000 is wanted");
    return (unsigned)number;
}

static double seconds(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (*end != '\0' || number < 0)
        complain("a number that is not negative is wanted");
    return number;
}

static void take_server(const char **host, uint16_t *port, char *text)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL)
        complain("a server is HOST:PORT");
    *colon = '\0';
    *host = text;
    *port = (uint16_t)positive(colon + 1);
}

static void take(struct options *options, int letter, char *value)
{
    switch (letter) {
    case 's': take_server(&options->host, &options->port, value); break;
    case BEHIND: take_server(&options->behind, &options->behind_port, value); break;
    case 't': options->is_tcp = true; break;
    case 'c': options->ways = positive(value); break;
    case 'd': options->domain = value; break;
    case 'p': options->presentities = positive(value); break;
    case 'w': options->watchers = positive(value); break;
    case 'f': options->window = positive(value); break;
    case 'r': options->rate = seconds(value); break;
    case 'T': options->duration = seconds(value); break;
    case 'n': options->limit = positive(value); break;
    case 'W': options->warmup = seconds(value); break;
    case 'a': options->password = value; break;
    case 'b': options->is_benotify = true; break;
    case TIMEOUT: options->timeout = seconds(value); break;
    case DRAIN: options->drain = seconds(value); break;
    case EXPIRES: options->expires = positive(value); break;
    case LINGER: options->linger = seconds(value); break;
    case SYNC: options->is_synchronised = true; break;
    case 'h': fputs(USAGE, stdout); exit(0);
    default: complain("no such option");
    }
}

struct options options_read(int count, char **words)
{
    struct options options = {
        .host = "127.0.0.1",
        .port = 5060,
        .domain = "bench.test",
        .presentities = 1000,
        .watchers = 1000,
        .window = 32,
        .duration = 3,
        .warmup = 0.5,
        .timeout = 10,
        .drain = 5,
        .expires = 3600,
    };
    int letter;
    opterr = 0;
    while ((letter = getopt_long(count, words, "s:tc:d:p:w:f:r:T:n:W:a:bh", LONG,
                                 NULL)) != -1)
        take(&options, letter, optarg);
    if (optind != count - 1)
        complain("one scenario is wanted");
    options.scenario = words[optind];
    if (options.ways == 0)
        options.ways = options.is_tcp ? 16 : 1;
    return options;
}
