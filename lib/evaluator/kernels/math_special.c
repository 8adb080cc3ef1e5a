/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/kernels/math_special.h"

#include <math.h>
#include <stdbool.h>

#define PI          3.14159265358979323846
#define EULER_GAMMA 0.57721566490153286061

double cnnfi_lgamma(double x)
{
#ifdef _WIN32 /* its lgamma() has no sign to share between threads */
    return lgamma(x);
#else
    int sign;
    return lgamma_r(x, &sign);
#endif
}

double cnnfi_digamma(double x)
{
    double result = 0;
    if (x <= 0 && x == floor(x)) return NAN;                   /* the poles */
    if (x < 0) return cnnfi_digamma(1 - x) - PI / tan(PI * x); /* reflection */
    for (; x < 10; x += 1)
        result -= 1 / x;
    double y = 1 / (x * x);
    /* asymptotic: Bernoulli numbers B2k / 2k */
    return result + log(x) - 0.5 / x -
           y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 - y * 691.0 / 32760)))));
}

/* ---- normal quantile ---- */

/* Halley's iteration on erfc from a crude start; p in (0, 0.5]. */
static double ndtri_lower(double p)
{
    double t = sqrt(-2 * log(p));
    double x = -(t - (2.30753 + 0.27061 * t) / (1 + t * (0.99229 + t * 0.04481)));
    for (int i = 0; i < 4; i++) {
        double cdf = 0.5 * erfc(-x / M_SQRT2), pdf = exp(-x * x / 2) / sqrt(2 * PI);
        double e = cdf - p;
        if (pdf == 0 || e == 0) break;
        double u = e / pdf;
        x -= u / (1 + x * u / 2);
    }
    return x;
}

double cnnfi_ndtri(double p)
{
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    if (p == 0.5) return 0;
    return p < 0.5 ? ndtri_lower(p) : -ndtri_lower(1 - p);
}

double cnnfi_erfinv(double x)
{
    if (!(fabs(x) <= 1)) return NAN;
    if (fabs(x) == 1) return copysign((double)INFINITY, x);
    if (x == 0) return x;
    double y = fabs(x) < 0.5 ? x * sqrt(PI) / 2 : copysign(-ndtri_lower((1 - fabs(x)) / 2) / M_SQRT2, x);
    for (int i = 0; i < 6 && fabs(x) < 0.5; i++) { /* Newton on erf keeps the relative precision near 0 */
        double e = erf(y) - x;
        y -= e / (2 / sqrt(PI) * exp(-y * y) - y * e);
    }
    return y;
}

/* ---- Bessel functions ---- */

/* The trapezoid rule is exact to rounding for periodic integrands: I_n(x) e^-|x| = 1/pi int_0^pi exp(|x|(cos t - 1))
 * cos(nt). */
static double bessel_ie(double x, int order)
{
    double a = fabs(x), sum = 0;
    int steps = 64 + (int)(a < 1e5 ? 6 * sqrt(a) : 2000);
    if (a > 1e5) { /* asymptotic: the integrand is narrower than any grid */
        double m = order ? 3.0 : -1.0;
        return copysign(1, order ? x : 1) * (1 - m / (8 * a)) / sqrt(2 * PI * a);
    }
    for (int i = 0; i <= steps; i++) {
        double t = PI * i / steps, weight = i == 0 || i == steps ? 0.5 : 1;
        sum += weight * exp(a * (cos(t) - 1)) * (order ? cos(t) : 1);
    }
    return (order && x < 0 ? -1 : 1) * sum / steps;
}

double cnnfi_bessel_i0e(double x)
{
    return isnan(x) ? x : bessel_ie(x, 0);
}

double cnnfi_bessel_i1e(double x)
{
    if (isnan(x) || x == 0) return x;
    if (fabs(x) < 1e-3) return exp(-fabs(x)) * x / 2 * (1 + x * x / 8); /* the sum cancels near 0 */
    return bessel_ie(x, 1);
}

double cnnfi_bessel_i0(double x)
{
    return cnnfi_bessel_i0e(x) * exp(fabs(x));
}

double cnnfi_bessel_i1(double x)
{
    return cnnfi_bessel_i1e(x) * exp(fabs(x));
}

