// SPDX-License-Identifier: Apache-2.0
//
// Tandem for C: load a .tandem file, generate text from it.
//
//     tandem_model *model = NULL;
//     tandem_session *session = NULL;
//     char error[256];
//     if (tandem_model_load("story.tandem", NULL, &model, error, sizeof error) == TANDEM_OK &&
//         tandem_session_create(model, NULL, &session) == TANDEM_OK) {
//         tandem_generate(session, "Once upon a time", TANDEM_C_STRING, NULL, print_text, NULL, NULL);
//     }
//     tandem_session_free(session);
//     tandem_model_free(model);
//
// ERRORS    Functions that can fail return an int32_t: TANDEM_OK (0) or a TANDEM_ERROR_… code. The library never
//           aborts, exits, prints, or installs signal handlers. A sentence that says what is wrong, and what to do,
//           is kept with the handle (tandem_model_last_error, tandem_session_last_error); where there is no handle
//           yet, tandem_model_load writes it into the caller's buffer. Codes may be added: treat any value other
//           than TANDEM_OK as a failure.
// HANDLES   Handles are opaque names, not addresses. NULL, a freed handle, a handle of another type or a value that
//           never was a handle gives TANDEM_ERROR_INVALID_HANDLE, without touching the memory it seems to point at.
//           A value is never given out twice in one process.
// OWNERSHIP What a create or load function gives must be freed once with the matching free function. Sessions keep
//           what they need of their model: the two may be freed in any order. Everything the caller passes in is read
//           during the call only.
// THREADS   Every function may be called from any thread at any time, the free functions too. A session runs one
//           generation at a time; a second one gets TANDEM_ERROR_BUSY. Sessions of one model are independent. No
//           function is async-signal-safe.
// FORK      Threads do not survive fork(). In the child, calls with the parent's handles give TANDEM_ERROR_FORKED and
//           never wait for anything; free functions succeed and leave to the end of the process what they would have
//           freed. The child may load the file anew: its pages are shared with the parent.
// OPTIONS   Structs begin with their size, so that fields can be added at the end without breaking programs that were
//           compiled before: set `size` to sizeof the struct, which the …_INIT macros do, and leave what you do not
//           care about at zero, which always means the default. A field that this library does not know and that is
//           not zero gives TANDEM_ERROR_UNSUPPORTED.
// TEXT      UTF-8, checked. Lengths are bytes and do not count a terminating NUL.

#ifndef TANDEM_H
#define TANDEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: - Library

/// The interface described here. It grows only when programs compiled before would break.
#define TANDEM_ABI_VERSION 1
/// Grows when functions or fields are added, so that programs can ask for them with #if; programs compiled with a lower
/// one go on working. Sources/CTandem/tandem.symbols says what came when.
#define TANDEM_ABI_REVISION 2

/// TANDEM_ABI_VERSION of the library that is running.
int32_t tandem_abi_version(void);

/// Version of the library that is running, such as "0.1.0". Static: never freed.
const char *tandem_version(void);

// MARK: - Status

#define TANDEM_OK 0
/// NULL where something is needed, or a value out of its range.
#define TANDEM_ERROR_INVALID_ARGUMENT 1
/// Not a handle of the right type, or one that was freed.
#define TANDEM_ERROR_INVALID_HANDLE 2
/// `size` of a struct was not set, or to something impossible.
#define TANDEM_ERROR_STRUCT_SIZE 3
/// An option, decoding mode, instruction set or file version that this library, machine or file does not offer.
#define TANDEM_ERROR_UNSUPPORTED 4
/// Text is not UTF-8.
#define TANDEM_ERROR_INVALID_UTF8 5
/// The caller's buffer is too small; the size it needs was returned.
#define TANDEM_ERROR_BUFFER_TOO_SMALL 6
/// The file could not be opened or read.
#define TANDEM_ERROR_IO 7
/// The file is damaged, incomplete or no .tandem file.
#define TANDEM_ERROR_BAD_FILE 8
/// The system refused memory.
#define TANDEM_ERROR_OUT_OF_MEMORY 9
/// Text was given or asked for, but the file holds no tokenizer.
#define TANDEM_ERROR_NO_TOKENIZER 10
/// The prompt does not fit the session's context.
#define TANDEM_ERROR_PROMPT_TOO_LONG 11
/// A token id is outside the model's vocabulary.
#define TANDEM_ERROR_INVALID_TOKEN 12
/// The session is generating.
#define TANDEM_ERROR_BUSY 13
/// There is no generation to cancel.
#define TANDEM_ERROR_NOT_RUNNING 14
/// A fault of the library. Please report it.
#define TANDEM_ERROR_INTERNAL 15
/// The handle was made before this process was forked; load the file again.
#define TANDEM_ERROR_FORKED 16
/// As many calls run and wait as may: try again later.
#define TANDEM_ERROR_QUEUE_FULL 17

