"""Rules of valid requests that JSON Schema can't express: Keyhouse's own formats, and rules that depend on more than the request."""

import base64
import re

import schemathesis
from hypothesis import strategies as st


def one_of(format_name, *texts):
    schemathesis.openapi.format(format_name, st.sampled_from(texts))


one_of("cidr", "192.0.2.0/24", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32")
one_of("span", "90d", "24h", "30m", "1h30m", "2w")
one_of("requirement", "a:b", "a:b AND (c:d or e:f)")
one_of("timezone", "Europe/Paris", "UTC", "America/New_York")
one_of("author", "local", "none", "usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")
one_of("new-owner", "organization", "usr_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f")
one_of("foreign-key", "sk_old_0123456789abcdef0123456789", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=")
one_of("name-cursor", *(base64.urlsafe_b64encode(name).rstrip(b"=").decode() for name in [b"a:b:c", b"diagrams:read"]))
one_of("key-cursor", "AZnzom8efMOYxNwMDAc5jw", "AZnzom8efMOYxNwMDAc5jg")

# Codes of faults that a schema cannot express, because they depend on stored records, the clock or another field.
UNFORESEEABLE = {
    "unknown_team", "unknown_role", "unknown_plan", "unknown_user", "unknown_owner", "unknown_organization",
    "digest_taken", "reserved_name", "operators_only", "wrong_password", "wrong_code", "invalid_password",
    "contradiction", "doubled", "no_owner", "equal_route",
}
# Such faults whose code alone does not identify them: pointer and code.
UNFORESEEABLE_AT = {
    ("/expires_at", "out_of_range"),  # the time has passed, or is before not_before
    ("/current_password", "required"),  # with a new password
    ("/expires_at", "required"),  # if the organization limits the lifetime of keys
    ("/expires_at", "too_long"),  # if the organization limits the lifetime of keys
    ("/created_at", "out_of_range"),  # the time is in the future
    ("/last_used_at", "out_of_range"),  # the time is in the future
    ("/organization", "not_found"),
    ("/owner", "not_found"),
    ("/overlap", "out_of_range"),  # the longest is shorter than the longest span
    ("?to", "required"),  # with keys=transfer
    ("?from", "out_of_range"),  # the time is after `to`
    ("?cursor", "invalid_cursor"),  # the cursor belongs to a list with another sort
}


def violates_items_of_no_list(failure, body):
    """Whether schemathesis considers a request invalid because of the items of a list that is null or empty."""
    found = re.search(r"violates .* at (/\S+)", str(failure.message))
    steps = iter(found.group(1).strip("/").split("/") if found else [])
    for step in steps:
        if step == "properties":
            body = body.get(next(steps)) if isinstance(body, dict) else None
        elif step == "items":
            return not body
    return False


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure is expected: a valid request may be refused only for faults that a schema can't express."""
    if type(failure).__name__ == "AcceptedNegativeData" and violates_items_of_no_list(failure, case.body):
        return False
    if type(failure).__name__ == "UnsupportedMethodResponse" and case.operation.path.startswith("/v1/ext-authz/"):
        # Envoy forwards its client's request with any method.
        return False
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    faults = response.json().get("errors", [])
    foreseeable = [
        fault
        for fault in faults
        if fault["code"] not in UNFORESEEABLE
        and ("/" + fault["pointer"].rsplit("/", 1)[-1] if "/" in fault["pointer"] else fault["pointer"], fault["code"])
        not in UNFORESEEABLE_AT
    ]
    return not faults or bool(foreseeable)


CREDENTIALS = ["Authorization", "X-API-Key", "MC-Api-Key"]


@schemathesis.hook
def filter_case(context, case):
    """Whether a request has at most one credential. Keyhouse refuses several credentials, which other tests check."""
    headers = {name.lower() for name in case.headers or {}}
    return sum(name.lower() in headers for name in CREDENTIALS) + bool(case.cookies) <= 1


def described_codes(case, status):
    """Returns the codes that the description names for a status of this operation."""
    responses = case.operation.definition.raw["responses"]
    described = responses.get(str(status), {})
    reference = described.get("$ref")
    if reference:
        described = case.operation.schema.raw_schema
        for part in reference.removeprefix("#/").split("/"):
            described = described[part]
    return described.get("x-codes", [])


@schemathesis.check
def code_is_described(context, response, case):
    """Checks that the description names an error's code for its status."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    code = response.json()["code"]
    assert code in described_codes(case, response.status_code), f"{response.status_code} {code} is not described"