/* K_n(x) e^x = int_0^inf exp(-x (cosh t - 1)) cosh(nt): doubly exponential decay, so again the trapezoid rule. */
static double bessel_ke(double x, int order)
{
    double step = 1.0 / 64, sum = 0;
    if (x < 0 || isnan(x)) return NAN;
    if (x == 0) return INFINITY;
    if (x < 1e-8) return order ? 1 / x : -log(x / 2) - EULER_GAMMA;
    if (x > 1000) step /= 16;
    for (int i = 0;; i++) {
        double t = i * step, e = x * (cosh(t) - 1);
        if (e > 745) break;
        sum += (i == 0 ? 0.5 : 1) * exp(-e) * (order ? cosh(t) : 1);
    }
    return sum * step;
}

double cnnfi_bessel_k0e(double x)
{
    return bessel_ke(x, 0);
}

double cnnfi_bessel_k1e(double x)
{
    return bessel_ke(x, 1);
}

double cnnfi_bessel_k0(double x)
{
    return bessel_ke(x, 0) * exp(-x);
}

double cnnfi_bessel_k1(double x)
{
    return bessel_ke(x, 1) * exp(-x);
}

/* ---- integrals ---- */

/* Rybicki's sampling: D(x) = 1/sqrt(pi) sum over odd n of exp(-(x - nh)^2) / n. */
double cnnfi_dawson(double x)
{
    const double h = 0.2;
    double a = fabs(x), sum = 0;
    if (isnan(x)) return x;
    if (a < 0.2) {
        double y = x * x;
        return x * (1 - y * 2 / 3 * (1 - y * 2 / 5 * (1 - y * 2 / 7 * (1 - y * 2 / 9 * (1 - y * 2 / 11)))));
    }
    if (a > 1e4) return 0.5 / x;
    double n0 = 2 * floor(a / h / 2);
    for (int i = -51; i <= 51; i += 2) {
        double d = a - (n0 + i) * h;
        sum += exp(-d * d) / (n0 + i);
    }
    return copysign(sum / sqrt(PI), x);
}

/* Ei(x); NaN below 0, as Eigen's and Cephes' have it. */
double cnnfi_expint(double x)
{
    if (!(x >= 0)) return NAN;
    if (x == 0) return -INFINITY;
    if (x > 50) {
        double term = 1, sum = 1;
        for (int k = 1; k < 50 && fabs(term) > 1e-17; k++) {
            if (k > x) break;
            term *= k / x;
            sum += term;
        }
        return exp(x) / x * sum;
    }
    double term = 1, sum = 0;
    for (int k = 1; k < 300; k++) {
        term *= x / k;
        sum += term / k;
        if (term / k < 1e-18 * fabs(sum)) break;
    }
    return EULER_GAMMA + log(x) + sum;
}

/* C(x) + i S(x): the power series below 3; beyond, the auxiliary functions f and g by their asymptotic series. */
static void fresnel(double x, double *c, double *s)
{
    double a = fabs(x), z = PI * a * a / 2;
    if (a < 3) {
        double term = a;
        *c = *s = 0;
        for (int k = 0; k < 120; k++) {
            *(k % 2 ? s : c) += (k / 2 % 2 ? -1 : 1) * term / (2 * k + 1);
            term *= z / (k + 1);
            if (term < 1e-20) break;
        }
    } else {
        double f = 1, g = 1, tf = 1, tg = 1, w = 1 / (PI * a * a), best_f = 2, best_g = 2;
        for (int k = 1; k < 40; k++) {
            tf *= -(4 * k - 1) * (4 * k - 3) * w * w;
            tg *= -(4 * k + 1) * (4 * k - 1) * w * w;
            if (fabs(tf) > best_f || fabs(tg) > best_g) break; /* asymptotic: stop where terms grow */
            best_f = fabs(tf), best_g = fabs(tg);
            f += tf, g += tg;
        }
        f /= PI * a;
        g /= PI * PI * a * a * a;
        *c = 0.5 + f * sin(z) - g * cos(z);
        *s = 0.5 - f * cos(z) - g * sin(z);
    }
    *c = copysign(*c, x);
    *s = copysign(*s, x);
}

double cnnfi_fresnel_cos(double x)
{
    double c, s;
    if (isnan(x) || isinf(x)) return isnan(x) ? x : copysign(0.5, x);
    fresnel(x, &c, &s);
    return c;
}

double cnnfi_fresnel_sin(double x)
{
    double c, s;
    if (isnan(x) || isinf(x)) return isnan(x) ? x : copysign(0.5, x);
    fresnel(x, &c, &s);
    return s;
}

