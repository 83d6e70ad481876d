#!/usr/bin/env bash
# Fetches the libraries of the chat page and the dashboard with npm, in these versions, and puts their modules and licences
# here. To update one, change its version, run this, and change the table in README.md. Needs npm, network and nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# vendor PACKAGE VERSION MODULE NAME [STYLE]: the module of a package as NAME.js.gz, without the name of a source map that
# is not here, its style sheet as NAME.css.gz if it has one, and its licence.
vendor() {
    local package=$1 version=$2 module=$3 name=$4 style=${5:-} archive
    archive=$(cd "$work" && npm pack --silent "$package@$version")
    tar -xzf "$work/$archive" -C "$work"
    sed '/^\/\/# sourceMappingURL=/d' "$work/package/$module" | gzip -9n >"$name.js.gz"
    [[ -z "$style" ]] || gzip -9n <"$work/package/$style" >"$name.css.gz"
    cat "$work"/package/LICENSE* >"licences/$name.txt"
    rm -r "$work/package"
}

vendor marked 18.2.1 lib/marked.esm.js marked
vendor dompurify 3.4.18 dist/purify.es.mjs dompurify
vendor @highlightjs/cdn-assets 11.12.0 es/highlight.min.js highlight
vendor uplot 1.6.32 dist/uPlot.esm.js uplot dist/uPlot.min.css
