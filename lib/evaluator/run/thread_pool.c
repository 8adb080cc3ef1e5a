/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/run/thread_pool.h"

#include <stdatomic.h>

#include "base/os.h"

/* A worker looks for work this often before it sleeps: the pause between two ops is shorter than a wake-up. */
#define SPINS 4000

struct cnnfi_pool {
    cnnf_context *context; /* borrowed: the evaluator's */
    int32_t threads;       /* wanted, the caller included */
    int32_t started;       /* workers running; written by the holder of `busy` */
    bool tried;
    cnnfi_thread **workers; /* threads - 1 */
    cnnfi_mutex *mutex;
    cnnfi_cond *wake;
    atomic_int busy;        /* somebody has the threads */
    atomic_uint generation; /* one more for each job */
    atomic_int sleepers, active, open, stop;
    /* The job: written while `open` is 0 and `active` is 0, read only by those who saw `open`. */
    void (*body)(int64_t begin, int64_t end, void *user);
    void *user;
    int64_t n, chunk;
    _Atomic int64_t next;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_chunks(cnnfi_pool *pool)
{
    for (;;) {
        int64_t begin = atomic_fetch_add(&pool->next, pool->chunk);
        if (begin >= pool->n) return;
        int64_t end = pool->n - begin < pool->chunk ? pool->n : begin + pool->chunk;
        pool->body(begin, end, pool->user);
    }
}

/* Until there is a job newer than `seen`, or the end. */
static unsigned wait_for_job(cnnfi_pool *pool, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        unsigned now = atomic_load(&pool->generation);
        if (now != seen) return now;
        relax();
    }
    cnnfi_mutex_lock(pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stop)) {
        cnnfi_cond_wait(pool->wake, pool->mutex);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    cnnfi_mutex_unlock(pool->mutex);
    return atomic_load(&pool->generation);
}

static void worker(void *user)
{
    cnnfi_pool *pool = user;
    unsigned seen = 0;
    while (!atomic_load(&pool->stop)) {
        seen = wait_for_job(pool, seen);
        atomic_fetch_add(&pool->active, 1);
        if (atomic_load(&pool->open)) take_chunks(pool);
        atomic_fetch_sub(&pool->active, 1);
    }
}

/* A thread that cannot be started is done without. */
static void start_workers(cnnfi_pool *pool)
{
    pool->tried = true;
    while (pool->started < pool->threads - 1) {
        cnnfi_thread *thread = cnnfi_thread_start(pool->context, worker, pool);
        if (!thread) return;
        pool->workers[pool->started++] = thread;
    }
}

static void wake_sleepers(cnnfi_pool *pool)
{
    if (atomic_load(&pool->sleepers) == 0) return;
    cnnfi_mutex_lock(pool->mutex);
    cnnfi_cond_broadcast(pool->wake);
    cnnfi_mutex_unlock(pool->mutex);
}

/* Four pieces per thread even out their speeds; fewer would leave one waiting, more cost atomics. */
static int64_t chunk_size(const cnnfi_pool *pool, int64_t n, int64_t grain)
{
    int64_t pieces = (int64_t)pool->threads * 4;
    int64_t chunk = n / pieces + (n % pieces != 0);
    return chunk < grain ? grain : chunk;
}

static void run_job(cnnfi_pool *pool)
{
    atomic_store(&pool->open, 1);
    atomic_fetch_add(&pool->generation, 1);
    wake_sleepers(pool);
    take_chunks(pool);
    atomic_store(&pool->open, 0);
    while (atomic_load(&pool->active) != 0)
        relax();
}

void cnnfi_parallel_for(cnnfi_pool *pool, int64_t n, int64_t grain,
                        void (*body)(int64_t begin, int64_t end, void *user), void *user)
{
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    int idle = 0;
    if (!pool || pool->threads < 2 || n <= grain || !atomic_compare_exchange_strong(&pool->busy, &idle, 1)) {
        body(0, n, user);
        return;
    }
    if (!pool->tried) start_workers(pool);
    pool->body = body;
    pool->user = user;
    pool->n = n;
    pool->chunk = chunk_size(pool, n, grain);
    atomic_store(&pool->next, 0);
    run_job(pool);
    atomic_store(&pool->busy, 0);
}

int32_t cnnfi_pool_threads(const cnnfi_pool *pool)
{
    return pool ? pool->threads : 1;
}

cnnf_status cnnfi_pool_new(cnnfi_pool **out, cnnf_context *context, int32_t threads, cnnf_error *error)
{
    *out = NULL;
    cnnfi_pool *pool = cnnfi_calloc(context, 1, sizeof(*pool));
    if (!pool) return cnnfi_fail_nomem(error);
    pool->context = context;
    pool->threads = threads;
    pool->workers = cnnfi_calloc(context, (size_t)threads, sizeof(*pool->workers));
    pool->mutex = cnnfi_mutex_new(context);
    pool->wake = cnnfi_cond_new(context);
    if (!pool->workers || !pool->mutex || !pool->wake) {
        cnnfi_pool_free(pool);
        return cnnfi_fail_nomem(error);
    }
    *out = pool;
    return CNNF_OK;
}

static void stop_workers(cnnfi_pool *pool)
{
    atomic_store(&pool->stop, 1);
    cnnfi_mutex_lock(pool->mutex);
    atomic_fetch_add(&pool->generation, 1);
    cnnfi_cond_broadcast(pool->wake);
    cnnfi_mutex_unlock(pool->mutex);
    for (int32_t i = 0; i < pool->started; i++)
        cnnfi_thread_join(pool->context, pool->workers[i]);
}

void cnnfi_pool_free(cnnfi_pool *pool)
{
    if (!pool) return;
    if (pool->started > 0) stop_workers(pool);
    if (pool->mutex) cnnfi_mutex_free(pool->context, pool->mutex);
    if (pool->wake) cnnfi_cond_free(pool->context, pool->wake);
    cnnfi_free(pool->context, pool->workers);
    cnnfi_free(pool->context, pool);
}

void cnnfi_pool_abandon(cnnfi_pool *pool)
{
    if (!pool) return;
    cnnfi_free(pool->context, pool->workers);
    cnnfi_free(pool->context, pool);
}
