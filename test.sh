#!/usr/bin/env bash
# Sets up what the tests need and runs them; stops at the first part that fails. Safe to run again.
#
#   ./test.sh             everything
#   ./test.sh core        format, lints and unit tests, without the local model: the one to run while working
#   ./test.sh lint        format, lints, licences
#   ./test.sh docs        rustdoc without warnings, and its examples
#   ./test.sh api         the real binary over HTTP, without the local model
#   ./test.sh redis       all that speaks to a real redis-server
#   ./test.sh browser     the chat page in Debian's Chromium, against the real binary
#   ./test.sh deploy      the manifests and the containers' settings, against Kubernetes' own schemas
#   ./test.sh local       the local model, on a small one (98 MB, fetched once)
#
# Several parts can be named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

nextest_version=0.9.148
nextest_sha256=76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968
deny_version=0.20.2
deny_sha256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
test_model=smollm2-135m-instruct

cache="${XDG_CACHE_HOME:-$HOME/.cache}/hitesh-ai"
# Most tests wait for servers rather than for a processor.
export NEXTEST_TEST_THREADS="${NEXTEST_TEST_THREADS:-$((($(nproc) * 3 + 1) / 2))}"

step() { printf '\n==> %s\n' "$*"; }

# tool NAME VERSION SHA256: makes cargo-NAME available. A built one comes out of a Python wheel, whose digest is
# checked; where there is none for this machine it is compiled, which takes minutes.
tool() {
    local name=cargo-$1 version=$2 sha256=$3
    local root="$cache/tools/$name-$version"
    export PATH="$root/bin:$PATH"
    [[ -x "$root/bin/$name" ]] && return
    step "installing $name $version"
    mkdir -p "$root/bin"
    if [[ $(uname -sm) == "Linux x86_64" ]] && fetch_wheel "$name" "$version" "$sha256" "$root"; then
        return
    fi
    cargo install --locked --version "$version" --root "$root" "$name"
}

fetch_wheel() {
    local name=$1 version=$2 sha256=$3 root=$4 work wheel
    work=$(mktemp -d "$cache/tools/wheel.XXXX")
    if python3 -m pip download --quiet --no-deps --dest "$work" "astral-dev-toolchain-$name==$version"; then
        wheel=$(echo "$work"/*.whl)
        if echo "$sha256  $wheel" | sha256sum --check --quiet; then
            python3 -m zipfile -e "$wheel" "$work/wheel"
            install -m 755 "$work"/wheel/*.data/scripts/"$name" "$root/bin/$name"
        fi
    fi
    rm -rf "$work"
    [[ -x "$root/bin/$name" ]]
}

format() {
    step "format"
    cargo fmt --all --check
}

lint() {
    format
    step "lints"
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked --workspace --all-targets --no-default-features -- -D warnings
    step "licences, bans, sources"
    tool deny "$deny_version" "$deny_sha256"
    cargo deny --locked check licenses bans sources
}

docs() {
    step "documentation"
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
    cargo test --locked --workspace --doc
}

core() {
    format
    step "lints, without the local model"
    cargo clippy --locked --workspace --all-targets --no-default-features -- -D warnings
    cargo clippy --locked --workspace --all-targets --no-default-features --features hitesh-server/redis -- -D warnings
    step "unit tests, without the local model"
    tool nextest "$nextest_version" "$nextest_sha256"
    cargo nextest run --locked --workspace --exclude hitesh-tests-api --no-default-features
}

api() {
    step "the binary over HTTP, without the local model"
    tool nextest "$nextest_version" "$nextest_sha256"
    cargo build --locked --package hitesh-server --no-default-features --features redis
    cargo nextest run --locked --package hitesh-tests-api
}

redis() {
    step "Redis, on real servers"
    tool nextest "$nextest_version" "$nextest_sha256"
    cargo nextest run --locked --package hitesh-redis
    cargo nextest run --locked --package hitesh-cache --package hitesh-llm --package hitesh-sessions --package hitesh-turnlog \
        -E 'binary(/redis|tiered/)'
    cargo build --locked --package hitesh-server --no-default-features --features redis
    cargo nextest run --locked --package hitesh-tests-api --test redis
}

browser() {
    step "the chat page in a browser"
    cargo build --locked --package hitesh-server --no-default-features --features redis
    in_browser
}

in_browser() {
    local target="${CARGO_TARGET_DIR:-$PWD/target}"
    (cd tests/browser && npm ci --silent --no-audit --no-fund && CARGO_TARGET_DIR="$target" npm test --silent)
}

# In a folder of their own: Debian's Python takes no packages from elsewhere.
deploy() {
    step "manifests and containers"
    local digest root
    digest=$(sha256sum tests/deploy/requirements.txt)
    root="$cache/tools/deploy-${digest:0:16}"
    if [[ ! -e "$root/.complete" ]]; then
        rm -rf "$root"
        python3 -m pip install --quiet --root-user-action=ignore --target "$root" -r tests/deploy/requirements.txt
        touch "$root/.complete"
    fi
    (cd tests/deploy && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root" python3 -m unittest)
}

# What the tests need beside the build, as build.sh does it.
test_packages() {
    local missing=()
    command -v redis-server >/dev/null 2>&1 || missing+=(redis-server)
    command -v openssl >/dev/null 2>&1 || missing+=(openssl)
    [[ -x /usr/sbin/nginx ]] || command -v nginx >/dev/null 2>&1 || missing+=(nginx-light)
    [[ -x "${CHROMIUM:-/usr/bin/chromium}" ]] || missing+=(chromium)
    command -v node >/dev/null 2>&1 || missing+=(nodejs)
    command -v npm >/dev/null 2>&1 || missing+=(npm)
    [[ ${#missing[@]} -eq 0 ]] && return
    if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null 2>&1; then
        echo "==> installing ${missing[*]}"
        # Tests start their own servers on free ports: no service is to run beside them.
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"
    else
        echo "The tests need these Debian packages: ${missing[*]} (sudo apt-get install ${missing[*]})" >&2
        exit 1
    fi
}

# The tests of the local model find it by this variable, and fail without it.
pull_test_model() {
    step "the small model for tests"
    cargo build --locked --package hitesh-server
    HITESH_TEST_MODEL=$("${CARGO_TARGET_DIR:-target}/debug/hitesh-ai" model pull "$test_model")
    export HITESH_TEST_MODEL
}

local_model() {
    pull_test_model
    step "the local model"
    tool nextest "$nextest_version" "$nextest_sha256"
    cargo nextest run --locked --workspace -E 'package(hitesh-llm) | test(/local/)'
}

everything() {
    lint
    docs
    pull_test_model
    step "all tests"
    tool nextest "$nextest_version" "$nextest_sha256"
    cargo nextest run --locked --workspace
    deploy
    step "the chat page in a browser"
    in_browser
}

mkdir -p "$cache/tools"
parts=("$@")
[[ ${#parts[@]} -gt 0 ]] || parts=(everything)
for part in "${parts[@]}"; do
    case "$part" in
        core | lint | docs | api | redis | browser | deploy | everything) ;;
        local) ;;
        *)
            sed -n '2,/^set/{/^#/p}' "${BASH_SOURCE[0]}" >&2
            exit 2
            ;;
    esac
done

step "what the build needs"
./build.sh --setup
test_packages
for part in "${parts[@]}"; do
    case "$part" in
        local) local_model ;;
        *) "$part" ;;
    esac
done