/// What a status means, in a few words. Never NULL, for unknown codes too. Static: never freed.
const char *tandem_status_text(int32_t status);

/// As the length of a text: it ends with a NUL.
#define TANDEM_C_STRING ((size_t)-1)

// MARK: - Model

/// A loaded file: weights mapped read-only and used in place, tokenizer, compute threads. Immutable.
typedef struct tandem_model tandem_model;

/// Check everything, the weights' checksums included: one read of the file.
#define TANDEM_VERIFY_FULL 0
/// Check header, tables and manifest only; loading time is then independent of the file's size.
#define TANDEM_VERIFY_STRUCTURE 1

/// As memory_bytes: the file is mapped whatever it takes, and its pages belong to the page cache.
#define TANDEM_MEMORY_MAPPED 0xffffffffffffffffULL

/// A call failed; its status and the text of the handle say the same.
#define TANDEM_LOG_ERROR 1
/// Something works, but not as well as it could.
#define TANDEM_LOG_WARNING 2
/// A model was loaded or freed.
#define TANDEM_LOG_INFO 3
/// A session was made or freed, a generation ended.
#define TANDEM_LOG_DEBUG 4

/// Takes a line of the log.
///
/// Called on the thread that called the library, until the model and all its sessions are freed, perhaps by several
/// threads at a time. It may call any function of the library; it must not leave by longjmp or an exception.
/// @param level    TANDEM_LOG_…
/// @param message  NUL-terminated, without a line break. Valid during this call only.
typedef void (*tandem_log_function)(void *user_data, int32_t level, const char *message);

typedef struct tandem_load_options {
    size_t size;
    /// Threads that compute, the caller's included, 1 … 1024; 0 = the processors this process may use.
    int32_t threads;
    /// TANDEM_VERIFY_…
    int32_t verification;
    /// "scalar", "avx2", …; NULL = the environment variable TANDEM_ISA, else the fastest. All give the same text.
    const char *instruction_set;

    // Since revision 1:

    /// Memory that the whole process may use, in bytes: what does not fit is read from the file in every pass, and a
    /// budget that is too small is refused with the least that is enough. 0 = what the process may really use: a file
    /// that fits is mapped, any other is loaded within that budget. TANDEM_MEMORY_MAPPED = no budget.
    uint64_t memory_bytes;
    /// The sessions that a memory budget leaves room for; NULL = the default options.
    const struct tandem_session_options *session;
    /// How many of them at a time, 1 … 1024; 0 = 1.
    int32_t session_count;
    /// The last level that on_log is told; 0 = TANDEM_LOG_INFO.
    int32_t log_level;
    /// Receives the log; NULL = none.
    tandem_log_function on_log;
    /// Handed to on_log.
    void *log_user_data;
    /// Generations that run at a time, 1 … 1024; 0 = 16. Their passes are combined.
    int32_t max_running;
    /// Generations that wait until one of these ends; one more gets TANDEM_ERROR_QUEUE_FULL. At most 1000000; 0 = 256,
    /// -1 = none.
    int32_t max_queued;
} tandem_load_options;

#define TANDEM_LOAD_OPTIONS_INIT {.size = sizeof(tandem_load_options)}

