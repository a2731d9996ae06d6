# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of Tools; sourced, not run.

step() { printf '\n== %s\n' "$*"; }

# need PROGRAM HINT: ends the script when a program is missing.
need() {
    command -v "$1" >/dev/null 2>&1 && return
    echo "error: '$1' was not found; $2" >&2
    exit 1
}

# Runs a command as root, through sudo where we are not root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs the one system package that the build needs.
ensure_lz4() {
    printf '#include <lz4hc.h>\n' | "${CC:-cc}" -E - >/dev/null 2>&1 && return
    [ -e /usr/include/lz4hc.h ] && return
    step 'Installing liblz4-dev'
    if ! command -v apt-get >/dev/null 2>&1; then
        echo 'error: the headers of LZ4 are missing; install them (Debian: liblz4-dev, Fedora: lz4-devel)' >&2
        exit 1
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq liblz4-dev pkg-config
}

# Makes a virtual environment with the packages of a requirements file and puts it first on PATH; kept between runs.
# python_environment DIR REQUIREMENTS
python_environment() {
    local directory=$1 requirements=$2
    need python3 'install Python 3.10 or newer'
    if [ ! -x "$directory/bin/pip" ]; then
        rm -rf "$directory"
        if ! python3 -c 'import ensurepip' 2>/dev/null && command -v apt-get >/dev/null 2>&1; then
            step 'Installing python3-venv'
            as_root apt-get update -qq
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
        fi
        python3 -m venv "$directory"
    fi
    PATH="$PWD/$directory/bin:$PATH"
    export PATH
    local stamp="$directory/.requirements"
    if ! cmp -s "$requirements" "$stamp"; then
        python3 -m pip install --quiet --disable-pip-version-check -r "$requirements"
        cp "$requirements" "$stamp"
    fi
}
