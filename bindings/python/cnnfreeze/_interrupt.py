# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and progress while the library works.

Python runs its signal handlers between bytecodes, and a call into the library is one: a handler would wait for its end. Where
the library reports progress, the callback is the place that Python is asked. A run of an evaluator has none: it goes to a
thread of its own, while the main thread waits in a way that Ctrl-C ends.
"""
from __future__ import annotations

import contextlib
import queue
import threading

from ._prototypes import callback
from .errors import Error

_RETRY_SECONDS = 0.01


class Hook:
    """A Python function as a callback of the library. What it raises stops the call and is raised from it."""

    def __init__(self, kind, function):
        raised = self._raised = []

        def run(*arguments):
            try:
                return int(function(*arguments[:-1]) or 0)
            except BaseException as problem:
                raised.append(problem)
                return 1
        self.native = callback(kind)(run)

    @contextlib.contextmanager
    def raising(self):
        try:
            yield
        except Error:
            if self._raised:
                raise self._raised[0] from None
            raise


def progress_hook(progress) -> Hook:
    """Calls progress(done, total), total None when it is not known; a true result stops. Without one: a place for Ctrl-C."""
    if progress is None:
        return Hook("cnnf_progress_fn", lambda done, total: 0)
    return Hook("cnnf_progress_fn", lambda done, total: progress(done, total or None))


class _Watched:
    """Work on a thread, its progress and its end as messages to the thread that waits."""

    def __init__(self, work, cancel, progress):
        self._work, self._cancel, self._progress = work, cancel, progress
        self._messages, self._stop, self._result = queue.SimpleQueue(), False, None

    def _report(self, done, total):
        if self._progress and not self._stop:
            self._messages.put((done, total or None))
        return self._stop

    def _body(self):
        try:
            self._result = (self._work(self._report), None)
        except BaseException as problem:
            self._result = (None, problem)
        self._messages.put(None)

    def _follow(self):
        """Until the end; a true result of the progress function asks for it."""
        while True:
            message = self._messages.get()
            if message is None:
                return
            if self._progress(*message):
                self._stop = True
                self._cancel()

    def _end(self):
        """Asks again until it ends: cancelling does nothing to a run that has not begun yet."""
        self._stop = True
        while True:
            try:
                self._cancel()
                if self._messages.get(timeout=_RETRY_SECONDS) is None:
                    return
            except (queue.Empty, KeyboardInterrupt):
                continue

    def run(self):
        threading.Thread(target=self._body, name="cnnfreeze", daemon=True).start()
        try:
            self._follow()
        except BaseException:
            self._end()
            raise
        result, problem = self._result
        if problem:
            raise problem
        return result


def interruptible(work, cancel, progress=None):
    """work(report), stopped by Ctrl-C and by `progress`. On the main thread only: no other gets signals."""
    if threading.current_thread() is threading.main_thread():
        return _Watched(work, cancel, progress).run()
    return work(lambda done, total: progress(done, total or None) if progress else 0)
