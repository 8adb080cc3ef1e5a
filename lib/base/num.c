/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The C library's conversions are correctly rounded, but they follow the locale's decimal point. It is kept out
 * of the text they see: printed digits are picked out of "%e" one by one, and parsed numbers are handed over as
 * integer digits with an exponent ("12345e-7"), which has no point.
 */

/* Digits that decide how a decimal rounds to a double: 767, and one for "more follows". */
#define SIGNIFICANT_DIGITS 780

/* A finite number: value = 0.d1d2d3... x 10^exponent. */
typedef struct decimal {
    bool negative;
    int exponent, count;
    char digits[20];
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The decimal of `digits` digits that is nearest to value. */
static decimal decimal_of(double value, int digits)
{
    char text[48];
    decimal d = {.negative = signbit(value) != 0};
    snprintf(text, sizeof text, "%.*e", digits - 1, fabs(value));
    const char *p = text;
    for (; *p != 'e' && *p != '\0'; p++)
        if (is_digit(*p)) d.digits[d.count++] = *p;
    d.exponent = *p == 'e' ? (int)strtol(p + 1, NULL, 10) + 1 : 0;
    while (d.count > 1 && d.digits[d.count - 1] == '0')
        d.count--;
    d.digits[d.count] = '\0';
    return d;
}

static double decimal_value(const decimal *d)
{
    char text[48];
    snprintf(text, sizeof text, "%se%d", d->digits, d->exponent - d->count);
    return strtod(text, NULL);
}

/* 15 digits survive the way through a double, 17 always identify one: three tries find the shortest. Subnormals have
   fewer bits, and need more tries. */
static decimal shortest(double value)
{
    decimal d = {.count = 0};
    for (int digits = fpclassify(value) == FP_SUBNORMAL ? 1 : 15; digits <= 17; digits++) {
        d = decimal_of(value, digits);
        if (decimal_value(&d) == fabs(value)) break;
    }
    return d;
}

static size_t put_text(char *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out, text, length + 1);
    return length;
}

