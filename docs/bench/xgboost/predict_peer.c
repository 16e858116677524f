/* XGBoost's side of predict.sh, through its C API, one thread.
 *
 *   predict_peer MODEL ROWS.f32 ROWCOUNT COLUMNS MARGINS.f32 SHAPROWS SHAP.f32
 *
 * writes the margins of every row and the contributions of the first SHAPROWS
 * rows, and prints one line: batch rows/s, one-row p50 and p99 in us, SHAP
 * rows/s; times are CPU seconds of the process (wall for one row). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef unsigned long long u64;
typedef void *handle;
int XGBoosterCreate(const handle *, u64, handle *);
int XGBoosterLoadModel(handle, const char *);
int XGBoosterSetParam(handle, const char *, const char *);
int XGBoosterPredictFromDense(handle, const char *, const char *, handle, const u64 **, u64 *, const float **);
int XGBoosterPredictFromDMatrix(handle, handle, const char *, const u64 **, u64 *, const float **);
int XGDMatrixCreateFromMat(const float *, u64, u64, float, handle *);
const char *XGBGetLastError(void);

static void ok(int rc) {
  if (rc) { fprintf(stderr, "xgboost: %s\n", XGBGetLastError()); exit(1); }
}
static double seconds(clockid_t c) {
  struct timespec t;
  clock_gettime(c, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}
static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static handle booster;
static const float *dense(const float *x, u64 rows, u64 cols) {
  static const char *config = "{\"type\":1,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
                              "\"strict_shape\":false,\"missing\":NaN,\"cache_id\":0}";
  char array[200];
  snprintf(array, sizeof array, "{\"data\":[%llu,true],\"shape\":[%llu,%llu],\"typestr\":\"<f4\",\"version\":3}",
           (u64)(size_t)x, rows, cols);
  const u64 *shape; u64 dim; const float *out;
  ok(XGBoosterPredictFromDense(booster, array, config, NULL, &shape, &dim, &out));
  return out;
}
static void save(const char *path, const float *x, size_t n) {
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(x, 4, n, f) != n || fclose(f)) { perror(path); exit(1); }
}

int main(int argc, char **argv) {
  if (argc != 8) { fprintf(stderr, "usage: see the source\n"); return 2; }
  u64 rows = strtoull(argv[3], 0, 10), cols = strtoull(argv[4], 0, 10), shapRows = strtoull(argv[6], 0, 10);
  float *x = malloc(rows * cols * 4);
  FILE *f = fopen(argv[2], "rb");
  if (!x || !f || fread(x, 4, rows * cols, f) != rows * cols) { perror(argv[2]); return 1; }
  fclose(f);
  ok(XGBoosterCreate(NULL, 0, &booster));
  ok(XGBoosterLoadModel(booster, argv[1]));
  ok(XGBoosterSetParam(booster, "nthread", "1"));

  double best = 1e9;
  const float *margins = NULL;
  for (int k = 0; k < 3; k++) {
    double t = seconds(CLOCK_PROCESS_CPUTIME_ID);
    margins = dense(x, rows, cols);
    t = seconds(CLOCK_PROCESS_CPUTIME_ID) - t;
    if (t < best) best = t;
  }
  save(argv[5], margins, rows);

  enum { calls = 5000 };
  static double took[calls];
  for (int k = 0; k < calls; k++) {
    double t = seconds(CLOCK_MONOTONIC);
    dense(x + (u64)k % rows * cols, 1, cols);
    took[k] = seconds(CLOCK_MONOTONIC) - t;
  }
  qsort(took, calls, sizeof *took, ascending);

  handle d; const u64 *shape; u64 dim; const float *phi;
  ok(XGDMatrixCreateFromMat(x, shapRows, cols, 0.0f / 0.0f, &d));
  double t = seconds(CLOCK_PROCESS_CPUTIME_ID);
  ok(XGBoosterPredictFromDMatrix(booster, d, "{\"type\":2,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false}", &shape, &dim, &phi));
  t = seconds(CLOCK_PROCESS_CPUTIME_ID) - t;
  save(argv[7], phi, shapRows * (cols + 1));
  printf("xgboost batch %.0f rows/s, one row p50 %.2f us p99 %.2f us, shap %.0f rows/s\n",
         rows / best, took[calls / 2] * 1e6, took[calls * 99 / 100] * 1e6, shapRows / t);
  return 0;
}
