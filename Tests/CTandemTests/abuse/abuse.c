// SPDX-License-Identifier: Apache-2.0
//
// Everything that a program should not do with the C interface: every call must answer with a status, none may crash or
// hang. C11, and C++ too.
//
//     abuse MODEL SCRATCH_DIRECTORY

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tandem.h"

static int failures;
static int checks;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static void check(int holds, const char *what, int line) {
    pthread_mutex_lock(&counting);
    checks++;
    if (!holds) {
        failures++;
        fprintf(stderr, "abuse.c:%d: %s\n", line, what);
    }
    pthread_mutex_unlock(&counting);
}

#define CHECK(condition) check((condition) != 0, #condition, __LINE__)
#define GIVES(expected, call) check((call) == (expected), #call " gives " #expected, __LINE__)

static const char *model_path;
static const char *scratch;

static tandem_model *load(void) {
    tandem_load_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.threads = 2;
    options.verification = TANDEM_VERIFY_STRUCTURE;
    tandem_model *model = NULL;
    char error[512];
    int32_t status = tandem_model_load(model_path, &options, &model, error, sizeof error);
    if (status != TANDEM_OK) {
        fprintf(stderr, "abuse: %s: %s\n", tandem_status_text(status), error);
        exit(2);
    }
    return model;
}

static tandem_session *make_session(const tandem_model *model) {
    tandem_session_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.context_size = 128;
    tandem_session *session = NULL;
    GIVES(TANDEM_OK, tandem_session_create(model, &options, &session));
    return session;
}

static tandem_generate_options few_tokens(int32_t count) {
    tandem_generate_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.max_tokens = count;
    options.ignore_end_tokens = 1;
    return options;
}

// MARK: - Values that are no handles

/// Calls every function that takes a model.
static void use_model(tandem_model *model, int32_t expected) {
    size_t count = 99;
    int32_t ids[4] = {0, 0, 0, 0};
    char text[16];
    tandem_session *session = (tandem_session *)text;
    tandem_chat_message message = {"user", "hi", NULL};
    GIVES(expected, tandem_tokenize(model, "a", 1, ids, 4, &count));
    GIVES(expected, tandem_detokenize(model, ids, 4, text, sizeof text, &count));
    GIVES(expected, tandem_session_create(model, NULL, &session));
    CHECK(session == NULL);
    GIVES(expected, tandem_chat_prompt(model, &message, 1, NULL, text, sizeof text, &count));
    GIVES(expected, tandem_chat_tokens(model, &message, 1, NULL, ids, 4, &count));
    float values[4];
    tandem_statistics statistics;
    memset(&statistics, 0, sizeof statistics);
    statistics.size = sizeof statistics;
    GIVES(expected, tandem_embedding(model, "a", 1, TANDEM_POOLING_MEAN, values, 4, &count));
    GIVES(expected, tandem_model_statistics(model, &statistics));
    GIVES(expected, tandem_model_set_memory_budget(model, (uint64_t)1 << 40));
    memset(text, 'x', sizeof text);
    tandem_model_last_error(model, text, sizeof text);
    CHECK(memchr(text, 0, sizeof text) != NULL);
}

/// Calls every function that takes a session.
static void use_session(tandem_session *session, int32_t expected) {
    tandem_generate_options options = few_tokens(2);
    tandem_result result;
    memset(&result, 0, sizeof result);
    result.size = sizeof result;
    int32_t id = 1;
    char text[16];
    GIVES(expected, tandem_generate(session, "a", 1, &options, NULL, NULL, &result));
    GIVES(expected, tandem_generate_tokens(session, &id, 1, &options, NULL, NULL, &result));
    GIVES(expected, tandem_session_reset(session));
    GIVES(expected, tandem_session_cancel(session));
    size_t count = 99;
    tandem_session *copy = (tandem_session *)text;
    GIVES(expected, tandem_session_tokens(session, &id, 1, &count));
    GIVES(expected, tandem_session_fork(session, &copy));
    CHECK(copy == NULL);
    GIVES(expected, tandem_session_save(session, model_path));
    GIVES(expected, tandem_session_restore(session, model_path));
    memset(text, 'x', sizeof text);
    tandem_session_last_error(session, text, sizeof text);
    CHECK(memchr(text, 0, sizeof text) != NULL);
}

