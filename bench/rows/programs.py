"""Builds, finds and runs the programs that rows measure."""

import functools
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from rows.row import NotMeasured

ROOT = Path(__file__).resolve().parent.parent.parent
BENCH = ROOT / "bench"
TARGETS = ["//bench:engine_kernels", "//bench:engine_step"]
# What a program may take that is timed: what hangs must not keep the other rows waiting.
LONGEST_RUN_SECONDS = 900
# Two rounds whose timings differ by no more need no third.
SETTLED = 0.03


def add_timing_options(parser):
    """Adds what Programs wants of its options, but for rounds."""
    parser.add_argument("--seconds", type=float, default=0.3,
                        help="of each timing; steps take at least 1 (default 0.3)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="most threads that are used (default: the processors)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH",
                        help="the interpreter that has PyTorch and JAX (default: this one)")
    parser.add_argument("--bazel", type=shlex.split, default=[str(ROOT / "tools" / "bazel.sh")],
                        metavar="COMMAND", help="builds and tests (default tools/bazel.sh)")
    parser.add_argument("--run-with", type=shlex.split, default=[], metavar="COMMAND",
                        help='before every program that is timed, such as "taskset -c 2,3"')
    parser.add_argument("--verbose", action="store_true", help="print what is run")


class Programs:
    """What a row may run. Nothing is run twice with the same arguments.

    options: bazel (the command, as words), run_with (words before every
    program that is timed), python (the peers' interpreter), threads, rounds,
    seconds (of each timing), verbose.
    """

    def __init__(self, options):
        self.options = options
        self._answers = {}

    def say(self, text):
        print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)

    # Builds and tests

    @functools.cached_property
    def _bazel_bin(self):
        self.say("building " + " ".join(TARGETS))
        run = self._bazel("build", *TARGETS)
        if run.returncode != 0:
            raise NotMeasured(f"needs a build; {last_line(run.stderr)}")
        found = self._bazel("info", "bazel-bin").stdout.split()
        return Path(found[-1])

    def built(self, name):
        """Builds a program of //bench; returns its path."""
        run = self._bazel("build", f"//bench:{name}")
        if run.returncode != 0:
            raise NotMeasured(f"needs a build; {last_line(run.stderr)}")
        return Path(self._bazel("info", "bazel-bin").stdout.split()[-1]) / "bench" / name

    def _bazel(self, *arguments):
        return subprocess.run([*self.options.bazel, *arguments], cwd=ROOT, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)

    def test(self, *targets):
        """Runs Bazel's tests; returns how many passed and how many there are."""
        run = self._bazel("test", "--test_output=summary", "--keep_going", *targets)
        verdicts = [line.split() for line in run.stdout.splitlines() + run.stderr.splitlines()
                    if line.startswith("//")]
        passed = sum("PASSED" in words for words in verdicts)
        if not verdicts:
            raise NotMeasured(f"needs a build; {last_line(run.stderr)}")
        for words in verdicts:
            if "PASSED" not in words:
                self.say(" ".join(words))
        return passed, len(verdicts)

    def script(self, *arguments):
        """Runs a program of the repository; returns its result without judging it."""
        return subprocess.run([str(ROOT / arguments[0]), *map(str, arguments[1:])], cwd=ROOT,
                              text=True, stdin=subprocess.DEVNULL, capture_output=True)

    @functools.lru_cache(maxsize=None)
    def build_programs(self):
        """Builds lockstep, lockstep-server and lockstep-worker into build/bin."""
        run = self.script("tools/build.sh")
        if run.returncode != 0:
            raise NotMeasured(f"needs a build (tools/build.sh); {last_line(run.stderr)}")

    def require(self, program, hint):
        if shutil.which(program) is None:
            raise NotMeasured(f"needs {program} ({hint})")

    # Timings

    def engine(self, name, *arguments):
        """The JSON object that a program of //bench prints."""
        return self._timed([str(self._bazel_bin / "bench" / name), *map(str, arguments)])

    def program(self, path, *arguments):
        """The same of a program that `built` has named."""
        return self._timed([str(path), *map(str, arguments)])

    def peer(self, script, *arguments, needs):
        """The JSON object that a script prints which runs `needs`, a Python package."""
        self._require_package(needs)
        return self._timed([self.options.python, str(BENCH / script), *map(str, arguments)])

    @functools.lru_cache(maxsize=None)
    def _require_package(self, package):
        code = f"import importlib.util, sys; sys.exit(not importlib.util.find_spec('{package}'))"
        found = subprocess.run([self.options.python, "-c", code], stdin=subprocess.DEVNULL,
                               capture_output=True)
        if found.returncode != 0:
            raise NotMeasured(f"needs {package} (--python names an interpreter that has it)")

    def _timed(self, command):
        if self.options.verbose:
            self.say(shlex.join(command))
        script = command[1] if command[0] == self.options.python else command[0]
        name = Path(script).name
        try:
            run = subprocess.run([*self.options.run_with, *command], text=True,
                                 stdin=subprocess.DEVNULL, capture_output=True,
                                 timeout=LONGEST_RUN_SECONDS,
                                 env=dict(os.environ, OMP_NUM_THREADS=str(self.options.threads)))
            return json.loads(run.stdout)
        except subprocess.TimeoutExpired:
            raise NotMeasured(f"{name} took more than {LONGEST_RUN_SECONDS} s")
        except json.JSONDecodeError:
            raise NotMeasured(f"{name} ended with {run.returncode}: {last_line(run.stderr)}")

    def in_turn(self, key, *sides, goes_on=lambda results, i: True):
        """Runs the sides in turn (A B A B); returns each side's results.

        At most `rounds` times, and only until all have settled. A side is a
        function that returns a JSON object, or raises NotMeasured: its results
        are then that exception, and the others go on. goes_on(results, i), asked
        after each round: whether side i is worth another.
        """
        if key not in self._answers:
            results = [[] for _ in sides]
            running = range(len(sides))
            for _ in range(self.options.rounds):
                for i in running:
                    try:
                        results[i].append(sides[i]())
                    except NotMeasured as missing:
                        results[i] = missing
                running = [i for i in running
                           if not isinstance(results[i], NotMeasured) and goes_on(results, i)]
                if all(settled(results[i]) for i in running):
                    break
            self._answers[key] = results
        return self._answers[key]


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def timings(result):
    """Every number called median_... in a JSON object, in order."""
    found = []
    for name, value in result.items():
        if isinstance(value, dict):
            found += timings(value)
        elif name.startswith("median_"):
            found.append(value)
    return found


def settled(results):
    """Whether a side needs no further round: nine in ten of its timings agree."""
    if len(results) < 2:
        return False
    pairs = list(zip(*map(timings, results)))
    apart = sum(max(times) > (1 + SETTLED) * min(times) for times in pairs)
    return bool(pairs) and apart <= len(pairs) / 10


def median(results, *path):
    """The median over the rounds of the number at `path` of each result."""
    if isinstance(results, NotMeasured):
        raise results

    def at(result):
        for name in path:
            result = result[name]
        return result

    return statistics.median(map(at, results))


def median_ratio(results, name, above, below):
    """The median of result[name][above] / result[name][below]."""
    if isinstance(results, NotMeasured):
        raise results
    return statistics.median(result[name][above] / result[name][below] for result in results)
