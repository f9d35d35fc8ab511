"""What JSON Schema can't say of valid requests: formats of our own, and fields that must fit each other."""

from datetime import datetime, timezone

import schemathesis
from hypothesis import strategies as st


schemathesis.openapi.format("cidr", st.sampled_from(["192.0.2.0/24", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]))
schemathesis.openapi.format("span", st.sampled_from(["90d", "24h", "30m", "1h30m", "2w"]))
schemathesis.openapi.format("requirement", st.sampled_from(["a:b", "a:b AND (c:d or e:f)"]))


def moment(text):
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None


def fits(body):
    """Whether the fields of a body that the schema takes also fit each other."""
    if not isinstance(body, dict):
        return True
    begins, ends = moment(body.get("not_before")), moment(body.get("expires_at"))
    if ends and (ends <= datetime.now(timezone.utc) or (begins and ends <= begins)):
        return False
    if ends and body.get("expires_in"):
        return False
    limits = body.get("rate_limits")
    if isinstance(limits, list):
        names = [limit.get("name") for limit in limits if isinstance(limit, dict)]
        if len(names) != len({str(name) for name in names}):
            return False
    return True


@schemathesis.hook
def filter_case(context, case):
    """A request that is meant to be valid is one whose fields fit; one that is meant to be refused may be anything."""
    meant_well = case.meta is None or case.meta.generation.mode.is_positive
    return fits(case.body) if meant_well else True