static void foreign_handles(void) {
    static char memory[64];
    void *values[] = {NULL,       memory,          stdout, (void *)1,           (void *)0xb,
                      (void *)-1, (void *)0x7fff0, &memory[1], (void *)0x80000000u, (void *)0xfffffffffffffffbu};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        use_model((tandem_model *)values[i], TANDEM_ERROR_INVALID_HANDLE);
        use_session((tandem_session *)values[i], TANDEM_ERROR_INVALID_HANDLE);
        int32_t freed = values[i] == NULL ? TANDEM_OK : TANDEM_ERROR_INVALID_HANDLE;
        GIVES(freed, tandem_model_free((tandem_model *)values[i]));
        GIVES(freed, tandem_session_free((tandem_session *)values[i]));
    }
}

static void freed_handles(void) {
    tandem_model *model = load();
    tandem_session *session = make_session(model);
    use_model((tandem_model *)session, TANDEM_ERROR_INVALID_HANDLE);
    use_session((tandem_session *)model, TANDEM_ERROR_INVALID_HANDLE);
    GIVES(TANDEM_ERROR_INVALID_HANDLE, tandem_model_free((tandem_model *)session));
    GIVES(TANDEM_OK, tandem_model_free(model));
    use_model(model, TANDEM_ERROR_INVALID_HANDLE);
    GIVES(TANDEM_ERROR_INVALID_HANDLE, tandem_model_free(model));
    GIVES(TANDEM_OK, tandem_session_reset(session));
    GIVES(TANDEM_OK, tandem_session_free(session));
    use_session(session, TANDEM_ERROR_INVALID_HANDLE);
    GIVES(TANDEM_ERROR_INVALID_HANDLE, tandem_session_free(session));
}

// MARK: - Arguments

static void null_arguments(tandem_model *model, tandem_session *session) {
    size_t count = 0;
    int32_t id = 1;
    char error[8];
    tandem_model *none = NULL;
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_model_load(NULL, NULL, &none, error, sizeof error));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_model_load(model_path, NULL, NULL, NULL, 0));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_session_create(model, NULL, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_tokenize(model, NULL, 1, NULL, 0, &count));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_tokenize(model, "a", 1, NULL, 9, &count));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_tokenize(model, "a", 1, NULL, 0, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_detokenize(model, NULL, 1, NULL, 0, &count));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_detokenize(model, &id, 1, NULL, 0, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_chat_prompt(model, NULL, 1, NULL, NULL, 0, &count));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_chat_tokens(model, NULL, 1, NULL, NULL, 0, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_generate(session, NULL, 5, NULL, NULL, NULL, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_generate_tokens(session, NULL, 5, NULL, NULL, NULL, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_session_fork(session, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_session_save(session, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_session_restore(session, NULL));
    GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_session_tokens(session, NULL, 0, NULL));
    CHECK(tandem_model_last_error(model, NULL, 0) > 0);
    CHECK(tandem_session_last_error(session, NULL, 99) > 0);
    CHECK(tandem_status_text(-1) != NULL);
    CHECK(tandem_status_text(INT32_MAX) != NULL);
}

static void huge_sizes(tandem_model *model, tandem_session *session) {
    static const size_t sizes[] = {SIZE_MAX / 2, SIZE_MAX - 1, (size_t)1 << 62, ((size_t)256 << 20) + 1};
    int32_t id = 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        size_t count = 0;
        tandem_chat_message message = {"user", "hi", NULL};
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_tokenize(model, "a", size, NULL, 0, &count));
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_detokenize(model, &id, size, NULL, 0, &count));
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_embedding(model, "a", size, 0, NULL, 0, &count));
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_generate(session, "a", size, NULL, NULL, NULL, NULL));
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_generate_tokens(session, &id, size, NULL, NULL, NULL, NULL));
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_chat_prompt(model, &message, size, NULL, NULL, 0, &count));
        tandem_generate_options options = few_tokens(1);
        options.stop_count = size;
        GIVES(TANDEM_ERROR_INVALID_ARGUMENT, tandem_generate(session, "a", 1, &options, NULL, NULL, NULL));
        options = few_tokens(1);
        options.size = size;
        GIVES(TANDEM_ERROR_STRUCT_SIZE, tandem_generate(session, "a", 1, &options, NULL, NULL, NULL));
    }
}

