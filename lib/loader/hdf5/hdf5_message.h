/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of an object header that a reader of numbers and strings needs, decoded. */
#ifndef CNNFI_LOADER_HDF5_MESSAGE_H
#define CNNFI_LOADER_HDF5_MESSAGE_H

#include "loader/hdf5/hdf5_store.h"

#define CNNFI_H5_MAX_RANK    32u
#define CNNFI_H5_MAX_FILTERS 8u

enum {
    CNNFI_H5_MSG_NIL = 0x00,
    CNNFI_H5_MSG_DATASPACE = 0x01,
    CNNFI_H5_MSG_LINK_INFO = 0x02,
    CNNFI_H5_MSG_DATATYPE = 0x03,
    CNNFI_H5_MSG_OLD_FILL = 0x04,
    CNNFI_H5_MSG_FILL = 0x05,
    CNNFI_H5_MSG_LINK = 0x06,
    CNNFI_H5_MSG_EXTERNAL = 0x07,
    CNNFI_H5_MSG_LAYOUT = 0x08,
    CNNFI_H5_MSG_GROUP_INFO = 0x0a,
    CNNFI_H5_MSG_FILTERS = 0x0b,
    CNNFI_H5_MSG_ATTRIBUTE = 0x0c,
    CNNFI_H5_MSG_COMMENT = 0x0d,
    CNNFI_H5_MSG_OLD_TIME = 0x0e,
    CNNFI_H5_MSG_CONTINUATION = 0x10,
    CNNFI_H5_MSG_SYMBOL_TABLE = 0x11,
    CNNFI_H5_MSG_TIME = 0x12,
    CNNFI_H5_MSG_TREE_K = 0x13,
    CNNFI_H5_MSG_ATTRIBUTE_INFO = 0x15,
    CNNFI_H5_MSG_REFCOUNT = 0x16,
    CNNFI_H5_MSG_FILE_SPACE = 0x17,
};

/* One message as it lies in a header. */
typedef struct cnnfi_h5_message {
    unsigned kind;
    uint64_t at; /* of its bytes in the file, for messages */
    const uint8_t *p;
    size_t size;
} cnnfi_h5_message;

typedef enum cnnfi_h5_class {
    CNNFI_H5_INTEGER = 0,
    CNNFI_H5_FLOAT = 1,
    CNNFI_H5_STRING = 3,
    CNNFI_H5_VLEN = 9,
} cnnfi_h5_class;

typedef struct cnnfi_h5_type {
    uint8_t class; /* cnnfi_h5_class, or another of the format's */
    uint32_t size;
    bool big_endian, is_signed;
    bool variable;      /* a string in a global heap */
    bool space_padded;  /* a string whose trailing spaces are padding */
    const char *refuse; /* why values of this type are not read; NULL when they are */
} cnnfi_h5_type;

typedef struct cnnfi_h5_space {
    unsigned rank;
    bool scalar, null;
    uint64_t dims[CNNFI_H5_MAX_RANK], max[CNNFI_H5_MAX_RANK]; /* max: CNNFI_H5_UNDEFINED is unlimited */
    uint64_t points;                                          /* saturates */
} cnnfi_h5_space;

/* The value of elements that were never written; no bytes: zeros. */
typedef struct cnnfi_h5_fill {
    const uint8_t *value;
    uint32_t size;
} cnnfi_h5_fill;

enum { CNNFI_H5_DEFLATE = 1, CNNFI_H5_SHUFFLE = 2, CNNFI_H5_FLETCHER32 = 3 };

/* In the order in which a writer applied them. */
typedef struct cnnfi_h5_filters {
    unsigned count;
    uint16_t id[CNNFI_H5_MAX_FILTERS];
    uint32_t first_value[CNNFI_H5_MAX_FILTERS]; /* shuffle: the size of an element */
} cnnfi_h5_filters;

typedef enum cnnfi_h5_index {
    CNNFI_H5_INDEX_TREE1 = 0, /* layout version 3 */
    CNNFI_H5_INDEX_SINGLE = 1,
    CNNFI_H5_INDEX_IMPLICIT = 2,
    CNNFI_H5_INDEX_FIXED_ARRAY = 3,
    CNNFI_H5_INDEX_EXTENSIBLE_ARRAY = 4,
    CNNFI_H5_INDEX_TREE2 = 5,
} cnnfi_h5_index;

enum { CNNFI_H5_COMPACT = 0, CNNFI_H5_CONTIGUOUS = 1, CNNFI_H5_CHUNKED = 2, CNNFI_H5_VIRTUAL = 3 };

typedef struct cnnfi_h5_layout {
    uint8_t class;
    uint64_t at;            /* of the message */
    const uint8_t *compact; /* its bytes */
    uint64_t address, size; /* of compact (size) and contiguous data */
    /* chunked: `address` is the index's */
    cnnfi_h5_index index;
    unsigned rank; /* of the chunks, without the elements' own dimension */
    uint64_t chunk[CNNFI_H5_MAX_RANK];
    uint64_t element_size;
    bool edges_unfiltered;   /* chunks that reach over the edge are stored as they are */
    bool single_filtered;    /* the single chunk's stored size and mask follow */
    uint64_t single_size;    /* bytes */
    uint32_t single_mask;    /* filters not applied */
    const uint8_t *creation; /* the index's own creation parameters */
    size_t creation_size;
} cnnfi_h5_layout;

typedef struct cnnfi_h5_link {
    const char *name;
    uint8_t kind;       /* 0 hard, 1 soft, 64 external */
    uint64_t address;   /* hard */
    const char *target; /* else: the path, or "file:object" */
} cnnfi_h5_link;

typedef struct cnnfi_h5_attribute {
    const char *name;
    uint64_t at;
    const uint8_t *type, *space, *data;
    size_t type_size, space_size, data_size;
    bool shared; /* its type or shape is another object's */
} cnnfi_h5_attribute;

/* Where links or attributes in dense storage are; both CNNFI_H5_UNDEFINED when there are none. */
typedef struct cnnfi_h5_dense {
    uint64_t heap, names;
} cnnfi_h5_dense;

const char *cnnfi_h5_class_name(unsigned class);

/* Each fails with CNNF_E_CORRUPT for a damaged message, CNNF_E_UNSUPPORTED for one outside the profile. */
cnnf_status cnnfi_h5_decode_type(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_type *out);
cnnf_status cnnfi_h5_decode_space(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_space *out);
cnnf_status cnnfi_h5_decode_fill(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_fill *out);
cnnf_status cnnfi_h5_decode_filters(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_filters *out);
cnnf_status cnnfi_h5_decode_layout(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_layout *out);
/* Names are copied into the store's arena. */
cnnf_status cnnfi_h5_decode_link(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_link *out);
cnnf_status cnnfi_h5_decode_attribute(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_attribute *out);
/* Link info and attribute info. */
cnnf_status cnnfi_h5_decode_dense(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_dense *out);

#endif