/// Maps and checks a file. Replace it by renaming: when somebody overwrites or truncates it while it is loaded, generations
/// end with TANDEM_ERROR_IO.
///
/// @param options         NULL = the defaults.
/// @param model           Receives the model; NULL on failure.
/// @param error_text      Receives what went wrong, NUL-terminated, cut to fit; empty on success. May be NULL.
/// @param error_capacity  Bytes at error_text.
int32_t tandem_model_load(const char *path, const tandem_load_options *options, tandem_model **model,
                          char *error_text, size_t error_capacity);

/// Frees a model; NULL is fine. The memory goes back when its last session is freed too.
/// @return TANDEM_ERROR_INVALID_HANDLE for a model that was freed before.
int32_t tandem_model_free(tandem_model *model);

/// Makes the model keep another memory budget from now on, between two passes of whatever runs; no text changes. Returns
/// when the memory has been given back: while weights are read from slow storage, this may take as long as a pass. Since
/// revision 2.
///
/// With less memory, weights that were in memory are read from the file in every pass; with more, what fits is read in. The
/// sessions that the model was loaded for, and those that there are, keep their room. When the call fails, the model keeps
/// the budget it had.
/// @param memory_bytes  As in tandem_load_options. TANDEM_MEMORY_MAPPED gives TANDEM_ERROR_INVALID_ARGUMENT for a model that
///                      was loaded within a budget.
/// @return TANDEM_ERROR_OUT_OF_MEMORY when the budget is too small; the text says the least that is enough.
int32_t tandem_model_set_memory_budget(tandem_model *model, uint64_t memory_bytes);

/// Copies the text of the last failure of a function that was given this model, whatever thread called it.
///
/// Writes at most `capacity` bytes with the NUL, and whole characters only.
/// @return Length of the whole text; 0 when nothing failed yet or the handle is invalid.
size_t tandem_model_last_error(const tandem_model *model, char *buffer, size_t capacity);

/// Token ids of a text, with the tokens that the model wants at its beginning. Control tokens that are spelt out in the
/// text become control tokens.
///
/// @param length    Bytes of `text` (at most 256 MiB) or TANDEM_C_STRING.
/// @param tokens    Receives the ids; may be NULL when capacity is 0.
/// @param capacity  Ids that fit at `tokens`.
/// @param count     Receives the number of ids, also with TANDEM_ERROR_BUFFER_TOO_SMALL, when no id is written.
int32_t tandem_tokenize(const tandem_model *model, const char *text, size_t length, int32_t *tokens,
                        size_t capacity, size_t *count);

/// Text of token ids, NUL-terminated. Control tokens and ids without a token add nothing; bytes that form no UTF-8
/// become U+FFFD.
///
/// @param count     Ids at `tokens`.
/// @param text      Receives the text; may be NULL when capacity is 0.
/// @param capacity  Bytes that fit at `text`, the NUL included.
/// @param length    Receives the length without the NUL, also with TANDEM_ERROR_BUFFER_TOO_SMALL, when nothing is
///                  written. A text of this length needs a capacity of one more.
int32_t tandem_detokenize(const tandem_model *model, const int32_t *tokens, size_t count, char *text,
                          size_t capacity, size_t *length);

#define TANDEM_POOLING_MEAN 0
/// The last token's state, which has seen all others.
#define TANDEM_POOLING_LAST 1

/// A vector that stands for a text: the primary's hidden states after its last norm, pooled, of length 1.
///
/// @param length    Bytes of `text` or TANDEM_C_STRING.
/// @param pooling   TANDEM_POOLING_…
/// @param values    Receives the vector; may be NULL when capacity is 0.
/// @param capacity  Values that fit there.
/// @param count     Receives the vector's size, which depends on the model only, also with TANDEM_ERROR_BUFFER_TOO_SMALL,
///                  when nothing is computed.
int32_t tandem_embedding(const tandem_model *model, const char *text, size_t length, int32_t pooling, float *values,
                         size_t capacity, size_t *count);