static void values_out_of_range(tandem_model *model, tandem_session *session) {
    static const int32_t numbers[] = {INT32_MIN, -1, 65, INT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        tandem_session_options options;
        tandem_session *other = NULL;
        memset(&options, 0, sizeof options);
        options.size = sizeof options;
        options.draft_limit = numbers[i];
        CHECK(tandem_session_create(model, &options, &other) != TANDEM_OK);
        options.draft_limit = 0;
        options.cache_type = numbers[i];
        CHECK(tandem_session_create(model, &options, &other) != TANDEM_OK);
        tandem_generate_options given = few_tokens(1);
        given.mode = numbers[i];
        GIVES(TANDEM_ERROR_UNSUPPORTED, tandem_generate(session, "a", 1, &given, NULL, NULL, NULL));
        given = few_tokens(1);
        given.draft_max = numbers[i];
        CHECK(tandem_generate(session, "a", 1, &given, NULL, NULL, NULL) != TANDEM_OK);
        given = few_tokens(1);
        given.logprobs = 1;
        given.top_logprobs = numbers[i];
        CHECK(tandem_generate(session, "a", 1, &given, NULL, NULL, NULL) != TANDEM_OK);
        given = few_tokens(1);
        given.priority = numbers[i];
        CHECK(tandem_generate(session, "a", 1, &given, NULL, NULL, NULL) != TANDEM_OK);
        given = few_tokens(1);
        given.context_overflow = numbers[i];
        CHECK(tandem_generate(session, "a", 1, &given, NULL, NULL, NULL) != TANDEM_OK);
        given = few_tokens(1);
        given.temperature = -1.0f / (float)(i + 1);
        CHECK(tandem_generate(session, "a", 1, &given, NULL, NULL, NULL) != TANDEM_OK);
        int32_t ids[2] = {1, numbers[i] == 65 ? INT32_MAX - 1 : numbers[i]};
        GIVES(TANDEM_ERROR_INVALID_TOKEN, tandem_generate_tokens(session, ids, 2, NULL, NULL, NULL, NULL));
    }
}

static void invalid_text(tandem_model *model, tandem_session *session) {
    static const char *const texts[] = {"\xff", "a\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "abc\xe2\x82"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = texts[i];
        float values[4096];
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_tokenize(model, text, TANDEM_C_STRING, NULL, 0, &count));
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_embedding(model, text, TANDEM_C_STRING, 0, values, 4096, &count));
        GIVES(TANDEM_ERROR_INVALID_UTF8,
              tandem_generate(session, text, TANDEM_C_STRING, NULL, NULL, NULL, NULL));
        tandem_generate_options options = few_tokens(1);
        options.stop = &text;
        options.stop_count = 1;
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_generate(session, "a", 1, &options, NULL, NULL, NULL));
        options = few_tokens(1);
        options.grammar = text;
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_generate(session, "a", 1, &options, NULL, NULL, NULL));
        options.grammar = NULL;
        options.json_schema = text;
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_generate(session, "a", 1, &options, NULL, NULL, NULL));
        tandem_chat_message message = {"user", text, NULL};
        tandem_chat_options chat;
        memset(&chat, 0, sizeof chat);
        chat.size = sizeof chat;
        chat.chat_template = "{{ messages }}";
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_chat_prompt(model, &message, 1, &chat, NULL, 0, &count));
        tandem_model *none = NULL;
        GIVES(TANDEM_ERROR_INVALID_UTF8, tandem_model_load(text, NULL, &none, NULL, 0));
    }
}

