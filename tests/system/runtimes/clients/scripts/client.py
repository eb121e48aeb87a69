# SPDX-License-Identifier: Apache-2.0
"""A client for the capture tests: client.py <port> <ca file> <request bytes> <count>"""

import http.client
import ssl
import sys
import time

port, ca, size, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
time.sleep(1.5)  # the first start of a new program races with its analysis
connection = http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=ca))
for i in range(count):
    body = b"".join(b"%08x.%06x;" % (line, i) for line in range(size // 16 + 1))[:size]
    connection.request("POST", f"/echo/{i}", body)
    connection.getresponse().read()
connection.close()
