// SPDX-License-Identifier: Apache-2.0
//
// Generates text with the C interface of Tandem.
//
//     c-generate MODEL PROMPT [MAX_TOKENS]
//
// The text goes to standard output as it is made, figures to standard error at the end. Ctrl-C ends the text and still
// prints the figures; a second one ends the program.

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tandem.h"

static atomic_bool interrupted;
static _Atomic(tandem_session *) running;

// The library has no signal handlers and its threads block all signals, so the program decides: SIGINT is blocked
// everywhere, and this thread alone waits for it. It may call the library, which a signal handler may not.
static void *wait_for_interrupt(void *signals) {
    int received;
    while (sigwait(signals, &received) == 0) {
        if (atomic_exchange(&interrupted, true)) _exit(130);
        // May come before the generation has started: print_text looks at `interrupted` too.
        tandem_session_cancel(atomic_load(&running));
    }
    return NULL;
}

static void catch_interrupt(void) {
    static sigset_t signals;
    pthread_t thread;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&thread, NULL, wait_for_interrupt, &signals) == 0) {
        pthread_detach(thread);
    } else {
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    }
}

static int32_t print_text(void *user_data, const char *text, size_t length) {
    (void)user_data;
    if (fwrite(text, 1, length, stdout) != length || fflush(stdout) != 0) return 1;
    return atomic_load(&interrupted);
}

static const char *finish_name(int32_t reason) {
    switch (reason) {
    case TANDEM_FINISH_STOP: return "stop";
    case TANDEM_FINISH_LENGTH: return "length";
    case TANDEM_FINISH_CANCELLED: return "cancelled";
    default: return "unknown";
    }
}

static void print_figures(const tandem_result *result) {
    fprintf(stderr, "%s after %lld tokens: prompt %lld tokens (%.1f tokens/s), generation %.1f tokens/s\n",
            finish_name(result->finish_reason), (long long)result->completion_tokens,
            (long long)result->prompt_tokens, result->prompt_per_second, result->predicted_per_second);
    fprintf(stderr, "%lld primary passes, %lld tokens drafted, %lld accepted\n", (long long)result->primary_passes,
            (long long)result->drafted_tokens, (long long)result->accepted_tokens);
}

// Returns the exit status.
static int generate(const tandem_model *model, const char *prompt, int32_t max_tokens) {
    char error[512];
    tandem_session *session = NULL;
    int32_t status = tandem_session_create(model, NULL, &session);
    if (status != TANDEM_OK) {
        tandem_model_last_error(model, error, sizeof error);
        fprintf(stderr, "c-generate: %s: %s\n", tandem_status_text(status), error);
        return 1;
    }
    atomic_store(&running, session);

    tandem_generate_options options = TANDEM_GENERATE_OPTIONS_INIT;
    options.max_tokens = max_tokens;
    options.temperature = 0.8f;
    options.top_p = 0.95f;
    options.seed = 1;
    tandem_result result = TANDEM_RESULT_INIT;
    fputs(prompt, stdout);
    status = tandem_generate(session, prompt, TANDEM_C_STRING, &options, print_text, NULL, &result);
    fputc('\n', stdout);
    fflush(stdout);
    if (status == TANDEM_OK) {
        print_figures(&result);
    } else {
        tandem_session_last_error(session, error, sizeof error);
        fprintf(stderr, "c-generate: %s: %s\n", tandem_status_text(status), error);
    }
    // A late Ctrl-C finds a freed handle, which the library recognises.
    tandem_session_free(session);
    return status == TANDEM_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: c-generate MODEL PROMPT [MAX_TOKENS]\n");
        return 2;
    }
    long max_tokens = 200;
    if (argc == 4) {
        char *end = NULL;
        errno = 0;
        max_tokens = strtol(argv[3], &end, 10);
        if (errno != 0 || end == argv[3] || *end != '\0' || max_tokens < 1 || max_tokens > INT32_MAX) {
            fprintf(stderr, "c-generate: MAX_TOKENS is '%s', but must be a number from 1\n", argv[3]);
            return 2;
        }
    }
    if (tandem_abi_version() != TANDEM_ABI_VERSION) {
        fprintf(stderr, "c-generate: made for version %d of the interface, but the library has %d\n",
                TANDEM_ABI_VERSION, (int)tandem_abi_version());
        return 1;
    }

    catch_interrupt();
    char error[512];
    tandem_model *model = NULL;
    int32_t status = tandem_model_load(argv[1], NULL, &model, error, sizeof error);
    if (status != TANDEM_OK) {
        fprintf(stderr, "c-generate: %s: %s\n", tandem_status_text(status), error);
        return 1;
    }
    int exit_status = generate(model, argv[2], (int32_t)max_tokens);
    tandem_model_free(model);
    return exit_status;
}