/// What a model does, and has done since it was loaded.
typedef struct tandem_statistics {
    /// Set by the caller, as in options.
    size_t size;
    /// Generations that run now, and that wait.
    int64_t running;
    int64_t queued;
    /// Prompt tokens that were run, those found in caches excluded.
    int64_t prompt_tokens;
    int64_t generated_tokens;
    /// Passes, each for one or more sessions.
    int64_t primary_passes;
    int64_t secondary_passes;
    /// Positions that went through the primary.
    int64_t primary_rows;
    /// Tokens drafted, and those of them that were kept.
    int64_t drafted_tokens;
    int64_t accepted_tokens;
    /// Bytes of weights read from the file after loading.
    int64_t bytes_streamed;
    /// Time in which a pass was under way.
    double pass_seconds;
} tandem_statistics;

#define TANDEM_STATISTICS_INIT {.size = sizeof(tandem_statistics)}

/// All totals only grow.
int32_t tandem_model_statistics(const tandem_model *model, tandem_statistics *statistics);

// MARK: - Chat

/// One message of a conversation. Every member NUL-terminated; the layout never changes.
typedef struct tandem_chat_message {
    /// "system", "user", "assistant", "tool", or what the template knows besides.
    const char *role;
    /// The text; NULL = none.
    const char *content;
    /// A JSON object with further members, such as {"tool_calls": […]}; NULL = none.
    const char *members;
} tandem_chat_message;

typedef struct tandem_chat_options {
    size_t size;
    /// A Jinja template to use in place of the model's own; NULL = that.
    const char *chat_template;
    /// A JSON list of the functions that the model may call; NULL = none.
    const char *tools;
    /// A JSON object with further variables of the template, such as {"enable_thinking": false}; NULL = none.
    const char *variables;
    /// Not 0: the text does not end with what makes the model answer.
    int32_t omit_generation_prompt;
    /// Not 0: the text ends inside the last message, which the model then continues.
    int32_t continue_last_message;
} tandem_chat_options;

#define TANDEM_CHAT_OPTIONS_INIT {.size = sizeof(tandem_chat_options)}

/// Writes a conversation as the model's chat template does: the text that the model is to go on from. NUL-terminated.
///
/// @param count     Messages, at most 65536.
/// @param options   NULL = the defaults.
/// @param text      Receives the text; may be NULL when capacity is 0.
/// @param capacity  Bytes that fit at `text`, the NUL included.
/// @param length    Receives the length without the NUL, also with TANDEM_ERROR_BUFFER_TOO_SMALL, when nothing is
///                  written.
/// @return TANDEM_ERROR_UNSUPPORTED when the file holds no chat template.
int32_t tandem_chat_prompt(const tandem_model *model, const tandem_chat_message *messages, size_t count,
                           const tandem_chat_options *options, char *text, size_t capacity, size_t *length);

/// The token ids of that text, for tandem_generate_tokens. Control tokens count only where the template wrote them: spelt
/// out in a message they are plain text, so that nobody can end a turn by typing its mark.
///
/// @param tokens    Receives the ids; may be NULL when capacity is 0.
/// @param capacity  Ids that fit at `tokens`.
/// @param ids       Receives their number, also with TANDEM_ERROR_BUFFER_TOO_SMALL, when no id is written.
int32_t tandem_chat_tokens(const tandem_model *model, const tandem_chat_message *messages, size_t count,
                           const tandem_chat_options *options, int32_t *tokens, size_t capacity, size_t *ids);

// MARK: - Session

/// One conversation: caches, and the tokens they hold. A generation whose prompt begins with what the session already
/// holds runs only the rest of it.
typedef struct tandem_session tandem_session;

#define TANDEM_CACHE_DEFAULT 0
#define TANDEM_CACHE_F16 1
#define TANDEM_CACHE_F32 2
/// 8-bit integers with a scale for every 32 of them (q8_0): a little more than half the memory of F16.
#define TANDEM_CACHE_INT8 3