static size_t put_scientific(char *out, const decimal *d)
{
    size_t n = 0;
    int exponent = d->exponent - 1;
    out[n++] = d->digits[0];
    if (d->count > 1) {
        out[n++] = '.';
        n += put_text(out + n, d->digits + 1);
    }
    return n + (size_t)snprintf(out + n, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static size_t put_positional(char *out, const decimal *d)
{
    size_t n = 0;
    if (d->exponent <= 0) {
        n += put_text(out, "0.");
        for (int i = d->exponent; i < 0; i++)
            out[n++] = '0';
        return n + put_text(out + n, d->digits);
    }
    for (int i = 0; i < d->exponent; i++)
        out[n++] = i < d->count ? d->digits[i] : '0';
    out[n++] = '.';
    return n + put_text(out + n, d->count > d->exponent ? d->digits + d->exponent : "0");
}

/* float_repr_style "short" of Python: positional from 1e-4 up to below 1e16. */
size_t cnnfi_format_double(char out[32], double value)
{
    if (isnan(value)) return put_text(out, "nan");
    size_t n = signbit(value) ? put_text(out, "-") : 0;
    if (isinf(value)) return n + put_text(out + n, "inf");
    if (value == 0) return n + put_text(out + n, "0.0");
    decimal d = shortest(value);
    bool positional = d.exponent > -4 && d.exponent <= 16;
    return n + (positional ? put_positional(out + n, &d) : put_scientific(out + n, &d));
}

size_t cnnfi_format_fixed(char out[352], double value, int digits)
{
    if (isnan(value)) return put_text(out, "nan");
    if (isinf(value)) return put_text(out, value < 0 ? "-inf" : "inf");
    char text[384];
    digits = digits < 0 ? 0 : digits > 30 ? 30 : digits;
    snprintf(text, sizeof text, "%.*f", digits, value);
    size_t n = 0;
    bool point = false;
    for (const char *p = text; *p != '\0'; p++) {
        if (is_digit(*p) || *p == '-')
            out[n++] = *p;
        else if (!point)
            out[n++] = '.', point = true;
    }
    out[n] = '\0';
    return n;
}

/* What a decimal number says, without its point. */
typedef struct scanned {
    char text[SIGNIFICANT_DIGITS + 48]; /* "-123e-4" */
    size_t used;
} scanned;

typedef struct digit_run {
    char *out;
    size_t count;     /* significant digits taken */
    int64_t exponent; /* of ten, after the digits taken */
    bool any, more;   /* some digit; a non-zero one beyond those taken */
} digit_run;

static void take_digit(digit_run *run, char c, bool fraction)
{
    run->any = true;
    if (run->count == 0 && c == '0') {
        run->exponent -= fraction;
        return;
    }
    if (run->count == SIGNIFICANT_DIGITS) {
        run->more |= c != '0';
        run->exponent += !fraction;
        return;
    }
    run->out[run->count++] = c;
    run->exponent -= fraction;
}

/* "e-12" at text: its value, and how many characters it has (0: none). */
static size_t scan_exponent(const char *text, size_t n, int64_t *out)
{
    size_t i = 1;
    if (n == 0 || (text[0] | 0x20) != 'e') return 0;
    bool negative = i < n && text[i] == '-';
    if (i < n && (text[i] == '-' || text[i] == '+')) i++;
    if (i == n || !is_digit(text[i])) return 0;
    int64_t value = 0;
    for (; i < n && is_digit(text[i]); i++)
        if (value < 1000000) value = value * 10 + (text[i] - '0');
    *out = negative ? -value : value;
    return i;
}

static void scan_number(scanned *s, const char *text, size_t n)
{
    size_t i = 0, at = 0;
    s->used = 0;
    if (n > 0 && (text[0] == '-' || text[0] == '+')) {
        if (text[0] == '-') s->text[at++] = '-';
        i++;
    }
    digit_run run = {.out = s->text + at};
    for (; i < n && is_digit(text[i]); i++)
        take_digit(&run, text[i], false);
    if (i < n && text[i] == '.' && (run.any || (i + 1 < n && is_digit(text[i + 1]))))
        for (i++; i < n && is_digit(text[i]); i++)
            take_digit(&run, text[i], true);
    if (!run.any) return;
    int64_t exponent = 0;
    i += scan_exponent(text + i, n - i, &exponent);
    if (run.count == 0) run.out[run.count++] = '0';
    if (run.more) run.out[run.count++] = '1', run.exponent--;
    exponent += run.exponent;
    if (exponent > 999999) exponent = 999999;
    if (exponent < -999999) exponent = -999999;
    snprintf(run.out + run.count, 24, "e%ld", (long)exponent);
    s->used = i;
}

double cnnfi_parse_double(const char *text, size_t n, size_t *used)
{
    scanned s;
    scan_number(&s, text, n);
    *used = s.used;
    return s.used > 0 ? strtod(s.text, NULL) : 0;
}

float cnnfi_parse_float(const char *text, size_t n, size_t *used)
{
    scanned s;
    scan_number(&s, text, n);
    *used = s.used;
    return s.used > 0 ? strtof(s.text, NULL) : 0;
}

bool cnnfi_parse_i64(const char *text, size_t n, int64_t *out)
{
    size_t i = n > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    bool negative = n > 0 && text[0] == '-';
    int64_t value = 0;
    if (i == n) return false;
    for (; i < n; i++) {
        if (!is_digit(text[i])) return false;
        int64_t digit = text[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float cnnfi_half_to_float(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u, mantissa = bits & 1023u;
    if (exponent == 31) return float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent > 0) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    float magnitude = (float)mantissa * 0x1p-24f; /* subnormal: exact */
    return float_of(sign | bits_of(magnitude));
}

/* Drops `shift` low bits, to nearest, ties to even. */
static uint32_t round_shift(uint32_t value, unsigned shift)
{
    uint32_t half = 1u << (shift - 1), odd = (value >> shift) & 1u;
    return (value + half - 1 + odd) >> shift;
}

uint16_t cnnfi_float_to_half(float value)
{
    uint32_t bits = bits_of(value), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) /* NaN: quiet, upper payload kept */
        return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 1023u));
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
    if (magnitude >= 0x38800000u)                                    /* 2^-14: normal */
        return (uint16_t)(sign | round_shift(magnitude - (112u << 23), 13));
    uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return (uint16_t)sign; /* below 2^-25 */
    uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    return (uint16_t)(sign | round_shift(mantissa, 126u - exponent));
}

float cnnfi_bfloat16_to_float(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t cnnfi_float_to_bfloat16(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
