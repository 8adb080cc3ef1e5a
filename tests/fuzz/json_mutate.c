/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator of Keras models: values of the JSON are replaced by others of it or by such as hurt, and it stays JSON; now
 * and then the engine's own damage.
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz_parts.h"

FUZZ_PLAIN_BEGIN

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define MOST_TOKENS 2048

typedef struct token {
    size_t at, size;
} token;

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t string_end(part p, size_t at)
{
    for (at++; at < p.size && p.data[at] != '"'; at++)
        if (p.data[at] == '\\') at++;
    return at < p.size ? at + 1 : p.size;
}

/* Numbers, words and strings; arrays and objects of one line of thought too, so that whole layers are moved. */
static size_t find_tokens(token *tokens, part p)
{
    size_t count = 0, open[64], depth = 0;
    for (size_t at = 0; at < p.size && count < MOST_TOKENS;) {
        const uint8_t c = p.data[at];
        size_t end = at + 1;
        if (c == '"')
            end = string_end(p, at);
        else if (isalnum(c) || c == '-')
            while (end < p.size && (isalnum(p.data[end]) || strchr("+-.", p.data[end])))
                end++;
        if (c == '"' || isalnum(c) || c == '-') tokens[count++] = (token){at, end - at};
        if ((c == '[' || c == '{') && depth < 64) open[depth++] = at;
        if ((c == ']' || c == '}') && depth > 0) {
            depth--;
            tokens[count++] = (token){open[depth], end - open[depth]};
        }
        at = end;
    }
    return count;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const char *const special[] = {"0",          "1",        "-1",        "null",       "true",
                                          "false",      "[]",       "{}",        "2147483647", "1e308",
                                          "\"\"",       "[0, 0]",   "[[[[1]]]]", "65536",      "[-1]",
                                          "1e-320",     "\"same\"", "\"valid\"", "[1, 1]",     "[null, 4, 4, 2]",
                                          "\"linear\"", "3",        "2"};
    static token tokens[MOST_TOKENS];
    static uint8_t copy[1 << 20];
    uint8_t *rest = data;
    size_t left = size;
    uint32_t state = seed * 2654435761u + 1;
    if (!seed) return size;
    const part json = next_part(&rest, &left);
    const size_t count = json.size < sizeof copy / 4 ? find_tokens(tokens, json) : 0;
    if (!count || next(&state) % 12 == 0) return LLVMFuzzerMutate(data, size, max_size);
    const token old = tokens[next(&state) % count], other = tokens[next(&state) % count];
    const char *word = special[next(&state) % (sizeof special / sizeof *special)];
    const bool from_itself = next(&state) % 2;
    const uint8_t *text = from_itself ? json.data + other.at : (const uint8_t *)word;
    const size_t length = from_itself ? other.size : strlen(word);
    const size_t now = json.size - old.size + length;
    if (now > sizeof copy || 4 + now + left > max_size) return LLVMFuzzerMutate(data, size, max_size);
    memcpy(copy, json.data, old.at);
    memcpy(copy + old.at, text, length);
    memcpy(copy + old.at + length, json.data + old.at + old.size, json.size - old.at - old.size);
    memmove(data + 4 + now, rest, left);
    memcpy(data + 4, copy, now);
    return put_part(data, 0, now) + left;
}

FUZZ_PLAIN_END