typedef struct tandem_session_options {
    size_t size;
    /// Tokens of prompt and answer together, 2 or more; 0 = the model's own limit.
    int32_t context_size;
    /// Prompt tokens that run in one block, 1 … 4096; 0 = 64.
    int32_t batch_size;
    /// Largest draft_max that a generation may ask for, 1 … 64; 0 = 16.
    int32_t draft_limit;
    /// Element type of the caches, TANDEM_CACHE_…; the default is F16.
    int32_t cache_type;

    // Since revision 2:

    /// Largest draft_tree that a generation may ask for, 1 … 512; 0 = draft_limit, and where weights are streamed as many as
    /// the memory budget has room for; -1 = drafts are chains.
    int32_t tree_limit;
    /// 0.
    int32_t reserved;
} tandem_session_options;

#define TANDEM_SESSION_OPTIONS_INIT {.size = sizeof(tandem_session_options)}

/// Makes a session. The text of a failure is kept with the model.
///
/// @param options  NULL = the defaults.
/// @param session  Receives the session; NULL on failure.
int32_t tandem_session_create(const tandem_model *model, const tandem_session_options *options,
                              tandem_session **session);

/// Frees a session; NULL is fine. A generation that is running is cancelled; its memory goes back when it returns.
/// @return TANDEM_ERROR_INVALID_HANDLE for a session that was freed before.
int32_t tandem_session_free(tandem_session *session);

/// Forgets all tokens. TANDEM_ERROR_BUSY while generating.
int32_t tandem_session_reset(tandem_session *session);

/// The tokens that the session holds: those of its prompts and answers that are in the caches.
///
/// @param tokens    Receives the ids; may be NULL when capacity is 0.
/// @param capacity  Ids that fit at `tokens`.
/// @param count     Receives their number, also with TANDEM_ERROR_BUFFER_TOO_SMALL, when no id is written.
int32_t tandem_session_tokens(const tandem_session *session, int32_t *tokens, size_t capacity, size_t *count);

/// Makes a session that begins with all that this one holds: several answers to one long prompt cost one run of it.
///
/// @param copy  Receives the session; NULL on failure. Freed with tandem_session_free.
/// @return TANDEM_ERROR_BUSY while generating; TANDEM_ERROR_OUT_OF_MEMORY also where the memory budget has no room for it.
int32_t tandem_session_fork(const tandem_session *session, tandem_session **copy);

/// Writes what the session holds to a file. It appears under its name only when it is complete and on the disk: whatever
/// happens meanwhile, there is the old file or the new one.
/// @return TANDEM_ERROR_BUSY while generating.
int32_t tandem_session_save(const tandem_session *session, const char *path);

/// Replaces what the session holds by what tandem_session_save wrote, with the same model file and type of caches, in this
/// process or another. From there on everything is as if the session had gone on, to the last bit.
/// @return TANDEM_ERROR_BAD_FILE for a damaged or foreign file, TANDEM_ERROR_INVALID_ARGUMENT for one that does not fit
///         this session's options: the session then holds what it held.
int32_t tandem_session_restore(tandem_session *session, const char *path);

/// Stops the generation that is running, within one layer of the model; it returns TANDEM_OK with
/// TANDEM_FINISH_CANCELLED.
/// @return TANDEM_ERROR_NOT_RUNNING when none is running: later ones are not affected.
int32_t tandem_session_cancel(tandem_session *session);

/// Copies the text of the last failure of a function that was given this session; see tandem_model_last_error.
size_t tandem_session_last_error(const tandem_session *session, char *buffer, size_t capacity);

// MARK: - Generation

/// The best mode that the file offers.
#define TANDEM_MODE_DEFAULT 0
/// The secondary drafts, the primary verifies: the primary's own text, faster.
#define TANDEM_MODE_SPEED 1
/// The secondary's tokens are kept; the primary refreshes what the secondary attends to.
#define TANDEM_MODE_TANDEM 2
/// The primary alone, token by token.
#define TANDEM_MODE_PRIMARY 3
/// The secondary alone, token by token.
#define TANDEM_MODE_SECONDARY 4

