/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/tflite/tflite_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cnnfreeze/version.h>

#include "base/num.h"
#include "serializer/export/permuted.h"
#include "serializer/tflite/flatbuffer.h"
#include "serializer/tflite/tflite_builtin.h"

/* Where weights begin; runtimes map them. */
#define ALIGNMENT     ((size_t)16)
#define RUNTIME_BYTES 16

/* ---- weights ---- */

/* A constant on its way: which element is next tells its scale. */
typedef struct payload {
    const cnnfi_tfl_tensor *tensor;
    cnnfi_sink *sink;
    size_t next, inner; /* inner: elements between two places along the axis of the scales */
} payload;

static cnnf_status put_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    const payload *p = user;
    return cnnfi_sink_write(p->sink, data, size, error);
}

enum { CHUNK = 1024 };

static cnnf_status put_halves(const void *data, size_t size, void *user, cnnf_error *error)
{
    const payload *p = user;
    const float *values = data;
    uint16_t halves[CHUNK];
    for (size_t count = size / sizeof *values; count > 0;) {
        const size_t n = count < CHUNK ? count : CHUNK;
        for (size_t i = 0; i < n; i++)
            halves[i] = cnnfi_float_to_half(values[i]);
        CNNFI_TRY(cnnfi_sink_write(p->sink, halves, n * sizeof *halves, error));
        values += n;
        count -= n;
    }
    return CNNF_OK;
}

static int8_t quantize(float value, float scale)
{
    const float q = roundf(value / scale);
    return q > 127 ? 127 : q < -127 ? -127 : (int8_t)q;
}

static cnnf_status put_bytes(const void *data, size_t size, void *user, cnnf_error *error)
{
    payload *p = user;
    const cnnfi_tfl_quantization *q = p->tensor->quantization;
    const float *values = data;
    int8_t bytes[CHUNK];
    for (size_t count = size / sizeof *values; count > 0;) {
        const size_t n = count < CHUNK ? count : CHUNK;
        for (size_t i = 0; i < n; i++, p->next++)
            bytes[i] = quantize(values[i], q->scales[p->next / p->inner % q->n_scales]);
        CNNFI_TRY(cnnfi_sink_write(p->sink, bytes, n, error));
        values += n;
        count -= n;
    }
    return CNNF_OK;
}

/* Of a float tensor as halves or bytes, else as it is. */
static cnnfi_piece_fn piece_of(const cnnfi_tfl_tensor *tensor)
{
    if (cnnf_tensor_dtype(tensor->source) == tensor->dtype) return put_piece;
    return tensor->dtype == CNNF_HALF ? put_halves : put_bytes;
}

static size_t inner_of(const cnnfi_tfl_tensor *tensor)
{
    size_t inner = 1;
    const int32_t axis = tensor->quantization != NULL ? tensor->quantization->axis : 0;
    for (int32_t i = axis + 1; i < tensor->rank; i++)
        inner *= (size_t)tensor->dims[i];
    return inner > 0 ? inner : 1;
}

/* A skeleton's payload. */
static cnnf_status write_source(const void *user, cnnfi_sink *sink, cnnf_error *error)
{
    const cnnfi_tfl_tensor *tensor = user;
    payload p = {.tensor = tensor, .sink = sink, .inner = inner_of(tensor)};
    const cnnfi_piece_fn piece = piece_of(tensor);
    if (tensor->permuted) return cnnfi_permuted_stream(tensor->source, tensor->perm, piece, &p, error);
    return cnnfi_tensor_stream(tensor->source, piece, &p, error);
}

static void put_constant(cnnfi_skeleton *s, const cnnfi_tfl_tensor *tensor)
{
    if (tensor->source == NULL)
        cnnfi_skeleton_raw(s, (cnnfi_bytes){.data = tensor->data, .size = tensor->size});
    else if (!tensor->permuted && piece_of(tensor) == put_piece)
        cnnfi_skeleton_cut_tensor(s, tensor->source);
    else
        cnnfi_skeleton_cut_written(s, tensor->size, write_source, tensor);
}

