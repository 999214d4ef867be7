import sys

print("own-python", file=sys.stderr)
