"""Asks api and db, by HTTP and HTTPS, many times and several at a time; tells of every answer that is not the own project's."""

import concurrent.futures
import os
import sys
import urllib.request

PROJECT, RUN, REQUESTS, AT_A_TIME = os.environ["PROJECT"], sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def ask(number):
    service = ("api", "db")[number % 2]
    scheme = ("http", "https")[number // 2 % 2]
    path = f"/{RUN}/{PROJECT}/{number}/"
    url = f"{scheme}://{service}{path}"
    expected = f"{PROJECT}/{service} {path}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            found = answer.read().decode(errors="replace")
    except Exception as error:
        body = error.read(300) if hasattr(error, "read") else b""
        return f"{url}: {error!r} {body!r}"
    return None if found == expected else f"{url}: {found[:200]!r} instead of {expected!r}"


with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
    wrong = [problem for problem in pool.map(ask, range(REQUESTS)) if problem]
for problem in wrong[:20]:
    print(problem)
print(f"{REQUESTS - len(wrong)} of {REQUESTS}")
