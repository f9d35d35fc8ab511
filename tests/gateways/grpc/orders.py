"""A gRPC service without generated code, and a client of it.

    orders.py serve PORT
    orders.py call ADDRESS METHOD      the key on stdin; prints the status, what came, and the trailers
"""

import sys
from concurrent import futures

import grpc

SHOWN = ("x-keyhouse-key-name", "authorization", "x-api-key", "te", "content-type")


class Orders(grpc.GenericRpcHandler):
    def service(self, details):
        seen = dict(details.invocation_metadata)
        lines = [f"{name}={seen[name]}" for name in SHOWN if name in seen]

        def answer(request, context):
            context.set_trailing_metadata((("orders-sum", "7"),))
            return [request, *(line.encode() for line in lines)]

        def one(request, context):
            return b" ".join(answer(request, context))

        def many(request, context):
            yield from answer(request, context)

        methods = {
            "/shop.Orders/List": grpc.unary_unary_rpc_method_handler(one),
            "/shop.Orders/Watch": grpc.unary_stream_rpc_method_handler(many),
        }
        return methods.get(details.method)


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((Orders(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def call(address, method):
    key = sys.stdin.read().strip()
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    with grpc.insecure_channel(address) as channel:
        calls = channel.unary_stream(f"/shop.Orders/{method}")(b"hello", metadata=metadata, timeout=20)
        try:
            for reply in calls:
                print(reply.decode())
        except grpc.RpcError:
            pass
        print("status", calls.code().name)
        print("trailers", sorted((name, value) for name, value in calls.trailing_metadata() or ()))
        print("initial", sorted((name, value) for name, value in calls.initial_metadata() or ()))


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
