/* SPDX-License-Identifier: Apache-2.0 */
/* What a report holds, and what its writers share. Collected in evaluation_report.c, read by report_json.c and
 * report_html.c. */
#ifndef CNNFI_EVALUATION_REPORT_EVALUATION_REPORT_H
#define CNNFI_EVALUATION_REPORT_EVALUATION_REPORT_H

#include <stdbool.h>

#include <cnnfreeze/report.h>

#include "base/arena.h"
#include "base/str.h"
#include "evaluation/report/thumbnail.h"

#define CNNFI_REPORT_RUNS  2
#define CNNFI_REPORT_BINS  10 /* of the calibration curve */
#define CNNFI_REPORT_FACTS 32

/* Most that is shown of what grows with the classes; JSON has every class. */
#define CNNFI_REPORT_MATRIX 60 /* classes of a confusion matrix, else the commonest confusions */
#define CNNFI_REPORT_ROWS   60 /* classes of a table: those of least F1 */
#define CNNFI_REPORT_PAIRS  50 /* confusions listed */

/* What a graph said of an example. */
typedef struct cnnfi_answer {
    int32_t guess; /* -1: the example was not seen */
    float confidence;
} cnnfi_answer;

/* An example kept for its picture. */
typedef struct cnnfi_example {
    int64_t row, label;
    cnnfi_answer answers[CNNFI_REPORT_RUNS];
    int32_t kind; /* of a difference: cnnfi_difference; 0 of a mistake */
    cnnfi_thumbnail picture;
} cnnfi_example;

/* The best few, in order. */
typedef struct cnnfi_gallery {
    cnnfi_example *examples; /* [room] */
    int64_t count;
} cnnfi_gallery;

typedef enum cnnfi_difference { CNNFI_BROKEN, CNNFI_MENDED, CNNFI_OTHER, CNNFI_DIFFERENCES } cnnfi_difference;

typedef struct cnnfi_bin {
    int64_t count, correct;
    uint64_t confidence; /* sum, in units of CNNFI_CONFIDENCE_UNIT: the same in every order */
} cnnfi_bin;

#define CNNFI_CONFIDENCE_UNIT 1073741824.0 /* 2^30 */

typedef struct cnnfi_run {
    char *name; /* NULL: has not begun */
    bool ended;
    double seconds;
    cnnf_metrics *metrics;
    cnnfi_bin bins[CNNFI_REPORT_BINS];
    int64_t no_probability; /* confidences outside 0 .. 1 */
    cnnfi_gallery mistakes;
} cnnfi_run;

struct cnnf_report {
    cnnf_context *context;
    int64_t classes, pictures;
    char *title;
    char **class_names; /* [classes], NULL: the number */
    char *facts[CNNFI_REPORT_FACTS][2];
    size_t n_facts;
    cnnfi_run runs[CNNFI_REPORT_RUNS];
    cnnfi_pixels pixels;
    cnnfi_answer *answers; /* [answer_room] of the first run, by row */
    int64_t answer_room;
    int64_t differing[CNNFI_DIFFERENCES], compared;
    cnnfi_gallery differences;
};

/* How the values of the examples became what they are; until the next call. NULL: not known. */
void cnnfi_report_set_pixels(cnnf_report *report, const cnnfi_pixels *pixels);

/* ---- what follows from the counts ---- */

/* One class of a run. */
typedef struct cnnfi_class_facts {
    int64_t label, images, guesses, correct;
    double precision, recall, f1;
} cnnfi_class_facts;

/* A label taken for another class. */
typedef struct cnnfi_confusion {
    int64_t label, guess, count;
} cnnfi_confusion;

typedef struct cnnfi_facts {
    cnnfi_class_facts *classes; /* [n_classes] those that occur, in order: as label or guess of any run */
    int64_t n_classes, absent;
    cnnfi_confusion pairs[CNNFI_REPORT_PAIRS]; /* commonest first */
    int64_t n_pairs, n_confused;               /* listed, and of how many kinds there are */
    double ece, precision, recall, f1;         /* expected calibration error, averages over the classes with images */
} cnnfi_facts;

/* In the arena. false = no memory. */
bool cnnfi_report_facts(cnnfi_facts *out, cnnfi_arena *arena, const cnnf_report *report, int32_t run);
/* Whether the run's confidences are probabilities. */
bool cnnfi_report_is_calibrated(const cnnfi_run *run);
int32_t cnnfi_report_run_count(const cnnf_report *report);
/* The name of a class, or its number in `room`. */
const char *cnnfi_report_class_name(const cnnf_report *report, int64_t label, char room[24]);

void cnnfi_report_json(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts);
void cnnfi_report_html(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts);

#endif
