"""What `helm test` runs: one signal through the release to the paper endpoint, and its outcome."""

import json
import subprocess
import sys
import time
import uuid

from producers import SignalProducer

with SignalProducer() as producer:
    receipt = producer.send(
        {
            "connectorName": "helm-test",
            "connectorToken": str(uuid.uuid4()),
            "action": "openLong",
            "percent": "1",
            "clientOrderId": f"helm-test-{uuid.uuid4()}",
        }
    )
print("receipt:", receipt.status, receipt.id, flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    shown = subprocess.run(["signal-worker", "show", str(receipt.id), "--json"], capture_output=True, text=True)
    signal = json.loads(shown.stdout) if shown.returncode == 0 else {}
    if signal.get("outcome"):
        print("outcome:", signal["outcome"])
        sys.exit(0 if signal["outcome"] == "accepted" else 1)
    time.sleep(1)
sys.exit("no outcome after 60 s: do workers run? `signal-worker status` tells")
