# Sourced by the scripts beside it: where they run, how they speak, how many jobs they use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# What a script says for --help is the comment at its top.
help_and_exit() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; exit 0; }

# One job a core, but no more than fit the memory at 1 GiB each: a unit that instantiates a whole model needs most of that.
use_all_cores() {
  local cores memory jobs
  cores=$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || true)
  jobs=$(( ${memory:-$cores} < cores ? ${memory:-$cores} : cores ))
  export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(( jobs > 0 ? jobs : 1 ))}
  export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$cores}
}
