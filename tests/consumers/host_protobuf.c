/* SPDX-License-Identifier: Apache-2.0 */
/* A host with functions of protobuf-c's names, which the library must never enter: linked before consumer.c. */
#include <stdio.h>
#include <stdlib.h>

#define TAKEN(name)                                                                                                    \
    void name(void);                                                                                                   \
    void name(void)                                                                                                    \
    {                                                                                                                  \
        fputs("the library entered the host's " #name "\n", stderr);                                                   \
        exit(9);                                                                                                       \
    }

TAKEN(protobuf_c_message_unpack)
TAKEN(protobuf_c_message_free_unpacked)
TAKEN(protobuf_c_message_init)
TAKEN(protobuf_c_message_pack)
TAKEN(protobuf_c_message_pack_to_buffer)
TAKEN(protobuf_c_message_get_packed_size)
TAKEN(protobuf_c_message_descriptor_get_field)
TAKEN(protobuf_c_enum_descriptor_get_value)