/* ---- what is counted before it is written ---- */

typedef struct opcode {
    cnnfi_tfl_code code;
    int32_t version;
} opcode;

typedef struct contents {
    cnnfi_tfl_model *model;
    size_t n_tensors, n_nodes, n_opcodes, n_buffers;
    cnnfi_tfl_tensor **tensors; /* [n_tensors] in the file's order */
    opcode *opcodes;            /* [n_opcodes] */
    char runtime[RUNTIME_BYTES];
    cnnfi_bytes conversion; /* the converter's metadata */
    size_t *data;           /* [n_buffers] places of their data */
} contents;

static uint32_t number_of_opcode(contents *c, const cnnfi_tfl_node *node)
{
    const opcode own = {.code = node->code, .version = cnnfi_tfl_version(node)};
    size_t i = 0;
    while (i < c->n_opcodes && (c->opcodes[i].code != own.code || c->opcodes[i].version != own.version))
        i++;
    if (i == c->n_opcodes) c->opcodes[c->n_opcodes++] = own;
    return (uint32_t)i;
}

/* "2.10.0" before "2.9.0"? */
static bool is_newer(const char *a, const char *b)
{
    int32_t x[3] = {0}, y[3] = {0};
    sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2]);
    sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2]);
    for (int i = 0; i < 3; i++)
        if (x[i] != y[i]) return x[i] > y[i];
    return false;
}

static void find_runtime(contents *c)
{
    for (size_t i = 0; i < c->n_opcodes; i++) {
        size_t length;
        char text[RUNTIME_BYTES] = {0};
        const char *runtime = cnnfi_tfl_runtime(c->opcodes[i].code, c->opcodes[i].version, &length);
        if (length >= sizeof text) continue;
        memcpy(text, runtime, length);
        if (is_newer(text, c->runtime)) memcpy(c->runtime, text, sizeof text);
    }
}

static void count_contents(contents *c)
{
    cnnfi_tfl_model *model = c->model;
    c->n_tensors = cnnfi_tfl_number_tensors(model, &c->tensors);
    for (const cnnfi_tfl_node *node = model->nodes; node != NULL; node = node->next)
        c->n_nodes++;
    c->opcodes = cnnfi_export_array(&model->x, c->n_nodes, sizeof *c->opcodes);
    if (model->x.status != CNNF_OK) return;
    for (cnnfi_tfl_node *node = model->nodes; node != NULL; node = node->next)
        node->opcode = number_of_opcode(c, node);
    find_runtime(c);
    c->n_buffers = 1; /* the first one is empty: every computed tensor's */
    for (size_t i = 0; i < c->n_tensors; i++)
        if (c->tensors[i]->is_constant) c->tensors[i]->buffer = (uint32_t)c->n_buffers++;
    c->n_buffers += 2; /* metadata */
    c->data = cnnfi_export_array(&model->x, c->n_buffers, sizeof *c->data);
}

/* ---- tables ---- */

#define FIELD_BYTE(field, number)                                                                                      \
    {                                                                                                                  \
        .id = (field), .kind = CNNFI_FLAT_BYTE, .value = (uint32_t)(number)                                            \
    }
#define FIELD_INT(field, number)                                                                                       \
    {                                                                                                                  \
        .id = (field), .kind = CNNFI_FLAT_INT, .value = (uint32_t)(number)                                             \
    }
#define FIELD_OFFSET(field)                                                                                            \
    {                                                                                                                  \
        .id = (field), .kind = CNNFI_FLAT_OFFSET                                                                       \
    }
#define COUNT(fields) (sizeof(fields) / sizeof *(fields))

static size_t item(size_t first, size_t index)
{
    return first + 4 * index;
}

