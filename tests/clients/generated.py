"""Uses a client that was generated from the API description: creates a key, checks it and revokes it."""

import os
import sys

sys.path.insert(0, sys.argv[1])

from keyhouse_client import AuthenticatedClient
from keyhouse_client.api.checks import verify
from keyhouse_client.api.keys import create_key, list_keys, revoke_key, show_key
from keyhouse_client.models import Check, CheckCode, ErrorCode, KeyDraft, Metadata

client = AuthenticatedClient(base_url=os.environ["KEYHOUSE_URL"], token=os.environ["KEYHOUSE_KEY"])
draft = KeyDraft(name="generated", permissions=["diagrams:read"], metadata=Metadata.from_dict({"ticket": "OPS-7"}))
made = create_key.sync(client=client, body=draft)


def check():
    return verify.sync(client=client, body=Check(key=made.secret, permissions="diagrams:read"))


assert made.key.metadata["ticket"] == "OPS-7", made
assert check().code is CheckCode.VALID
assert made.key.id in [key.id for key in list_keys.sync(client=client).items]
revoke_key.sync(made.key.id, client=client)
assert check().code is CheckCode.REVOKED
unknown = show_key.sync("key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f", client=client)
assert unknown.code is ErrorCode.NOT_FOUND, unknown
stranger = AuthenticatedClient(base_url=os.environ["KEYHOUSE_URL"], token="an-unknown-key")
assert list_keys.sync(client=stranger).code is CheckCode.NOT_FOUND
print("ok")