/// Grammars, schemas and templates that are none, or want too much.
static void hostile_documents(tandem_model *model, tandem_session *session) {
    static const char *const grammars[] = {"", "root :=", "root ::= root", "x ::= \"a\"", "root ::= [", "root ::= \"a\"{3,1}",
                                           "root ::= \"a\"{99999999999}", "root ::= nothing"};
    static const char *const schemas[] = {"", "[]", "3", "{\"$ref\": \"#\"}", "{\"type\": 1}", "{\"minItems\": -1}",
                                          "{\"pattern\": \"(\"}", "{\"enum\": []}"};
    char deep[20001];
    memset(deep, '(', sizeof deep - 1);
    memcpy(deep, "root ::= ", 9);
    deep[sizeof deep - 1] = 0;
    for (size_t i = 0; i <= sizeof grammars / sizeof *grammars; i++) {
        tandem_generate_options options = few_tokens(4);
        options.grammar = i < sizeof grammars / sizeof *grammars ? grammars[i] : deep;
        CHECK(tandem_generate(session, "a", 1, &options, NULL, NULL, NULL) != TANDEM_OK);
    }
    memset(deep, '[', sizeof deep - 1);
    for (size_t i = 0; i <= sizeof schemas / sizeof *schemas; i++) {
        tandem_generate_options options = few_tokens(4);
        options.json_schema = i < sizeof schemas / sizeof *schemas ? schemas[i] : deep;
        // Any status: what matters is that one comes.
        tandem_generate(session, "a", 1, &options, NULL, NULL, NULL);
        tandem_chat_message message = {"user", "hi", options.json_schema};
        tandem_chat_options chat;
        memset(&chat, 0, sizeof chat);
        chat.size = sizeof chat;
        chat.chat_template = "{{ messages }}";
        size_t length = 0;
        CHECK(tandem_chat_prompt(model, &message, 1, &chat, NULL, 0, &length) != TANDEM_OK);
        message.members = NULL;
        memset(deep, '{', sizeof deep - 1);
        chat.chat_template = deep;
        CHECK(tandem_chat_prompt(model, &message, 1, &chat, NULL, 0, &length) != TANDEM_OK);
        chat.chat_template = "{% for a in range(10000000) %}{% for b in range(10000000) %}x{% endfor %}{% endfor %}";
        CHECK(tandem_chat_prompt(model, &message, 1, &chat, NULL, 0, &length) != TANDEM_OK);
        memset(deep, '[', sizeof deep - 1);
    }
}

/// Session files that are none, were cut off, or lost a bit.
static void foreign_files(tandem_session *session) {
    char path[4096];
    char other[4096];
    static char bytes[1 << 22];
    tandem_generate_options options = few_tokens(4);
    snprintf(path, sizeof path, "%s/saved.session", scratch);
    snprintf(other, sizeof other, "%s/damaged.session", scratch);
    GIVES(TANDEM_OK, tandem_generate(session, "Once", 4, &options, NULL, NULL, NULL));
    GIVES(TANDEM_OK, tandem_session_save(session, path));
    GIVES(TANDEM_OK, tandem_session_restore(session, path));
    GIVES(TANDEM_ERROR_BAD_FILE, tandem_session_restore(session, model_path));
    CHECK(tandem_session_restore(session, scratch) != TANDEM_OK);
    CHECK(tandem_session_save(session, scratch) != TANDEM_OK);
    FILE *file = fopen(path, "rb");
    size_t length = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (file != NULL) fclose(file);
    CHECK(length > 100 && length < sizeof bytes);
    for (size_t i = 0; i < 64; i++) {
        size_t kept = i % 2 == 0 ? length : length * i / 64;
        size_t place = length * i / 64;
        bytes[place] ^= 4;
        file = fopen(other, "wb");
        CHECK(file != NULL && fwrite(bytes, 1, kept, file) == kept);
        if (file != NULL) fclose(file);
        bytes[place] ^= 4;
        CHECK(tandem_session_restore(session, other) != TANDEM_OK);
    }
    GIVES(TANDEM_OK, tandem_generate(session, "Once", 4, &options, NULL, NULL, NULL));
}

