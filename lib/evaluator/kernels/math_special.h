/* SPDX-License-Identifier: Apache-2.0 */
/* Special functions in double, from their integrals and series: beside erf, lgamma and j0, which the C library has. */
#ifndef CNNFI_EVALUATOR_KERNELS_MATH_SPECIAL_H
#define CNNFI_EVALUATOR_KERNELS_MATH_SPECIAL_H

double cnnfi_lgamma(double x); /* without writing signgam, which threads share */
double cnnfi_digamma(double x);
double cnnfi_erfinv(double x);
double cnnfi_ndtri(double p); /* quantile of the normal distribution */
double cnnfi_bessel_i0(double x);
double cnnfi_bessel_i0e(double x);
double cnnfi_bessel_i1(double x);
double cnnfi_bessel_i1e(double x);
double cnnfi_bessel_k0(double x);
double cnnfi_bessel_k0e(double x);
double cnnfi_bessel_k1(double x);
double cnnfi_bessel_k1e(double x);
double cnnfi_dawson(double x);
double cnnfi_expint(double x);
double cnnfi_fresnel_cos(double x);
double cnnfi_fresnel_sin(double x);
double cnnfi_spence(double x);
double cnnfi_zeta(double x, double q);
double cnnfi_polygamma(double n, double x);
double cnnfi_igamma(double a, double x);
double cnnfi_igammac(double a, double x);
double cnnfi_betainc(double a, double b, double x);

#endif