/// A token, and the natural logarithm of the probability that the model gave it. The layout never changes.
typedef struct tandem_token_logprob {
    int32_t id;
    float logprob;
    /// Its text, NUL-terminated; may be a part of a character, and hold further NULs.
    const char *bytes;
    /// Bytes.
    size_t length;
} tandem_token_logprob;

/// A token that was generated.
typedef struct tandem_token {
    /// Bytes of this struct; fields are only ever added at the end.
    size_t size;
    int32_t id;
    /// 0 unless `logprobs` was set.
    float logprob;
    /// Its text, NUL-terminated; may be a part of a character, and hold further NULs.
    const char *bytes;
    /// Bytes.
    size_t length;
    /// The most probable tokens of the place, the best first.
    const tandem_token_logprob *top;
    size_t top_count;
} tandem_token;

/// Takes the next token: all tokens of a piece of text, before the text function takes the piece. Tokens after the last
/// piece, such as an end token, come only where `logprobs` is set.
///
/// Called on the thread that called tandem_generate, and never after it returned. It may call any function of the library;
/// it must not leave by longjmp or an exception.
/// @param token  Valid during this call only.
/// @return Not 0 stops the generation (TANDEM_FINISH_CANCELLED).
typedef int32_t (*tandem_token_function)(void *user_data, const tandem_token *token);

/// Somebody waits for the text.
#define TANDEM_PRIORITY_INTERACTIVE 0
/// Runs where interactive generations of the same model leave time for it.
#define TANDEM_PRIORITY_BACKGROUND 1

/// A full context ends the generation, with TANDEM_FINISH_LENGTH.
#define TANDEM_OVERFLOW_STOP 0
/// A full context forgets the older half of its tokens, but for the first context_keep, and goes on.
#define TANDEM_OVERFLOW_SHIFT 1

typedef struct tandem_generate_options {
    size_t size;
    /// TANDEM_MODE_…
    int32_t mode;
    /// Tokens to generate at most; 0 = until the context is full.
    int32_t max_tokens;
    /// Most tokens drafted before a pass of the primary, as many of them as pay; 0 = the session's draft_limit, 15 where
    /// that is 16. In standalone tandem decoding the block length; 0 = the file's own.
    int32_t draft_max;
    /// Not 0: go on after an end token.
    int32_t ignore_end_tokens;
    /// The text ends before any of these texts, each NUL-terminated; NULL when stop_count is 0.
    const char *const *stop;
    /// At most 256.
    size_t stop_count;
    /// 0 = greedy: always the most probable token.
    float temperature;
    /// Keep the k most probable tokens; 0 = all.
    int32_t top_k;
    /// Keep the smallest set of tokens with this probability; 0 = 1 = all.
    float top_p;
    /// Keep tokens at least this times as probable as the best; 0 = all.
    float min_p;
    /// Divides positive and multiplies negative logits of recent tokens; 0 = 1 = off.
    float repeat_penalty;
    /// Tokens that the penalties look back at; 0 = 64, -1 = all.
    int32_t repeat_last_n;
    /// Subtracted once from the logit of every recent token; 0 = off.
    float presence_penalty;
    /// Subtracted from the logit of a recent token once per occurrence; 0 = off.
    float frequency_penalty;
    /// The same seed gives the same text.
    uint64_t seed;
    /// Receives the generated ids, the first token_capacity of them; may be NULL when token_capacity is 0.
    /// completion_tokens of the result says how many there were.
    int32_t *tokens;
    size_t token_capacity;
    /// Fewest tokens drafted before a pass; equal to draft_max, every pass drafts that many.
    int32_t draft_min;
    /// 0.
    int32_t reserved;

    // Since revision 1:

    /// Not 0: tokens come with the natural logarithm of the probability that the model gave them, before temperature,
    /// penalties and filters.
    int32_t logprobs;
    /// As many of the most probable tokens of the same place as well, at most 20; needs `logprobs`.
    int32_t top_logprobs;
    /// Receives the tokens; NULL = none.
    tandem_token_function on_token;
    /// TANDEM_PRIORITY_…
    int32_t priority;
    /// TANDEM_OVERFLOW_…
    int32_t context_overflow;
    /// With TANDEM_OVERFLOW_SHIFT: the first tokens that are never forgotten.
    int32_t context_keep;
    /// Most tokens drafted for a pass where several may stand in one place: the paths of a tree, verified in one pass, of at
    /// most draft_max tokens each; as many of them as pay. The text is the same. 0 = the session's tree_limit, -1 = one chain.
    /// Since revision 2.
    int32_t draft_tree;
    /// The text matches this grammar in GBNF; NUL-terminated, NULL = none. Drafting goes on, and the text stays what the
    /// primary alone gives under the grammar.
    const char *grammar;
    /// The text is a JSON document that this JSON Schema describes; NUL-terminated, NULL = none. Not with `grammar`.
    const char *json_schema;
} tandem_generate_options;