/// Structs full of noise, as uninitialised ones are: any status is right, as long as nothing breaks.
static void garbage_structs(tandem_model *model, tandem_session *session) {
    uint32_t state = 2463534242u;
    for (int round = 0; round < 200; round++) {
        union {
            tandem_load_options load;
            tandem_session_options session;
            tandem_generate_options generate;
            tandem_chat_options chat;
            unsigned char bytes[4096];
        } noise;
        for (size_t i = 0; i < sizeof noise.bytes; i++) {
            state ^= state << 13, state ^= state >> 17, state ^= state << 5;
            noise.bytes[i] = (unsigned char)state;
        }
        // Every other time with a size that fits, and without pointers into nowhere, which no library can tell.
        int fits = round % 2;
        tandem_model *other = NULL;
        if (fits) {
            noise.load.size = sizeof noise.load;
            noise.load.instruction_set = "no such";
            noise.load.session = NULL;
            noise.load.on_log = NULL;
        }
        CHECK(tandem_model_load(model_path, &noise.load, &other, NULL, 0) != TANDEM_OK);
        tandem_session *made = NULL;
        if (fits) noise.session.size = sizeof noise.session;
        CHECK(tandem_session_create(model, &noise.session, &made) != TANDEM_OK);
        if (fits) {
            noise.generate.size = sizeof noise.generate;
            noise.generate.stop = NULL;
            noise.generate.tokens = NULL;
            noise.generate.on_token = NULL;
            noise.generate.grammar = NULL;
            noise.generate.json_schema = "{";
        }
        CHECK(tandem_generate(session, "a", 1, &noise.generate, NULL, NULL, NULL) != TANDEM_OK);
        if (!fits) {
            size_t length = 0;
            tandem_chat_message message = {"user", "hi", NULL};
            CHECK(tandem_chat_prompt(model, &message, 1, &noise.chat, NULL, 0, &length) != TANDEM_OK);
        }
    }
}

// MARK: - Callbacks that call back

typedef struct {
    tandem_model *model;
    tandem_session *session;
    int calls;
    int frees;
} Host;

static int32_t call_back(void *user_data, const char *text, size_t length) {
    Host *host = (Host *)user_data;
    size_t count = 0;
    int32_t ids[64];
    CHECK(text[length] == 0);
    host->calls++;
    GIVES(TANDEM_OK, tandem_tokenize(host->model, text, length, ids, 64, &count));
    GIVES(TANDEM_ERROR_BUSY, tandem_generate(host->session, "a", 1, NULL, NULL, NULL, NULL));
    GIVES(TANDEM_ERROR_BUSY, tandem_session_reset(host->session));
    tandem_session *other = make_session(host->model);
    tandem_generate_options options = few_tokens(1);
    GIVES(TANDEM_OK, tandem_generate(other, "b", 1, &options, NULL, NULL, NULL));
    GIVES(TANDEM_OK, tandem_session_free(other));
    if (host->frees) {
        GIVES(TANDEM_OK, tandem_session_free(host->session));
        GIVES(TANDEM_OK, tandem_model_free(host->model));
        use_session(host->session, TANDEM_ERROR_INVALID_HANDLE);
        return 0;
    }
    return host->calls >= 2;
}

static void callbacks(void) {
    Host host = {NULL, NULL, 0, 0};
    host.model = load();
    host.session = make_session(host.model);
    tandem_generate_options options = few_tokens(0);
    tandem_result result;
    memset(&result, 0, sizeof result);
    result.size = sizeof result;
    GIVES(TANDEM_OK, tandem_generate(host.session, "Once", TANDEM_C_STRING, &options, call_back, &host, &result));
    GIVES(TANDEM_FINISH_CANCELLED, result.finish_reason);
    CHECK(host.calls == 2);
    // Frees session and model inside the callback of their own generation.
    host.calls = 0;
    host.frees = 1;
    GIVES(TANDEM_OK, tandem_session_reset(host.session));
    GIVES(TANDEM_OK, tandem_generate(host.session, "Once", TANDEM_C_STRING, &options, call_back, &host, &result));
    GIVES(TANDEM_FINISH_CANCELLED, result.finish_reason);
    CHECK(host.calls == 1);
    GIVES(TANDEM_ERROR_INVALID_HANDLE, tandem_session_free(host.session));
}

// MARK: - Threads

typedef struct {
    tandem_model *model;
    tandem_session *session;
    int number;
} Worker;

/// Whether a status is one that calls may have while others use and free the same handles.
static int is_expected(int32_t status) {
    return status == TANDEM_OK || status == TANDEM_ERROR_BUSY || status == TANDEM_ERROR_INVALID_HANDLE ||
           status == TANDEM_ERROR_NOT_RUNNING;
}

