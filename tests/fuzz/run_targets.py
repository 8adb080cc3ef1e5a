# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the targets of a build that has libFuzzer, two at a time.

    run_targets.py BUILD ROOT SECONDS [--work FOLDER] [--rounds N] [--jobs N] [TARGET...]

Each target gets SECONDS of each round (all of them, when none is named). In FOLDER (default: BUILD/fuzz-work) corpora stay from round to round and from run
to run, what was found lies in `found/`, and `executions.tsv` has a line for each turn. Exit 1 when anything was found:
a death, a sanitizer's report, an input of more than 10 seconds, or memory above the limit.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITS = ["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=400", "-print_final_stats=1", "-verbosity=0",
          "-entropic=0", "-reload=0"]
MAX_LEN = {"h5": 65536, "zip": 65536, "load": 65536, "graph": 4096, "grammar": 2048}
ENVIRONMENT = {
    "ASAN_OPTIONS": "quarantine_size_mb=16:malloc_context_size=12:allocator_may_return_null=1:detect_leaks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


def targets_of(build):
    paths = sorted(glob.glob(f"{build}/tests/fuzz/fuzz_*"))
    return [os.path.basename(path)[len("fuzz_"):] for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]


def turn(options, target, seconds):
    """One turn of a target: (executions, whether something was found, the end of its words)."""
    corpus, found = f"{options.work}/corpus/{target}", f"{options.work}/found/{target}-"
    command = [f"{options.build}/tests/fuzz/fuzz_{target}", corpus, f"{options.work}/seeds/{target}", *LIMITS,
               f"-max_total_time={seconds}", f"-artifact_prefix={found}", f"-max_len={MAX_LEN.get(target, 16384)}"]
    dictionary = f"{options.root}/tests/fuzz/dict/{target}.dict"
    if os.path.exists(dictionary):
        command.append(f"-dict={dictionary}")
    scratch = f"{options.work}/scratch/{target}"
    os.makedirs(scratch, exist_ok=True)
    result = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, cwd=scratch, capture_output=True, text=True,
                            errors="replace")
    words = result.stdout + result.stderr
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", words)
    return int(executions.group(1)) if executions else 0, result.returncode != 0, words


def prepare(options, target):
    for folder in ("corpus", "seeds"):
        os.makedirs(f"{options.work}/{folder}/{target}", exist_ok=True)
    os.makedirs(f"{options.work}/found", exist_ok=True)
    subprocess.run([sys.executable, f"{HERE}/seeds.py", "--copy", target, options.root, f"{options.work}/seeds/{target}"], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("root")
    parser.add_argument("seconds", type=int)
    parser.add_argument("--work")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("targets", nargs="*")
    options = parser.parse_intermixed_args()
    options.build, options.root = os.path.abspath(options.build), os.path.abspath(options.root)
    options.work = os.path.abspath(options.work or f"{options.build}/fuzz-work")
    targets = options.targets or targets_of(options.build)
    if not targets:
        sys.exit(f"{options.build}: no fuzz targets; build with -Dfuzzing_engine=-fsanitize=fuzzer")
    for target in targets:
        prepare(options, target)
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        turns = {pool.submit(turn, options, target, options.seconds): target for _ in range(options.rounds) for target in targets}
        for done in concurrent.futures.as_completed(turns):
            target = turns[done]
            executions, found, words = done.result()
            findings += found
            print(f"{target}: {executions} executions{', FOUND SOMETHING' if found else ''}", flush=True)
            with open(f"{options.work}/executions.tsv", "a") as file:
                file.write(f"{target}\t{executions}\t{int(found)}\n")
            if found:
                print(words[-6000:], flush=True)
    sys.exit(findings > 0)


main()
