#!/usr/bin/env bash
# Builds the release binary, hitesh-ai. What the build needs from the system is installed when this runs as root on a
# Debian-like system, and named otherwise. Safe to run again.
#
#   ./build.sh            everything, with the local model (llama.cpp)
#   ./build.sh --slim     without the local model: no C++, no cmake
#   ./build.sh --setup    only installs what the build needs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

slim=false setup_only=false
for argument in "$@"; do
    case "$argument" in
        --slim) slim=true ;;
        --setup) setup_only=true ;;
        *)
            echo "usage: ./build.sh [--slim] [--setup]" >&2
            exit 2
            ;;
    esac
done

have() { command -v "$1" >/dev/null 2>&1; }

have_libclang() {
    [[ -n "${LIBCLANG_PATH:-}" ]] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
}

# The Debian packages that are missing, one a line.
missing_packages() {
    have cc || echo gcc
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || echo ca-certificates
    $slim && return
    have c++ || echo g++
    have make || echo make
    have cmake || echo cmake
    have pkg-config || echo pkg-config
    have clang || echo clang
    have_libclang || echo libclang-dev
    # The local model is fetched with pip.
    have python3 || echo python3
    have pip || python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
}

install_missing() {
    local missing
    mapfile -t missing < <(missing_packages)
    [[ ${#missing[@]} -eq 0 ]] && return
    if [[ $(id -u) -eq 0 ]] && have apt-get; then
        echo "==> installing ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}"
    else
        echo "The build needs these Debian packages, or what your system calls them: ${missing[*]}" >&2
        echo "  sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
}

check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! have cargo; then
        echo "The build needs Rust $wanted or newer, and there is no cargo here: install it with rustup." >&2
        exit 1
    fi
    found=$(rustc --version | cut -d ' ' -f 2)
    if [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) != "$wanted" ]]; then
        echo "The build needs Rust $wanted or newer, and here is $found: update it with rustup." >&2
        exit 1
    fi
}

install_missing
check_rust
$setup_only && exit 0

features=()
$slim && features=(--no-default-features)
cargo build --release --locked --package hitesh-server "${features[@]}"
echo "==> built ${CARGO_TARGET_DIR:-target}/release/hitesh-ai"