static void put_opcodes(cnnfi_skeleton *s, size_t place, const contents *c)
{
    const size_t first = cnnfi_flat_offsets(s, place, c->n_opcodes);
    for (size_t i = 0; i < c->n_opcodes; i++) {
        const uint32_t code = (uint32_t)c->opcodes[i].code;
        cnnfi_flat_field fields[] = {FIELD_BYTE(CODE_DEPRECATED, code < CODE_PLACEHOLDER ? code : CODE_PLACEHOLDER),
                                     FIELD_INT(CODE_VERSION, c->opcodes[i].version), FIELD_INT(CODE_BUILTIN, code)};
        cnnfi_flat_table(s, item(first, i), COUNT(fields), fields);
    }
}

static void put_quantization(cnnfi_skeleton *s, size_t place, const cnnfi_tfl_tensor *tensor)
{
    const cnnfi_tfl_quantization *q = tensor->quantization;
    static const int64_t zero;
    cnnfi_flat_field fields[] = {FIELD_OFFSET(QUANTIZATION_SCALE), FIELD_OFFSET(QUANTIZATION_ZERO_POINT),
                                 FIELD_INT(QUANTIZATION_DIMENSION, q->axis)};
    cnnfi_flat_table(s, place, COUNT(fields), fields);
    cnnfi_flat_vector(s, fields[0].place, q->scales, q->n_scales, sizeof *q->scales);
    cnnfi_flat_vector(s, fields[1].place, &zero, 0, sizeof zero);
    if (s->bytes.failed) return;
    /* One zero for each scale: the vector's count, then its elements. */
    uint8_t *count = (uint8_t *)s->bytes.data + s->bytes.size - 4;
    for (size_t i = 0; i < 4; i++)
        count[i] = (uint8_t)(q->n_scales >> 8 * i);
    for (size_t i = 0; i < q->n_scales; i++)
        cnnfi_strbuf_add(&s->bytes, &zero, sizeof zero);
}

