"""Command line of the practice gateway: python -m consular.drill.gateway --help."""

import argparse
import asyncio
import gc
import ipaddress
import os
import sys
from dataclasses import replace
from pathlib import Path

from consular.drill.gateway.profiles import Fault, Profile, profile
from consular.drill.gateway.server import Settings, serve

ENVIRONMENT_NAME = "EXERCISE_GATEWAY_AUTH_TOKEN"


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; 2 with one clear sentence when the arguments do not fit."""
    try:
        settings = _settings(_parser().parse_args(arguments))
    except (ValueError, OSError) as error:
        print(f"practice gateway: {error}", file=sys.stderr)
        return 2
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        _run(settings)
    except OSError as error:
        print(f"practice gateway: cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _run(settings: Settings) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(settings))
    else:
        uvloop.run(serve(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("consular.drill.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="loopback or private address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port and prints it")
    parser.add_argument("--tls-port", type=int, help="listen there over TLS, too; needs --tls-authority")
    parser.add_argument("--tls-authority", type=Path, help="where to write the certificate that clients must trust")
    parser.add_argument("--account-sid", required=True)
    parser.add_argument("--auth-token-file", type=Path, help=f"otherwise ${ENVIRONMENT_NAME}")
    parser.add_argument("--inbound-url", required=True, help="where replies are posted")
    parser.add_argument("--sender", default="+15005550006", help="number behind a messaging service")
    parser.add_argument("--connect-to", help="HOST:PORT that serves all webhook and link URLs, whatever their host")
    parser.add_argument("--profile", default="libya-2011", help="lean, perfect, or a scenario")
    parser.add_argument("--cut-east", action="store_true", help="the eastern mobile network is down")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of the event per second")
    parser.add_argument("--latency-ms", type=float, default=80.0)
    parser.add_argument("--list-lag", type=float, default=0.0, help="seconds before a text shows in the list")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=SHARE", help=", ".join(Fault))
    parser.add_argument("--concurrency-limit", type=int, default=0, help="more requests at a time get 429")
    parser.add_argument("--callback-connections", type=int, default=16)
    parser.add_argument("--inbound-connections", type=int, default=16)
    parser.add_argument("--log", type=Path, help="write the accepted texts here at the end, as JSON lines")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    if not _is_private(options.host):
        raise ValueError(f"--host {options.host} is neither a loopback nor a private address")
    if options.speed <= 0 or options.latency_ms < 0:
        raise ValueError("--speed must be above 0 and --latency-ms not below")
    if (options.tls_port is None) != (options.tls_authority is None):
        raise ValueError("--tls-port and --tls-authority need each other")
    return Settings(
        account_sid=options.account_sid,
        auth_token=_token(options.auth_token_file),
        inbound_url=options.inbound_url,
        profile=_profile(options),
        sender=options.sender,
        seed=options.seed,
        speed=options.speed,
        latency_ms=options.latency_ms,
        host=options.host,
        port=options.port,
        callback_connections=options.callback_connections,
        inbound_connections=options.inbound_connections,
        concurrency_limit=options.concurrency_limit,
        connect_to=_address(options.connect_to),
        log=options.log,
        tls_port=options.tls_port,
        authority_file=options.tls_authority,
    )


def _is_private(host: str) -> bool:
    address = ipaddress.ip_address(host)
    return address.is_loopback or address.is_private


def _token(path: Path | None) -> str:
    token = path.read_text(encoding="utf-8").strip() if path else os.environ.get(ENVIRONMENT_NAME, "")
    if not token:
        raise ValueError(f"no auth token: give --auth-token-file or set {ENVIRONMENT_NAME}")
    return token


def _profile(options: argparse.Namespace) -> Profile:
    chosen = profile(options.profile, cut_east=options.cut_east)
    faults = dict(chosen.faults)
    for pair in options.fault:
        kind, _, share = pair.partition("=")
        faults[Fault(kind)] = float(share)
    return replace(chosen, faults=faults, list_lag_seconds=options.list_lag)


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    sys.exit(main())
