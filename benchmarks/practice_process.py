"""The practice ConnectWise in a process of its own: prints where it is, and serves until it is ended."""

from __future__ import annotations

import base64
import json
import signal

from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.world import PracticeTicket


def main() -> None:
    practice = PracticeConnectWise()
    practice.server.keep_log = False
    practice.server.start()
    ticket = practice.create_ticket(PracticeTicket("Laptop will not turn on", "It stays black."))
    options, secrets = practice.options(), practice.secrets()
    login = f"{options['company_id']}+{options['public_key']}:{secrets['PRACTICE_CONNECTWISE_PRIVATE_KEY']}"
    told = {
        "port": practice.server.port,
        "path": f"/v4_6_release/apis/3.0/service/tickets/{ticket}",
        "authorization": "Basic " + base64.b64encode(login.encode()).decode(),
        "client_id": options["client_id"],
    }
    print(json.dumps(told), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    practice.stop()


if __name__ == "__main__":
    main()
