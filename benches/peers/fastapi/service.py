"""A FastAPI service that checks keys in Redis: the digest of a key -> its record as JSON.

It notes each key's last use.
"""

import hashlib
import json
import os
import time

import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.security import APIKeyHeader

app = FastAPI()
store = redis.asyncio.Redis(port=int(os.environ["REDIS_PORT"]), decode_responses=True)
header = APIKeyHeader(name="X-API-Key")


async def current_key(text: str = Security(header)):
    digest = hashlib.sha256(text.encode()).hexdigest()
    record = await store.get(f"key:{digest}")
    key = json.loads(record) if record else None
    if not key or key["disabled"] or key.get("expires_at", time.time() + 1) <= time.time():
        raise HTTPException(status_code=401, detail="invalid API key")
    await store.set(f"used:{digest}", time.time())
    return key


@app.get("/orders/7")
async def orders(key: dict = Depends(current_key)):
    return {"valid": True, "name": key["name"]}
