#!/bin/sh
# What the image runs: `serve`, with options to add, or `page`. PORT is the port, where the host
# that runs the image says which (Cloud Run, Render, Fly); with VOILEARN_TOKEN only who shows the
# token may ask, without it everybody.
set -eu

what=${1:-serve}
[ $# -eq 0 ] || shift
case "$what" in
serve)
    for model in export.onnx export.pkl; do
        [ -f "$model" ] && break
    done
    exec voilearn serve --model "$model" --host 0.0.0.0 --port "${PORT:-8000}" --public \
        --drain "${VOILEARN_DRAIN:-10}" "$@"
    ;;
page)
    exec python -m voilearn.notebook.start_voila app.ipynb --Voila.ip=0.0.0.0 \
        --port="${PORT:-8000}" --no-browser "$@"
    ;;
*)
    exec "$what" "$@"
    ;;
esac
