/* What a bare C program on libmodbus reads from the same servers: one thread and one request in flight per server.
 * cc -O2 libmodbus_loop.c -lmodbus -lpthread; arguments: seconds, registers per read, ports.
 * Prints: reads, seconds of processor time. */
#include <errno.h>
#include <modbus/modbus.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define THREADS_MAX 64

static int registers;
static double until;

struct work {
    int port;
    long reads;
    int failed;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void *loop(void *given)
{
    struct work *work = given;
    uint16_t words[MODBUS_MAX_READ_REGISTERS];
    modbus_t *link = modbus_new_tcp("127.0.0.1", work->port);
    if (link == NULL || modbus_set_slave(link, 1) != 0 || modbus_connect(link) != 0) {
        work->failed = 1;
        return NULL;
    }
    while (seconds() < until) {
        for (int again = 0; again < 32; again++) {
            if (modbus_read_registers(link, 0, registers, words) != registers) {
                work->failed = 1;
                return NULL;
            }
            work->reads++;
        }
    }
    modbus_close(link);
    modbus_free(link);
    return NULL;
}

int main(int count, char **args)
{
    static struct work works[THREADS_MAX];
    static pthread_t threads[THREADS_MAX];
    int servers = count - 3;
    if (servers < 1 || servers > THREADS_MAX) {
        fprintf(stderr, "usage: libmodbus_loop SECONDS REGISTERS PORT...\n");
        return 2;
    }
    until = seconds() + atof(args[1]);
    registers = atoi(args[2]);
    for (int at = 0; at < servers; at++) {
        works[at].port = atoi(args[3 + at]);
        pthread_create(&threads[at], NULL, loop, &works[at]);
    }
    long reads = 0;
    for (int at = 0; at < servers; at++) {
        pthread_join(threads[at], NULL);
        if (works[at].failed) {
            fprintf(stderr, "port %d: %s\n", works[at].port, modbus_strerror(errno));
            return 1;
        }
        reads += works[at].reads;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("%ld %.6f\n", reads, cpu);
    return 0;
}
