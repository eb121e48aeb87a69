# SPDX-License-Identifier: Apache-2.0
"""A receiver of OTLP over HTTP that decodes with OpenTelemetry's own messages, on loopback."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    port: int = 0
    status: int = 200
    spans: list[object] = field(default_factory=list)
    metrics: dict[str, object] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.headers["content-type"] == "application/x-protobuf"
                if collector.status == 200:
                    collector.take(self.path, body)
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def take(self, path: str, body: bytes) -> None:
        if path == "/otel/v1/traces":
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = {one.key: one.value.string_value for one in of_resource.resource.attributes}
                for scope in of_resource.scope_spans:
                    self.spans += scope.spans
        elif path == "/otel/v1/metrics":
            for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in of_resource.scope_metrics:
                    self.metrics = {metric.name: metric for metric in scope.metrics}


def attributes(span: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in span.attributes:  # type: ignore[attr-defined]
        kind = one.value.WhichOneof("value")
        found[one.key] = [item.string_value for item in one.value.array_value.values] if kind == "array_value" else getattr(one.value, kind)
    return found


@contextlib.contextmanager
def receiving() -> Iterator[Collector]:
    made = Collector()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), made.handler())
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
