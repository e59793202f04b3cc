"""`make bench`: every benchmark in turn, one JSON object a line on standard output.

    python -m benchmarks [NAME…] [--small]

A benchmark is a module here with a `main`, and a name in this list. One that can't run says so on standard
error, and the others go on.
"""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "path", "consent", "ledger", "preferences", "collector", "kills", "pressure", "facts", "retention",
    "reports", "adverts", "logins", "erasure", "sizes", "slots", "visitors", "trends", "gate", "attack",
    "explore", "pages", "analysts", "runners", "stores", "distributed",
)  # fmt: skip
#: What `--small` gives instead of the full size, as arguments of the module.
SMALL = {
    "ledger": ["100000"], "kills": ["5"], "pressure": ["20"], "facts": ["200000"], "retention": ["200000"],
    "reports": ["500000"], "adverts": ["200000"], "logins": ["200000"], "erasure": ["500000"],
    "trends": ["300000", "20000"], "gate": ["--small"], "attack": ["500"],
    "explore": ["200000"], "pages": ["2"], "analysts": ["10"], "runners": ["200000"], "stores": ["300000"],
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run each in a process of its own: what one leaves in memory is nothing to the next."""
    small = "--small" in arguments
    names = [name for name in arguments if not name.startswith("-")] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names:
        size = SMALL.get(name, []) if small else []
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *size], check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