/* An open size counts as 1 in the shape, and is -1 in the signature. */
static void put_tensor(cnnfi_skeleton *s, size_t place, const cnnfi_tfl_tensor *tensor)
{
    int32_t shape[CNNFI_OP_MAX_RANK], signature[CNNFI_OP_MAX_RANK];
    const int32_t rank = tensor->rank > 0 ? tensor->rank : 0;
    bool open = false;
    for (int32_t i = 0; i < rank; i++) {
        signature[i] = tensor->dims[i] < 0 ? -1 : (int32_t)tensor->dims[i];
        shape[i] = signature[i] < 0 ? 1 : signature[i];
        open |= signature[i] < 0;
    }
    cnnfi_flat_field fields[] = {FIELD_OFFSET(TENSOR_SHAPE),
                                 FIELD_OFFSET(TENSOR_NAME),
                                 FIELD_BYTE(TENSOR_TYPE, cnnfi_tfl_type(tensor->dtype)),
                                 FIELD_INT(TENSOR_BUFFER, tensor->buffer),
                                 FIELD_BYTE(TENSOR_HAS_RANK, tensor->rank >= 0),
                                 FIELD_OFFSET(TENSOR_SHAPE_SIGNATURE),
                                 FIELD_OFFSET(TENSOR_QUANTIZATION)};
    const bool quantized = tensor->quantization != NULL;
    size_t n = COUNT(fields) - 2;
    const size_t signature_at = n, quantization_at = open ? n + 1 : n;
    if (open) n++;
    if (quantized) {
        fields[n] = (cnnfi_flat_field)FIELD_OFFSET(TENSOR_QUANTIZATION);
        n++;
    }
    cnnfi_flat_table(s, place, n, fields);
    cnnfi_flat_vector(s, fields[0].place, shape, (size_t)rank, sizeof *shape);
    cnnfi_flat_string(s, fields[1].place, tensor->name);
    if (open) cnnfi_flat_vector(s, fields[signature_at].place, signature, (size_t)rank, sizeof *signature);
    if (quantized) put_quantization(s, fields[quantization_at].place, tensor);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put_options(cnnfi_skeleton *s, size_t place, const cnnfi_tfl_node *node)
{
    cnnfi_flat_field fields[CNNFI_TFL_MAX_OPTIONS];
    for (size_t i = 0; i < node->n_options; i++) {
        const cnnfi_tfl_option *option = &node->options[i];
        static const cnnfi_flat_kind kinds[] = {CNNFI_FLAT_BYTE, CNNFI_FLAT_INT, CNNFI_FLAT_INT, CNNFI_FLAT_OFFSET,
                                                CNNFI_FLAT_OFFSET};
        fields[i] =
            (cnnfi_flat_field){.id = option->field,
                               .kind = kinds[option->kind],
                               .value = option->kind == CNNFI_TFL_REAL ? bits_of(option->f) : (uint32_t)option->i};
    }
    cnnfi_flat_table(s, place, node->n_options, fields);
    for (size_t i = 0; i < node->n_options; i++) {
        const cnnfi_tfl_option *option = &node->options[i];
        if (option->kind == CNNFI_TFL_INTS)
            cnnfi_flat_vector(s, fields[i].place, option->ints, option->count, sizeof *option->ints);
        if (option->kind == CNNFI_TFL_REALS)
            cnnfi_flat_vector(s, fields[i].place, option->reals, option->count, sizeof *option->reals);
    }
}

static void put_indices(cnnfi_skeleton *s, size_t place, size_t count, cnnfi_tfl_tensor *const *tensors)
{
    cnnfi_flat_vector(s, place, NULL, 0, sizeof(int32_t));
    if (s->bytes.failed) return;
    uint8_t *length = (uint8_t *)s->bytes.data + s->bytes.size - 4;
    for (size_t i = 0; i < 4; i++)
        length[i] = (uint8_t)(count >> 8 * i);
    for (size_t i = 0; i < count; i++) {
        const int32_t index = tensors[i] != NULL ? tensors[i]->index : -1;
        cnnfi_strbuf_add(&s->bytes, &index, sizeof index);
    }
}

static void put_node(cnnfi_skeleton *s, size_t place, const cnnfi_tfl_node *node)
{
    const uint32_t options = cnnfi_tfl_options_type(node->code);
    cnnfi_flat_field fields[] = {FIELD_OFFSET(OPERATOR_INPUTS), FIELD_OFFSET(OPERATOR_OUTPUTS),
                                 FIELD_INT(OPERATOR_CODE, node->opcode), FIELD_BYTE(OPERATOR_OPTIONS_TYPE, options),
                                 FIELD_OFFSET(OPERATOR_OPTIONS)};
    cnnfi_flat_table(s, place, options != 0 ? COUNT(fields) : COUNT(fields) - 1, fields);
    put_indices(s, fields[0].place, node->n_inputs, node->inputs);
    put_indices(s, fields[1].place, node->n_outputs, node->outputs);
    if (options != 0) put_options(s, fields[4].place, node);
}

static void put_nodes(cnnfi_skeleton *s, size_t place, const contents *c)
{
    const size_t first = cnnfi_flat_offsets(s, place, c->n_nodes);
    size_t i = 0;
    for (const cnnfi_tfl_node *node = c->model->nodes; node != NULL; node = node->next)
        put_node(s, item(first, i++), node);
}

static size_t count_ports(const cnnfi_tfl_port *ports)
{
    size_t count = 0;
    for (; ports != NULL; ports = ports->next)
        count++;
    return count;
}

static void put_ports(cnnfi_skeleton *s, size_t place, cnnfi_tfl_model *model, const cnnfi_tfl_port *ports)
{
    const size_t count = count_ports(ports);
    cnnfi_tfl_tensor **tensors = cnnfi_export_array(&model->x, count, sizeof(cnnfi_tfl_tensor *));
    if (tensors == NULL) return;
    for (size_t i = 0; ports != NULL; ports = ports->next)
        tensors[i++] = ports->tensor;
    put_indices(s, place, count, tensors);
}

static void put_subgraph(cnnfi_skeleton *s, size_t place, const contents *c)
{
    const size_t only = cnnfi_flat_offsets(s, place, 1);
    cnnfi_flat_field fields[] = {FIELD_OFFSET(SUBGRAPH_TENSORS), FIELD_OFFSET(SUBGRAPH_INPUTS),
                                 FIELD_OFFSET(SUBGRAPH_OUTPUTS), FIELD_OFFSET(SUBGRAPH_OPERATORS),
                                 FIELD_OFFSET(SUBGRAPH_NAME)};
    cnnfi_flat_table(s, only, COUNT(fields), fields);
    const size_t first = cnnfi_flat_offsets(s, fields[0].place, c->n_tensors);
    for (size_t i = 0; i < c->n_tensors; i++)
        put_tensor(s, item(first, i), c->tensors[i]);
    put_ports(s, fields[1].place, c->model, c->model->inputs);
    put_ports(s, fields[2].place, c->model, c->model->outputs);
    put_nodes(s, fields[3].place, c);
    cnnfi_flat_string(s, fields[4].place, "main");
}

static void put_buffers(cnnfi_skeleton *s, size_t place, const contents *c)
{
    const size_t first = cnnfi_flat_offsets(s, place, c->n_buffers);
    for (size_t i = 0; i < c->n_buffers; i++) {
        cnnfi_flat_field data[] = {FIELD_OFFSET(BUFFER_DATA)};
        cnnfi_flat_table(s, item(first, i), i > 0 ? 1 : 0, data);
        c->data[i] = data[0].place;
    }
}

static void put_metadata(cnnfi_skeleton *s, size_t place, const contents *c)
{
    static const char *const names[] = {"min_runtime_version", "CONVERSION_METADATA"};
    const size_t first = cnnfi_flat_offsets(s, place, COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        cnnfi_flat_field fields[] = {FIELD_OFFSET(METADATA_NAME),
                                     FIELD_INT(METADATA_BUFFER, c->n_buffers - COUNT(names) + i)};
        cnnfi_flat_table(s, item(first, i), COUNT(fields), fields);
        cnnfi_flat_string(s, fields[0].place, names[i]);
    }
}

static void put_map(cnnfi_skeleton *s, size_t place, const cnnfi_tfl_port *ports)
{
    const size_t first = cnnfi_flat_offsets(s, place, count_ports(ports));
    for (size_t i = 0; ports != NULL; ports = ports->next, i++) {
        cnnfi_flat_field fields[] = {FIELD_OFFSET(TENSOR_MAP_NAME), FIELD_INT(TENSOR_MAP_INDEX, ports->tensor->index)};
        cnnfi_flat_table(s, item(first, i), COUNT(fields), fields);
        cnnfi_flat_string(s, fields[0].place, ports->key);
    }
}

static void put_signature(cnnfi_skeleton *s, size_t place, const contents *c)
{
    const size_t only = cnnfi_flat_offsets(s, place, 1);
    cnnfi_flat_field fields[] = {FIELD_OFFSET(SIGNATURE_INPUTS), FIELD_OFFSET(SIGNATURE_OUTPUTS),
                                 FIELD_OFFSET(SIGNATURE_KEY)};
    cnnfi_flat_table(s, only, COUNT(fields), fields);
    put_map(s, fields[0].place, c->model->inputs);
    put_map(s, fields[1].place, c->model->outputs);
    cnnfi_flat_string(s, fields[2].place, "serving_default");
}

/* ---- payloads ---- */

/* What a converter says of itself: a FlatBuffer of its own. */
static void put_conversion(cnnfi_skeleton *s, const cnnfi_tfl_model *model)
{
    static const int32_t modes[] = {0, MODE_FLOAT16, MODE_DYNAMIC_RANGE};
    const bool plain = model->weights == CNNFI_TFL_FLOAT32;
    char version[64];
    snprintf(version, sizeof version, "cnnfreeze %s", cnnf_version_string());
    const size_t root = cnnfi_flat_begin(s, "CNVT");
    cnnfi_flat_field fields[] = {FIELD_OFFSET(CONVERSION_ENVIRONMENT), FIELD_OFFSET(CONVERSION_OPTIONS)};
    cnnfi_flat_table(s, root, plain ? 1 : 2, fields);
    cnnfi_flat_field environment[] = {FIELD_OFFSET(ENVIRONMENT_VERSION), FIELD_INT(ENVIRONMENT_API, 2),
                                      FIELD_INT(ENVIRONMENT_MODEL_TYPE, MODEL_TYPE_GRAPH_DEF)};
    cnnfi_flat_table(s, fields[0].place, COUNT(environment), environment);
    cnnfi_flat_string(s, environment[0].place, version);
    if (plain) return;
    cnnfi_flat_field options[] = {FIELD_OFFSET(OPTIONS_MODES)};
    cnnfi_flat_table(s, fields[1].place, COUNT(options), options);
    cnnfi_flat_vector(s, options[0].place, &modes[model->weights], 1, sizeof *modes);
}

static void put_payloads(cnnfi_skeleton *s, const contents *c)
{
    for (size_t i = 0; i < c->n_tensors; i++) {
        const cnnfi_tfl_tensor *tensor = c->tensors[i];
        if (!tensor->is_constant) continue;
        cnnfi_flat_bytes(s, c->data[tensor->buffer], tensor->size, ALIGNMENT);
        put_constant(s, tensor);
    }
    cnnfi_flat_bytes(s, c->data[c->n_buffers - 2], sizeof c->runtime, ALIGNMENT);
    cnnfi_strbuf_add(&s->bytes, c->runtime, sizeof c->runtime);
    cnnfi_flat_bytes(s, c->data[c->n_buffers - 1], c->conversion.size, ALIGNMENT);
    cnnfi_skeleton_raw(s, c->conversion);
}

static void put_model(cnnfi_skeleton *s, const contents *c)
{
    char description[64];
    snprintf(description, sizeof description, "cnnfreeze %s", cnnf_version_string());
    const size_t root = cnnfi_flat_begin(s, CNNFI_TFLITE_IDENTIFIER);
    cnnfi_flat_field fields[] = {FIELD_OFFSET(MODEL_OPERATOR_CODES),
                                 FIELD_OFFSET(MODEL_SUBGRAPHS),
                                 FIELD_OFFSET(MODEL_DESCRIPTION),
                                 FIELD_OFFSET(MODEL_BUFFERS),
                                 FIELD_OFFSET(MODEL_METADATA),
                                 FIELD_OFFSET(MODEL_SIGNATURE_DEFS),
                                 FIELD_INT(MODEL_VERSION, CNNFI_TFLITE_VERSION)};
    cnnfi_flat_table(s, root, COUNT(fields), fields);
    put_opcodes(s, fields[0].place, c);
    put_subgraph(s, fields[1].place, c);
    cnnfi_flat_string(s, fields[2].place, description);
    put_buffers(s, fields[3].place, c);
    put_metadata(s, fields[4].place, c);
    put_signature(s, fields[5].place, c);
    put_payloads(s, c);
}

void cnnfi_tfl_write(cnnfi_skeleton *s, cnnfi_tfl_model *model)
{
    contents c = {.model = model, .runtime = "1.5.0"};
    cnnfi_skeleton conversion;
    count_contents(&c);
    if (model->x.status != CNNF_OK) return;
    cnnfi_skeleton_init(&conversion, model->x.context);
    put_conversion(&conversion, model);
    c.conversion = (cnnfi_bytes){.data = (const uint8_t *)conversion.bytes.data, .size = conversion.bytes.size};
    s->bytes.failed |= conversion.bytes.failed;
    put_model(s, &c);
    cnnfi_skeleton_free(&conversion);
}