#define TANDEM_GENERATE_OPTIONS_INIT {.size = sizeof(tandem_generate_options)}

/// Takes the next piece of the text: only what is new, always whole characters.
///
/// Called on the thread that called tandem_generate, and never after tandem_generate returned. It may call any function
/// of the library; it must not leave by longjmp or an exception.
/// @param text    NUL-terminated; may hold further NULs. Valid during this call only.
/// @param length  Bytes.
/// @return Not 0 stops the generation (TANDEM_FINISH_CANCELLED); the function is then not called again.
typedef int32_t (*tandem_text_function)(void *user_data, const char *text, size_t length);

/// An end token or a stop text.
#define TANDEM_FINISH_STOP 1
/// max_tokens, or the end of the context.
#define TANDEM_FINISH_LENGTH 2
/// tandem_session_cancel, tandem_session_free or the text function.
#define TANDEM_FINISH_CANCELLED 3

typedef struct tandem_result {
    /// Set by the caller, as in options.
    size_t size;
    /// TANDEM_FINISH_…
    int32_t finish_reason;
    int32_t reserved;
    int64_t prompt_tokens;
    /// Of these, found in the session's caches and not run again.
    int64_t cached_prompt_tokens;
    /// Generated, an end token included.
    int64_t completion_tokens;
    /// Passes of the primary, those for the prompt excluded.
    int64_t primary_passes;
    /// Tokens drafted by the secondary, and those of them that were kept.
    int64_t drafted_tokens;
    int64_t accepted_tokens;
    /// Wall-clock time from the call to the end of the prompt, and from there to the end.
    double prompt_seconds;
    double predicted_seconds;
    /// Tokens per second over these times, cached prompt tokens and the first generated one excluded; 0 where there
    /// were none.
    double prompt_per_second;
    double predicted_per_second;
} tandem_result;

#define TANDEM_RESULT_INIT {.size = sizeof(tandem_result)}

/// Generates from a text, and returns when the generation has ended.
///
/// @param length     Bytes of `prompt` (at most 256 MiB) or TANDEM_C_STRING.
/// @param options    NULL = the defaults: greedy, until an end token or the end of the context.
/// @param on_text    Receives the text; may be NULL.
/// @param user_data  Handed to on_text and on_token.
/// @param result     Receives figures when TANDEM_OK is returned; may be NULL.
/// @return TANDEM_OK also when the generation was cancelled.
int32_t tandem_generate(tandem_session *session, const char *prompt, size_t length,
                        const tandem_generate_options *options, tandem_text_function on_text, void *user_data,
                        tandem_result *result);

/// Generates from token ids; all else as tandem_generate. Files without a tokenizer can be used with this: on_text is
/// then never called.
///
/// @param count  Ids at `prompt`, at least 1.
int32_t tandem_generate_tokens(tandem_session *session, const int32_t *prompt, size_t count,
                               const tandem_generate_options *options, tandem_text_function on_text,
                               void *user_data, tandem_result *result);

#ifdef __cplusplus
}
#endif

#endif
