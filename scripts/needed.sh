#!/bin/sh
# Prints those of the processes named as arguments that these settings need: a worker of a gateway that is not set up
# would only take memory (about 100 MB).
set -eu

for name in "$@"; do
    case $name in
    worker-twilio) given=${TWILIO_ACCOUNT_SID:-} ;;
    worker-smpp) given=${SMPP_HOST:-} ;;
    worker-http) given=${HTTP_GATEWAY_PROFILE:-} ;;
    worker-exercise) given=${EXERCISE_GATEWAY_ACCOUNT_SID:-} ;;
    *) given=always ;;
    esac
    [ -z "$given" ] || echo "$name"
done
