// SPDX-License-Identifier: Apache-2.0
//
// The layout that compiled programs rely on. Fields are only ever added at the end, and a struct never has padding:
// padding would hide garbage from the check for unknown options.

#include "tandem.h"

#if UINTPTR_MAX == UINT64_MAX

_Static_assert(sizeof(tandem_load_options) == 72, "tandem_load_options changed");
_Static_assert(offsetof(tandem_load_options, instruction_set) == 16, "tandem_load_options changed");
_Static_assert(offsetof(tandem_load_options, memory_bytes) == 24, "tandem_load_options changed");
_Static_assert(offsetof(tandem_load_options, session_count) == 40, "tandem_load_options changed");
_Static_assert(offsetof(tandem_load_options, on_log) == 48, "tandem_load_options changed");
_Static_assert(offsetof(tandem_load_options, max_running) == 64, "tandem_load_options changed");

_Static_assert(sizeof(tandem_statistics) == 96, "tandem_statistics changed");
_Static_assert(offsetof(tandem_statistics, bytes_streamed) == 80, "tandem_statistics changed");

_Static_assert(sizeof(tandem_chat_message) == 24, "tandem_chat_message changed");

_Static_assert(sizeof(tandem_chat_options) == 40, "tandem_chat_options changed");
_Static_assert(offsetof(tandem_chat_options, variables) == 24, "tandem_chat_options changed");
_Static_assert(offsetof(tandem_chat_options, continue_last_message) == 36, "tandem_chat_options changed");

_Static_assert(sizeof(tandem_session_options) == 32, "tandem_session_options changed");
_Static_assert(offsetof(tandem_session_options, cache_type) == 20, "tandem_session_options changed");
_Static_assert(offsetof(tandem_session_options, tree_limit) == 24, "tandem_session_options changed");

_Static_assert(sizeof(tandem_generate_options) == 152, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, stop) == 24, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, temperature) == 40, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, seed) == 72, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, token_capacity) == 88, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, draft_min) == 96, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, logprobs) == 104, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, on_token) == 112, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, priority) == 120, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, context_keep) == 128, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, draft_tree) == 132, "tandem_generate_options changed");
_Static_assert(offsetof(tandem_generate_options, json_schema) == 144, "tandem_generate_options changed");

_Static_assert(sizeof(tandem_token_logprob) == 24, "tandem_token_logprob changed");

_Static_assert(sizeof(tandem_token) == 48, "tandem_token changed");
_Static_assert(offsetof(tandem_token, top) == 32, "tandem_token changed");

_Static_assert(sizeof(tandem_result) == 96, "tandem_result changed");
_Static_assert(offsetof(tandem_result, prompt_tokens) == 16, "tandem_result changed");
_Static_assert(offsetof(tandem_result, predicted_per_second) == 88, "tandem_result changed");

#endif
