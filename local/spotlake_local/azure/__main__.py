"""``python -m spotlake_local.azure``: the simulated Azure as a process.

Prints one JSON line when it is ready. Ends with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import socket
import sys
from pathlib import Path

import orjson
import uvicorn

from spotlake_local.azure.application import application
from spotlake_local.azure.certificates import make_certificates
from spotlake_local.azure.door import AzureDoor
from spotlake_local.azure.entra import Entra
from spotlake_local.azure.server import AzureSimulator
from spotlake_local.azure.world import World
from spotlake_local.processes import die_with_parent

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "99999999-8888-7777-6666-555555555555"


def subscription_ids(number: int) -> list[str]:
    """The ids of the simulated subscriptions."""
    return [f"00000000-0000-4000-8000-{one:012d}" for one in range(1, number + 1)]


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(prog="python -m spotlake_local.azure", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the certificates and the quota's history")
    parser.add_argument("--subscriptions", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="of the plain APIs")
    parser.add_argument("--token-port", type=int, default=0, help="of the token endpoint (https)")
    arguments = parser.parse_args()
    die_with_parent()
    # Secrets are in the environment, because everybody can see command lines.
    entra = Entra(TENANT, CLIENT, os.environ["SIMULATED_AZURE_SECRET"])
    simulator = AzureSimulator(World(arguments.seed), entra, subscription_ids(arguments.subscriptions))
    simulator.quota.keep_in(arguments.folder / "quota.log")
    simulator.retail.keep_in(arguments.folder / "price-lists")
    asyncio.run(_serve(simulator, arguments))


async def _serve(simulator: AzureSimulator, arguments: argparse.Namespace) -> None:
    ca_file, certificate, key = make_certificates(arguments.folder)
    plain, tls = _bind(arguments.port), _bind(arguments.token_port)
    simulator.authority_url = f"https://127.0.0.1:{tls.getsockname()[1]}"
    hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in (plain, tls)]
    configure = functools.partial(
        uvicorn.Config,
        AzureDoor(application(simulator), hosts, os.environ["SIMULATED_AZURE_CONTROL_TOKEN"]),
        log_level="warning",
        access_log=False,
        date_header=False,
        lifespan="off",
        timeout_graceful_shutdown=0,  # otherwise it waits until idle TLS connections close
    )
    configurations = [configure(), configure(ssl_certfile=certificate, ssl_keyfile=key)]
    servers = [uvicorn.Server(configuration) for configuration in configurations]
    ready = {
        "url": f"http://127.0.0.1:{plain.getsockname()[1]}",
        "authority_url": simulator.authority_url,
        "ca_file": str(ca_file),
        "tenant_id": simulator.entra.tenant_id,
        "client_id": simulator.entra.client_id,
        "subscriptions": simulator.subscriptions,
    }
    tasks = [
        asyncio.create_task(server.serve(sockets=[bound])) for server, bound in zip(servers, (plain, tls), strict=True)
    ]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.01)
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
    await asyncio.gather(*tasks)


def _bind(port: int) -> socket.socket:
    # A named protocol makes asyncio set TCP_NODELAY. Otherwise each answer waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


if __name__ == "__main__":
    main()
