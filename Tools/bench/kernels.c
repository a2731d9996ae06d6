// SPDX-License-Identifier: Apache-2.0
//
// The matrix products alone: bytes of weights a second by number of rows, from memory and from the caches, and what
// the rows cost in units of one. What the engine adds to them, and what the machine would allow, shows beside
// `tandem bench`. Built and run by Tools/bench/kernels.

#define _GNU_SOURCE
#include "tk_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { matrices = 24, outputs = 8192, max_rows = 64, samples = 9, max_tests = 16 };

static tk_qgemm work_list[matrices];
static size_t panels, panels_per_item = 16, cached_panels;
static void (*product)(const tk_qgemm *, size_t, size_t);
static void (*interleave)(const tk_qgemm *, void *);
static void *interleaved;
static atomic_size_t next_item;
static pthread_barrier_t barrier;
static atomic_int stopping;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Items of all matrices, or as many of the first panels of the first one, until none is left.
static void take_items(void) {
    const size_t per_matrix = panels / panels_per_item;
    for (;;) {
        const size_t item = atomic_fetch_add(&next_item, 1);
        if (item >= per_matrix * matrices) return;
        if (cached_panels > 0) {
            for (size_t done = 0; done < panels_per_item; done += cached_panels) {
                product(&work_list[0], 0, cached_panels);
            }
        } else {
            const size_t first = item % per_matrix * panels_per_item;
            product(&work_list[item / per_matrix], first, first + panels_per_item);
        }
    }
}

static void *worker(void *unused) {
    for (;;) {
        pthread_barrier_wait(&barrier);
        if (atomic_load(&stopping)) return unused;
        take_items();
        pthread_barrier_wait(&barrier);
    }
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Medians in seconds of every row count, measured in turn.
static void measure(const size_t *rows, int tests, double *median) {
    static double times[max_tests][samples];
    for (int sample = 0; sample < samples; sample++) {
        for (int test = 0; test < tests; test++) {
            for (int m = 0; m < matrices; m++) {
                work_list[m].rows = rows[test];
                work_list[m].interleaved = interleave ? interleaved : NULL;
            }
            // All matrices have the same activations.
            if (interleave) interleave(&work_list[0], interleaved);
            atomic_store(&next_item, 0);
            const double start = seconds();
            pthread_barrier_wait(&barrier);
            take_items();
            pthread_barrier_wait(&barrier);
            times[test][sample] = seconds() - start;
        }
    }
    for (int test = 0; test < tests; test++) {
        qsort(times[test], samples, sizeof(double), ascending);
        median[test] = times[test][samples / 2];
    }
}

static int fail(const char *what) {
    fprintf(stderr, "kernels: %s\n", what);
    return 2;
}

int main(int argc, char **argv) {
    if (argc != 5) return fail("usage: kernels int8|int4|int4z TABLE COLUMNS THREADS");
    const char *const names[] = {"int8", "int4", "int4z"};
    int kind = 0;
    while (kind < 3 && strcmp(argv[1], names[kind]) != 0) kind++;
    const size_t columns = strtoul(argv[3], NULL, 10), threads = strtoul(argv[4], NULL, 10);
    if (kind == 3) return fail("the first argument is int8, int4 or int4z");
    if (columns < 64 || columns % 64 != 0 || columns > 8192) return fail("columns: a multiple of 64, at most 8192");
    if (threads < 1 || threads > 64) return fail("threads: 1 ... 64");

    const tk_kernels *table = tk_isa_named(argv[2]);
    if (!table) return fail("this machine has no such instruction set (see tandem bench --isa-list)");
    product = kind == 0 ? table->gemm_i8 : kind == 1 ? table->gemm_i4 : table->gemm_i4z;

    interleave = kind == 0 ? table->interleave : NULL;

    const size_t group = kind == 0 ? 64 : 32, stride = columns + 64, groups = columns / group;
    panels = outputs / 16;
    const size_t weights = panels * columns * (kind == 0 ? 16 : 8);
    const size_t scales = panels * (groups * 32 + (kind == 2 ? TK_I4Z_FACTORS : 0));
    const size_t bytes = (weights + scales) * matrices;
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int8_t *q = aligned_alloc(64, max_rows * stride);
    float *factors = aligned_alloc(64, max_rows * groups * sizeof(float));
    int32_t *sums = aligned_alloc(64, max_rows * groups * sizeof(int32_t));
    float *y = aligned_alloc(64, max_rows * outputs * sizeof(float));
    interleaved = aligned_alloc(64, tk_interleaved_bytes(16, columns, group));
    if (memory == MAP_FAILED || !q || !factors || !sums || !y || !interleaved) return fail("not enough memory");
    for (size_t i = 0; i < bytes; i += 8) {
        // Any bits are weights; as halves these are small scales.
        const uint64_t bits = i * 0x1e3779b97f4a7c15u & 0x2f2f2f2f2f2f2f2fu;
        memcpy(memory + i, &bits, sizeof bits);
    }
    for (size_t i = 0; i < max_rows * stride; i++) q[i] = (int8_t)((i * 2654435761u >> 13) % 255 - 127);
    for (size_t i = 0; i < max_rows * groups; i++) factors[i] = 0.01f, sums[i] = 5;
    for (int m = 0; m < matrices; m++) {
        uint8_t *const w = memory + (weights + scales) * (size_t)m;
        work_list[m] = (tk_qgemm){q, stride, factors, sums, groups, 1, w, w + weights, columns, group, group, y, outputs, NULL};
    }

    pthread_t workers[64];
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (size_t t = 1; t < threads; t++) {
        if (pthread_create(&workers[t], NULL, worker, NULL) != 0) return fail("no more threads");
    }
    const size_t rows[] = {1, 2, 4, 8, 9, 12, 13, 16, 32, 64};
    const int tests = sizeof rows / sizeof *rows;
    double from_memory[max_tests], from_cache[max_tests];
    measure(rows, tests, from_memory);
    // As many panels as half a megabyte of second-level cache holds, and all items of one size.
    cached_panels = panels_per_item;
    while (cached_panels > 2 && cached_panels * columns * (kind == 0 ? 16 : 8) > 512 * 1024) cached_panels /= 2;
    measure(rows, tests, from_cache);
    atomic_store(&stopping, 1);
    pthread_barrier_wait(&barrier);
    for (size_t t = 1; t < threads; t++) pthread_join(workers[t], NULL);

    printf("%s, %s, %d matrices of %d x %zu, %zu threads, medians of %d\n\n", argv[1], argv[2], matrices, outputs, columns,
           threads, samples);
    printf("| rows | from memory, GB/s | cost in single rows | from the caches, GB/s |\n|---:|---:|---:|---:|\n");
    for (int test = 0; test < tests; test++) {
        printf("| %zu | %.1f | %.2f | %.1f |\n", rows[test], (double)bytes / from_memory[test] / 1e9,
               from_memory[test] / from_memory[0], (double)bytes / from_cache[test] / 1e9);
    }
    return 0;
}
