/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include "base/os.h"
#endif

/*
 * A crc is linear over GF(2): the entry for a byte is the xor of the entries for its bits, so eight
 * constants make a table of 256, at compile time.
 */
#define BIT(i, b, value) (((i) >> (b)&1u) ? (value) : 0u)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                                               \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^          \
     BIT(i, 7, h))
#define ROW4(i, ...)                                                                                                   \
    ENTRY(i, __VA_ARGS__), ENTRY(i + 1, __VA_ARGS__), ENTRY(i + 2, __VA_ARGS__), ENTRY(i + 3, __VA_ARGS__)
#define ROW16(i, ...)                                                                                                  \
    ROW4(i, __VA_ARGS__), ROW4(i + 4, __VA_ARGS__), ROW4(i + 8, __VA_ARGS__), ROW4(i + 12, __VA_ARGS__)
#define ROW64(i, ...)                                                                                                  \
    ROW16(i, __VA_ARGS__), ROW16(i + 16, __VA_ARGS__), ROW16(i + 32, __VA_ARGS__), ROW16(i + 48, __VA_ARGS__)
#define TABLE(...)                                                                                                     \
    {                                                                                                                  \
        ROW64(0u, __VA_ARGS__), ROW64(64u, __VA_ARGS__), ROW64(128u, __VA_ARGS__), ROW64(192u, __VA_ARGS__)            \
    }

/* byte_table[k][v]: the crc of byte v followed by k zero bytes. */
static const uint32_t byte_table[8][256] = {
    TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
    TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, 8);
    return value;
}

static uint32_t crc_portable(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 8; p += 8, size -= 8) {
        const uint64_t v = load64(p) ^ crc;
        crc = byte_table[7][v & 255] ^ byte_table[6][v >> 8 & 255] ^ byte_table[5][v >> 16 & 255] ^
              byte_table[4][v >> 24 & 255] ^ byte_table[3][v >> 32 & 255] ^ byte_table[2][v >> 40 & 255] ^
              byte_table[1][v >> 48 & 255] ^ byte_table[0][v >> 56];
    }
    for (; size > 0; p++, size--)
        crc = byte_table[0][(crc ^ *p) & 255] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__) || defined(__aarch64__)

#if defined(__x86_64__)
#define HARDWARE          __attribute__((target("sse4.2")))
#define CRC64(crc, value) ((uint32_t)_mm_crc32_u64((crc), (value)))
#define CRC8(crc, value)  _mm_crc32_u8((crc), (value))
#define HAVE_HARDWARE     __builtin_cpu_supports("sse4.2")
#else
#define HARDWARE
#define CRC64(crc, value) crc32cx((crc), (value))
#define CRC8(crc, value)  crc32cb((crc), (value))
#define HAVE_HARDWARE     cnnfi_os_has_arm_crc32()

/* Optional in ARMv8.0: compilers give the intrinsics only to files that require it, each in another way. */
static inline uint32_t crc32cx(uint32_t crc, uint64_t value)
{
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(value));
    return crc;
}

static inline uint32_t crc32cb(uint32_t crc, uint8_t value)
{
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)value));
    return crc;
}
#endif

/*
 * The instruction takes three cycles but one can start in each: three lanes side by side. LANE
 * zero bytes are appended to a lane's crc by lane_table, one row per byte of the crc.
 */
#define LANE ((size_t)1024)

static const uint32_t lane_table[4][256] = {
    TABLE(0xfe314258, 0xf98ef241, 0xf6f19273, 0xe80f5217, 0xd5f2d2df, 0xae09d34f, 0x59ffd06f, 0xb3ffa0de),
    TABLE(0x6213374d, 0xc4266e9a, 0x8da0abc5, 0x1ead217b, 0x3d5a42f6, 0x7ab485ec, 0xf5690bd8, 0xef3e6141),
    TABLE(0xdb90b473, 0xb2cd1e17, 0x60764adf, 0xc0ec95be, 0x84355d8d, 0x0d86cdeb, 0x1b0d9bd6, 0x361b37ac),
    TABLE(0x6c366f58, 0xd86cdeb0, 0xb535cb91, 0x6f87e1d3, 0xdf0fc3a6, 0xbbf3f1bd, 0x720b958b, 0xe4172b16),
};

static uint32_t skip_lane(uint32_t crc)
{
    return lane_table[0][crc & 255] ^ lane_table[1][crc >> 8 & 255] ^ lane_table[2][crc >> 16 & 255] ^
           lane_table[3][crc >> 24];
}

HARDWARE static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 3 * LANE; p += 3 * LANE, size -= 3 * LANE) {
        uint32_t b = 0, c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            crc = CRC64(crc, load64(p + i));
            b = CRC64(b, load64(p + LANE + i));
            c = CRC64(c, load64(p + 2 * LANE + i));
        }
        crc = skip_lane(skip_lane(crc) ^ b) ^ c;
    }
    for (; size >= 8; p += 8, size -= 8)
        crc = CRC64(crc, load64(p));
    for (; size > 0; p++, size--)
        crc = CRC8(crc, *p);
    return crc;
}

#else

#define HAVE_HARDWARE false
#define crc_hardware  crc_portable

#endif

uint32_t cnnfi_crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *p = (const uint8_t *)data;
    return ~(HAVE_HARDWARE ? crc_hardware(~crc, p, size) : crc_portable(~crc, p, size));
}

uint32_t cnnfi_crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    return ~crc_portable(~crc, (const uint8_t *)data, size);
}
