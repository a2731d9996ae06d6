// SPDX-License-Identifier: Apache-2.0
//
// A program that was compiled with version 1.0 of the header: it must go on working with every later libtandem.so.1.
// Compiled with tandem-1.0.h.
//
//     first MODEL

#include <stdio.h>
#include <string.h>

#include "tandem-1.0.h"

static int32_t count_text(void *user_data, const char *text, size_t length) {
    *(size_t *)user_data += length;
    return text[length] != 0;
}

static int fail(const char *what, int32_t status, const char *text) {
    fprintf(stderr, "first: %s: %s: %s\n", what, tandem_status_text(status), text);
    return 1;
}

int main(int argc, char **argv) {
    char error[512] = "";
    tandem_model *model = NULL;
    tandem_session *session = NULL;
    // What follows a struct is not the library's: it must not be read as the fields of a later version.
    struct {
        tandem_load_options options;
        unsigned char other[256];
    } load;
    struct {
        tandem_generate_options options;
        unsigned char other[256];
    } generate;
    struct {
        tandem_session_options options;
        unsigned char other[256];
    } make;
    struct {
        tandem_result result;
        unsigned char other[256];
    } figures;
    memset(&load, 0xa5, sizeof load);
    memset(&make, 0xa5, sizeof make);
    memset(&generate, 0xa5, sizeof generate);
    memset(&figures, 0xa5, sizeof figures);
    tandem_load_options load_options = TANDEM_LOAD_OPTIONS_INIT;
    tandem_session_options session_options = TANDEM_SESSION_OPTIONS_INIT;
    tandem_generate_options generate_options = TANDEM_GENERATE_OPTIONS_INIT;
    load_options.threads = 2;
    session_options.context_size = 64;
    generate_options.max_tokens = 8;
    generate_options.ignore_end_tokens = 1;
    load.options = load_options;
    make.options = session_options;
    generate.options = generate_options;
    figures.result.size = sizeof figures.result;
    if (argc != 2 || tandem_abi_version() != TANDEM_ABI_VERSION) return 2;

    int32_t status = tandem_model_load(argv[1], &load.options, &model, error, sizeof error);
    if (status != TANDEM_OK) return fail("load", status, error);
    status = tandem_session_create(model, &make.options, &session);
    if (status != TANDEM_OK) return fail("create", status, "");
    size_t length = 0;
    status = tandem_generate(session, "Once", TANDEM_C_STRING, &generate.options, count_text, &length, &figures.result);
    if (status != TANDEM_OK) {
        tandem_session_last_error(session, error, sizeof error);
        return fail("generate", status, error);
    }
    if (figures.result.completion_tokens != 8 || length == 0) return fail("generate", status, "not 8 tokens");
    for (size_t i = 0; i < sizeof figures.other; i++) {
        if (figures.other[i] != 0xa5) return fail("result", status, "written beyond its size");
    }
    if (tandem_session_free(session) != TANDEM_OK || tandem_model_free(model) != TANDEM_OK) return 1;
    puts("a program of version 1.0 works");
    return 0;
}