static void *hammer(void *argument) {
    Worker *worker = (Worker *)argument;
    for (int round = 0; round < 24; round++) {
        tandem_generate_options options = few_tokens(4);
        char error[64];
        switch ((worker->number + round) % 6) {
        case 0: CHECK(is_expected(tandem_session_cancel(worker->session))); break;
        case 1: CHECK(is_expected(tandem_session_reset(worker->session))); break;
        case 2: tandem_session_last_error(worker->session, error, sizeof error); break;
        case 3: {
            tandem_session *own = NULL;
            int32_t status = tandem_session_create(worker->model, NULL, &own);
            CHECK(is_expected(status));
            if (status == TANDEM_OK) {
                CHECK(is_expected(tandem_generate(own, "own", 3, &options, NULL, NULL, NULL)));
                GIVES(TANDEM_OK, tandem_session_free(own));
            }
            break;
        }
        default: CHECK(is_expected(tandem_generate(worker->session, "one", 3, &options, NULL, NULL, NULL)));
        }
        // One of them frees what all of them use.
        if (worker->number == 7 && round == 20) {
            CHECK(tandem_session_free(worker->session) == TANDEM_OK);
            CHECK(tandem_model_free(worker->model) == TANDEM_OK);
        }
    }
    return NULL;
}

static void threads(void) {
    enum { count = 8 };
    pthread_t running[count];
    Worker workers[count];
    tandem_model *model = load();
    tandem_session *session = make_session(model);
    for (int i = 0; i < count; i++) {
        workers[i].model = model;
        workers[i].session = session;
        workers[i].number = i;
        if (pthread_create(&running[i], NULL, hammer, &workers[i]) != 0) exit(2);
    }
    for (int i = 0; i < count; i++) pthread_join(running[i], NULL);
    use_session(session, TANDEM_ERROR_INVALID_HANDLE);
    use_model(model, TANDEM_ERROR_INVALID_HANDLE);
}

// MARK: - Fork

static void *generate_long(void *argument) {
    tandem_generate_options options = few_tokens(100);
    tandem_generate((tandem_session *)argument, "Once upon", TANDEM_C_STRING, &options, NULL, NULL, NULL);
    return NULL;
}

/// What a child does with its parent's handles while the parent computes: answers at once, never a hang.
static int child(tandem_model *model, tandem_session *session) {
    failures = 0;
    alarm(60);
    use_model(model, TANDEM_ERROR_FORKED);
    use_session(session, TANDEM_ERROR_FORKED);
    char text[64];
    CHECK(tandem_model_last_error(model, text, sizeof text) > 0);
    CHECK(strstr(text, "forked") != NULL);
    foreign_handles();
    GIVES(TANDEM_OK, tandem_session_free(session));
    GIVES(TANDEM_OK, tandem_model_free(model));
    // The child may load the file for itself; the parent's handles stay what they are.
    tandem_model *own = load();
    tandem_session *own_session = make_session(own);
    tandem_generate_options options = few_tokens(4);
    GIVES(TANDEM_OK, tandem_generate(own_session, "Once", 4, &options, NULL, NULL, NULL));
    use_session(session, TANDEM_ERROR_FORKED);
    GIVES(TANDEM_OK, tandem_session_free(own_session));
    GIVES(TANDEM_OK, tandem_model_free(own));
    use_model(own, TANDEM_ERROR_INVALID_HANDLE);
    return failures == 0 ? 0 : 1;
}

static void forks(void) {
    tandem_model *model = load();
    tandem_session *session = make_session(model);
#ifdef __SANITIZE_ADDRESS__
    // The sanitizer's own allocator does not survive fork() in a program with threads: the child would wait for its lock.
    int rounds = 0;
#else
    int rounds = 3;
#endif
    for (int round = 0; round < rounds; round++) {
        pthread_t running;
        int status = -1;
        if (pthread_create(&running, NULL, generate_long, session) != 0) exit(2);
        pid_t process = fork();
        if (process == 0) _exit(child(model, session));
        CHECK(process > 0 && waitpid(process, &status, 0) == process);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        pthread_join(running, NULL);
        GIVES(TANDEM_OK, tandem_session_reset(session));
    }
    GIVES(TANDEM_OK, tandem_session_free(session));
    GIVES(TANDEM_OK, tandem_model_free(model));
}

