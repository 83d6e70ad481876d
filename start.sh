#!/usr/bin/env bash
# Builds the server, fetches the local model if the settings need it, and serves on port 8000 (or PORT). Safe to run
# again: what is there already is not built or fetched twice.
#
#   ./start.sh            with the local model
#   ./start.sh --slim     without it: set OPENAI_API_KEY or OPENAI_BASE_URL, or list providers in hitesh.toml
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

./build.sh "$@"
binary="${CARGO_TARGET_DIR:-target}/release/hitesh-ai"

if [[ " $* " != *" --slim "* ]]; then
    # Fetches nothing when the settings name another provider.
    "$binary" model pull --needed ||
        echo "==> going on without the model: the server says so in its health, and chat answers 503" >&2
fi

# The port may also be set in hitesh.toml or .env, so the server's own log line has the last word on its address.
port="${PORT:-8000}"

# Says how to ask as soon as the server answers, and gives up quietly after a minute: the server's log says why.
announce() {
    local tries=0
    until { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; do
        ((++tries < 240)) || return 0
        sleep 0.25
    done
    exec 3>&-
    cat <<TEXT

Hitesh AI is at http://127.0.0.1:$port (the API's pages: http://127.0.0.1:$port/docs). Ask with

  curl -N http://127.0.0.1:$port/api/chat/stream -H 'content-type: application/json' -d '{"content": "Sir mujhe backend development kaise start karna hai?"}'

TEXT
}

announce &
exec "$binary" serve
