/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the counts: classes that occur, the commonest confusions, averages, calibration. */
#include "evaluation/report/evaluation_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

const char *cnnfi_report_class_name(const cnnf_report *report, int64_t label, char room[24])
{
    if (report->class_names[label]) return report->class_names[label];
    snprintf(room, 24, "%" PRId64, label);
    return room;
}

bool cnnfi_report_is_calibrated(const cnnfi_run *run)
{
    return run->no_probability == 0 && cnnf_metrics_count(run->metrics) > 0;
}

/* ---- classes ---- */

/* [classes] images of each label, and of each guess. */
typedef struct sums {
    int64_t *labels, *guesses;
} sums;

static bool sum_up(sums *out, cnnfi_arena *arena, const cnnf_metrics *metrics)
{
    const int64_t n = cnnf_metrics_classes(metrics);
    out->labels = cnnfi_arena_array(arena, (size_t)n, sizeof *out->labels);
    out->guesses = cnnfi_arena_array(arena, (size_t)n, sizeof *out->guesses);
    if (!out->labels || !out->guesses) return false;
    for (int64_t label = 0; label < n; label++) {
        for (int64_t guess = 0; guess < n; guess++) {
            const int64_t count = cnnf_metrics_confusion(metrics, label, guess);
            out->labels[label] += count;
            out->guesses[guess] += count;
        }
    }
    return true;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static cnnfi_class_facts class_facts(const cnnf_metrics *metrics, const sums *s, int64_t label)
{
    cnnfi_class_facts c = {.label = label,
                           .images = s->labels[label],
                           .guesses = s->guesses[label],
                           .correct = cnnf_metrics_confusion(metrics, label, label)};
    c.precision = share(c.correct, c.guesses);
    c.recall = share(c.correct, c.images);
    c.f1 = share(2 * c.correct, c.images + c.guesses);
    return c;
}

/* The averages over the classes that have images: Keras' and scikit-learn's "macro". */
static void average(cnnfi_facts *f)
{
    int64_t n = 0;
    for (int64_t i = 0; i < f->n_classes; i++) {
        if (!f->classes[i].images) continue;
        f->precision += f->classes[i].precision;
        f->recall += f->classes[i].recall;
        f->f1 += f->classes[i].f1;
        n++;
    }
    f->precision /= n ? (double)n : 1;
    f->recall /= n ? (double)n : 1;
    f->f1 /= n ? (double)n : 1;
}

/* ---- confusions ---- */

static void keep_pair(cnnfi_facts *f, cnnfi_confusion new)
{
    int64_t at = f->n_pairs;
    f->n_confused++;
    if (at == CNNFI_REPORT_PAIRS) {
        if (f->pairs[at - 1].count >= new.count) return; /* the earlier classes stay among equals */
        at--;
    } else {
        f->n_pairs++;
    }
    for (; at > 0 && f->pairs[at - 1].count < new.count; at--)
        f->pairs[at] = f->pairs[at - 1];
    f->pairs[at] = new;
}

static void find_pairs(cnnfi_facts *f, const cnnf_metrics *metrics)
{
    for (int64_t i = 0; i < f->n_classes; i++) {
        for (int64_t k = 0; k < f->n_classes; k++) {
            const int64_t label = f->classes[i].label, guess = f->classes[k].label;
            const int64_t count = label == guess ? 0 : cnnf_metrics_confusion(metrics, label, guess);
            if (count) keep_pair(f, (cnnfi_confusion){label, guess, count});
        }
    }
}

/* ---- calibration ---- */

/* Mean distance of confidence and accuracy, the bins weighted by their examples. */
static double calibration_error(const cnnfi_run *run)
{
    double sum = 0;
    int64_t count = 0;
    for (int i = 0; i < CNNFI_REPORT_BINS; i++) {
        const cnnfi_bin *bin = &run->bins[i];
        sum += fabs((double)bin->confidence / CNNFI_CONFIDENCE_UNIT - (double)bin->correct);
        count += bin->count;
    }
    return count ? sum / (double)count : 0;
}

bool cnnfi_report_facts(cnnfi_facts *out, cnnfi_arena *arena, const cnnf_report *report, int32_t run)
{
    sums all[CNNFI_REPORT_RUNS];
    const int32_t runs = cnnfi_report_run_count(report);
    const cnnf_metrics *metrics = report->runs[run].metrics;
    *out = (cnnfi_facts){0};
    for (int32_t i = 0; i < runs; i++) {
        if (!sum_up(&all[i], arena, report->runs[i].metrics)) return false;
    }
    out->classes = cnnfi_arena_array(arena, (size_t)report->classes, sizeof *out->classes);
    if (!out->classes) return false;
    for (int64_t label = 0; label < report->classes; label++) {
        bool occurs = false;
        for (int32_t i = 0; i < runs; i++)
            occurs = occurs || all[i].labels[label] || all[i].guesses[label];
        if (occurs) out->classes[out->n_classes++] = class_facts(metrics, &all[run], label);
    }
    out->absent = report->classes - out->n_classes;
    average(out);
    find_pairs(out, metrics);
    out->ece = calibration_error(&report->runs[run]);
    return true;
}