/// A model within the least budget that it can run in: its weights are read from the file in every pass.
static tandem_model *load_streamed(void) {
    tandem_load_options options;
    memset(&options, 0, sizeof options);
    tandem_session_options session;
    memset(&session, 0, sizeof session);
    session.size = sizeof session;
    session.context_size = 128;
    options.size = sizeof options;
    options.threads = 2;
    options.session = &session;
    options.memory_bytes = 1;
    tandem_model *model = NULL;
    char error[512];
    GIVES(TANDEM_ERROR_OUT_OF_MEMORY, tandem_model_load(model_path, &options, &model, error, sizeof error));
    const char *least = strstr(error, "at least ");
    if (least == NULL) exit(2);
    options.memory_bytes = strtoull(least + 9, NULL, 10) + 65536;
    GIVES(TANDEM_OK, tandem_model_load(model_path, &options, &model, error, sizeof error));
    return model;
}

typedef struct {
    char bytes[4096];
    size_t length;
} text_buffer;

static int32_t append(void *user_data, const char *text, size_t length) {
    text_buffer *buffer = (text_buffer *)user_data;
    if (length <= sizeof buffer->bytes - buffer->length) {
        memcpy(buffer->bytes + buffer->length, text, length);
        buffer->length += length;
    }
    return 0;
}

typedef struct {
    tandem_session *session;
    text_buffer text;
} streamed_generation;

static void *generate_streamed(void *argument) {
    streamed_generation *generation = (streamed_generation *)argument;
    tandem_generate_options options = few_tokens(40);
    generation->text.length = 0;
    GIVES(TANDEM_OK, tandem_session_reset(generation->session));
    GIVES(TANDEM_OK, tandem_generate(generation->session, "Once upon", TANDEM_C_STRING, &options, append,
                                     &generation->text, NULL));
    return NULL;
}

/// A model that streams, while children are forked that end, or become another program: the parent's text is the same, and
/// no program has the file open.
static void streamed_forks(void) {
    tandem_model *model = load_streamed();
    streamed_generation generation;
    generation.session = make_session(model);
    generate_streamed(&generation);
    text_buffer expected = generation.text;
    CHECK(expected.length > 0);
    tandem_statistics statistics;
    memset(&statistics, 0, sizeof statistics);
    statistics.size = sizeof statistics;
    GIVES(TANDEM_OK, tandem_model_statistics(model, &statistics));
    CHECK(statistics.bytes_streamed > 0);
#ifdef __SANITIZE_ADDRESS__
    int rounds = 0;
#else
    int rounds = 6;
#endif
    for (int round = 0; round < rounds; round++) {
        pthread_t running;
        int status = -1;
        if (pthread_create(&running, NULL, generate_streamed, &generation) != 0) exit(2);
        pid_t process = fork();
        if (process == 0) {
            if (round % 3 == 0) _exit(0);
            if (round % 3 == 1) _exit(child(model, generation.session));
            execl("/bin/sh", "sh", "-c", "! readlink /proc/self/fd/* | grep -q -x -F \"$1\"", "sh", model_path, (char *)NULL);
            _exit(127);
        }
        CHECK(process > 0 && waitpid(process, &status, 0) == process);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        pthread_join(running, NULL);
        CHECK(generation.text.length == expected.length &&
              memcmp(generation.text.bytes, expected.bytes, expected.length) == 0);
    }
    GIVES(TANDEM_OK, tandem_session_free(generation.session));
    GIVES(TANDEM_OK, tandem_model_free(model));
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: abuse MODEL SCRATCH_DIRECTORY\n");
        return 2;
    }
    model_path = argv[1];
    scratch = argv[2];
    foreign_handles();
    freed_handles();
    tandem_model *model = load();
    tandem_session *session = make_session(model);
    null_arguments(model, session);
    huge_sizes(model, session);
    values_out_of_range(model, session);
    invalid_text(model, session);
    foreign_files(session);
    hostile_documents(model, session);
    garbage_structs(model, session);
    tandem_generate_options options = few_tokens(2);
    GIVES(TANDEM_OK, tandem_generate(session, "fine", 4, &options, NULL, NULL, NULL));
    GIVES(TANDEM_OK, tandem_session_free(session));
    GIVES(TANDEM_OK, tandem_model_free(model));
    callbacks();
    threads();
    forks();
    streamed_forks();
    printf("%d checks, %d failures\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
