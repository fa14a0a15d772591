"""`python -m benchmarks.answering`: a search server that accepts every bulk request at once.

It serves measures of the client's CPU and memory, which do not depend on the server. It prints its address. GET
/_actions returns the number of bulk actions that it has accepted.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Final

ACTION: Final = re.compile(rb'(?:^|\n)\{"(index|delete)":\{"_')
ITEM: Final = (
    b'{"%b":{"_index":"bench","_id":"item-000123","_version":1948713423423434,"result":"updated","_shards":'
    b'{"total":1,"successful":1,"failed":0},"_seq_no":12345,"_primary_term":1,"status":200}}'
)
LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
LARGEST: Final = 2**30
ACCEPTED: Final = Counter({"actions": 0})


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            answer = answer_to(head, body)
            size = b"content-type: application/json; charset=UTF-8\r\ncontent-length: %d\r\n\r\n" % len(answer)
            writer.write(b"HTTP/1.1 200 OK\r\n" + size + answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def answer_to(head: bytes, body: bytes) -> bytes:
    if b"/_alias" in head:
        name = head.split(b" ", 2)[1].removeprefix(b"/").partition(b"*")[0].split(b"%2A")[0]
        return b'{"%b":{"aliases":{}}}' % name
    if head.startswith(b"GET /_actions "):
        return b'{"actions":%d}' % ACCEPTED["actions"]
    items = [ITEM % action[1] for action in ACTION.finditer(body)]
    ACCEPTED["actions"] += len(items)
    return b'{"took":12,"errors":false,"items":[%b]}' % b",".join(items)


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=LARGEST)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
