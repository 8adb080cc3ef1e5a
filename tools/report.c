/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_confusion(FILE *to, const cnnf_metrics *metrics, const char *separator)
{
    const int64_t classes = cnnf_metrics_classes(metrics);
    for (int64_t label = 0; label < classes; label++) {
        for (int64_t guess = 0; guess < classes; guess++) {
            fprintf(to, "%s%" PRId64, guess ? separator : "", cnnf_metrics_confusion(metrics, label, guess));
        }
        fputc('\n', to);
    }
}

/* A line of commas per label; gives the length, writes what there is room for. */
static size_t confusion_text(char *text, size_t room, const cnnf_metrics *metrics)
{
    const int64_t classes = cnnf_metrics_classes(metrics);
    size_t size = 0;
    for (int64_t label = 0; label < classes; label++) {
        for (int64_t guess = 0; guess < classes; guess++) {
            const int64_t count = cnnf_metrics_confusion(metrics, label, guess);
            char *at = size < room ? text + size : NULL;
            size +=
                (size_t)snprintf(at, at ? room - size : 0, "%" PRId64 "%c", count, guess + 1 < classes ? ',' : '\n');
        }
    }
    return size;
}

static cnnf_status write_confusion(const session *s, const cnnf_metrics *metrics, const char *path)
{
    if (!*path) {
        puts("Confusion matrix (row: label, column: guess):");
        print_confusion(stdout, metrics, " ");
        return CNNF_OK;
    }
    const size_t size = confusion_text(NULL, 0, metrics);
    char *text = malloc(size + 1);
    if (!text) return CNNF_E_NOMEM;
    confusion_text(text, size + 1, metrics);
    const cnnf_status status = cnnf_write_file(s->context, path, text, size, NULL, s->error);
    free(text);
    return status;
}

static void print_classes(const cnnf_metrics *metrics, const label_names *labels)
{
    char room[24];
    printf("%-20s %9s %9s %9s %9s\n", "class", "images", "precision", "recall", "f1");
    for (int64_t c = 0; c < cnnf_metrics_classes(metrics); c++) {
        int64_t images = 0;
        for (int64_t g = 0; g < cnnf_metrics_classes(metrics); g++)
            images += cnnf_metrics_confusion(metrics, c, g);
        printf("%-20s %9" PRId64 " %9.4f %9.4f %9.4f\n", label_name(labels, c, room), images,
               cnnf_metrics_precision(metrics, c), cnnf_metrics_recall(metrics, c), cnnf_metrics_f1(metrics, c));
    }
}

static void print_worst(const cnnf_metrics *metrics, const label_names *labels)
{
    char room[24], other[24];
    puts("Worst mistakes (row, label, guess, confidence):");
    for (int64_t i = 0; i < cnnf_metrics_worst_count(metrics); i++) {
        int64_t row, label, guess;
        double confidence;
        if (cnnf_metrics_worst(&row, &label, &guess, &confidence, metrics, i, NULL)) return;
        printf("%" PRId64 " %s %s %.4f\n", row, label_name(labels, label, room), label_name(labels, guess, other),
               confidence);
    }
}

static void print_text(const cnnf_metrics *metrics, const report_request *request, const label_names *labels)
{
    printf("Graph accuracy with validation dataset: %.4f\n", cnnf_metrics_accuracy(metrics));
    if (request->topk)
        printf("Top-%" PRId64 " accuracy: %.4f\n", request->topk, cnnf_metrics_topk(metrics, request->topk));
    if (request->details) {
        printf("Images: %" PRId64 ", correct: %" PRId64 "\n", cnnf_metrics_count(metrics),
               cnnf_metrics_correct(metrics));
        printf("Loss: %.6f\n", cnnf_metrics_loss(metrics));
        if (request->seconds > 0) printf("Images/s: %.0f\n", (double)cnnf_metrics_count(metrics) / request->seconds);
        print_classes(metrics, labels);
    }
    if (request->worst) print_worst(metrics, labels);
}

static void print_json_classes(const cnnf_metrics *metrics)
{
    const int64_t classes = cnnf_metrics_classes(metrics);
    printf("\"classes\":[");
    for (int64_t c = 0; c < classes; c++) {
        printf("%s{\"precision\":%.6f,\"recall\":%.6f,\"f1\":%.6f}", c ? "," : "", cnnf_metrics_precision(metrics, c),
               cnnf_metrics_recall(metrics, c), cnnf_metrics_f1(metrics, c));
    }
    printf("],\"confusion\":[");
    for (int64_t c = 0; c < classes; c++) {
        printf("%s[", c ? "," : "");
        for (int64_t g = 0; g < classes; g++)
            printf("%s%" PRId64, g ? "," : "", cnnf_metrics_confusion(metrics, c, g));
        putchar(']');
    }
    printf("],");
}

static void print_json(const cnnf_metrics *metrics, const report_request *request)
{
    printf("{\"images\":%" PRId64 ",\"correct\":%" PRId64 ",\"accuracy\":%.6f,", cnnf_metrics_count(metrics),
           cnnf_metrics_correct(metrics), cnnf_metrics_accuracy(metrics));
    if (request->topk) printf("\"top%" PRId64 "\":%.6f,", request->topk, cnnf_metrics_topk(metrics, request->topk));
    printf("\"loss\":%.6f,", cnnf_metrics_loss(metrics));
    print_json_classes(metrics);
    printf("\"worst\":[");
    for (int64_t i = 0; i < cnnf_metrics_worst_count(metrics); i++) {
        int64_t row, label, guess;
        double confidence;
        if (cnnf_metrics_worst(&row, &label, &guess, &confidence, metrics, i, NULL)) break;
        printf("%s{\"row\":%" PRId64 ",\"label\":%" PRId64 ",\"guess\":%" PRId64 ",\"confidence\":%.6f}", i ? "," : "",
               row, label, guess, confidence);
    }
    const double rate = request->seconds > 0 ? (double)cnnf_metrics_count(metrics) / request->seconds : 0;
    printf("],\"images_per_second\":%.1f}\n", rate);
}

cnnf_status report_metrics(const session *s, const cnnf_metrics *metrics, const report_request *request)
{
    const label_names *labels = request->labels;
    cnnf_status status = CNNF_OK;
    if (request->json)
        print_json(metrics, request);
    else
        print_text(metrics, request, labels);
    if (request->confusion && (!request->json || *request->confusion))
        status = write_confusion(s, metrics, request->confusion);
    return status;
}

void report_against(const cnnf_metrics *metrics, const cnnf_metrics *other)
{
    printf("Against: %.4f (difference %+.4f, %" PRId64 " and %" PRId64 " correct)\n", cnnf_metrics_accuracy(other),
           cnnf_metrics_accuracy(other) - cnnf_metrics_accuracy(metrics), cnnf_metrics_correct(metrics),
           cnnf_metrics_correct(other));
}