/* Li2(1 - x) by its series where it converges quickly, by reflection and inversion elsewhere. */
double cnnfi_spence(double x)
{
    double z = 1 - x, term, sum = 0;
    if (!(x >= 0)) return NAN;
    if (x == 0) return PI * PI / 6;
    if (x == 1) return 0;
    if (x < 0.5) return PI * PI / 6 - log(x) * log(1 - x) - cnnfi_spence(1 - x);
    if (x > 1.5) return -0.5 * log(x) * log(x) - cnnfi_spence(1 / x);
    term = z;
    for (int k = 1; k < 200; k++) {
        sum += term / ((double)k * k);
        term *= z;
        if (fabs(term) < 1e-18) break;
    }
    return sum;
}

/* ---- zeta and gamma kin ---- */

/* Hurwitz zeta by Euler-Maclaurin. */
double cnnfi_zeta(double x, double q)
{
    static const double even_bernoulli[] = {1.0 / 6,       -1.0 / 30, 1.0 / 42,      -1.0 / 30,     5.0 / 66,
                                            -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};
    if (x == 1) return INFINITY;
    if (x < 1 || isnan(x) || isnan(q)) return NAN;
    if (q <= 0) {
        if (q == floor(q)) return fmod(x, 2) == 0 ? INFINITY : NAN;
        if (x != floor(x)) return NAN;
    }
    double sum = 0;
    for (int i = 0; i < 12 || q < 10; i++, q += 1) {
        if (i > 1000000) return NAN;
        sum += pow(q, -x);
    }
    sum += pow(q, 1 - x) / (x - 1) + 0.5 * pow(q, -x);
    double factor = x * pow(q, -x - 1), factorial = 2;
    for (int k = 0; k < 10; k++) {
        double term = even_bernoulli[k] / factorial * factor;
        sum += term;
        if (fabs(term) < 1e-18 * fabs(sum)) break;
        factor *= (x + 2 * k + 1) * (x + 2 * k + 2) / (q * q);
        factorial *= (2.0 * k + 3) * (2.0 * k + 4);
    }
    return sum;
}

double cnnfi_polygamma(double n, double x)
{
    if (n != floor(n) || n < 0) return NAN;
    if (n == 0) return cnnfi_digamma(x);
    return (fmod(n, 2) == 0 ? -1 : 1) * exp(cnnfi_lgamma(n + 1)) * cnnfi_zeta(n + 1, x);
}

static double gamma_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int k = 1; k < 100000; k++) {
        term *= x / (a + k);
        sum += term;
        if (term < sum * 1e-17) break;
    }
    return sum * exp(a * log(x) - x - cnnfi_lgamma(a));
}

/* Lentz's evaluation of the continued fraction of the upper function. */
static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int i = 1; i < 100000; i++) {
        double an = -i * (i - a);
        b += 2;
        d = an * d + b;
        if (fabs(d) < 1e-300) d = 1e-300;
        c = b + an / c;
        if (fabs(c) < 1e-300) c = 1e-300;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return h * exp(a * log(x) - x - cnnfi_lgamma(a));
}

/* Arguments without a value, and the ends: true when *out is the answer for the lower function. */
static bool gamma_edge(double a, double x, double *out)
{
    if (isnan(a) || isnan(x) || x < 0 || a < 0 || (a == 0 && x == 0) || (isinf(a) && isinf(x))) {
        *out = NAN;
        return true;
    }
    if (a == 0 || isinf(x)) {
        *out = 1;
        return true;
    }
    *out = 0;
    return x == 0 || isinf(a);
}

double cnnfi_igamma(double a, double x)
{
    double edge;
    if (gamma_edge(a, x, &edge)) return edge;
    return x < a + 1 ? gamma_series(a, x) : 1 - gamma_fraction(a, x);
}

double cnnfi_igammac(double a, double x)
{
    double edge;
    if (gamma_edge(a, x, &edge)) return 1 - edge;
    return x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
}

static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < 1e-300) d = 1e-300;
    d = 1 / d;
    double h = d;
    for (int m = 1; m < 10000; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double num = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                             : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + num * d;
            if (fabs(d) < 1e-300) d = 1e-300;
            c = 1 + num / c;
            if (fabs(c) < 1e-300) c = 1e-300;
            d = 1 / d;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return h;
}

double cnnfi_betainc(double a, double b, double x)
{
    if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) return NAN;
    if (x == 0 || x == 1) return x;
    double front = exp(cnnfi_lgamma(a + b) - cnnfi_lgamma(a) - cnnfi_lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}
