"""The unmodified client `cloudcraftco` through Caddy, the gate and examples/diagrams.

stdin: a JSON object with `port` and `keys` (main, reader, revoked, free, limited, outsider). stdout: the name of each
claim that holds, one a line. The first claim that does not hold ends the program with a traceback.
"""

import csv
import importlib.metadata
import io
import json
import re
import struct
import sys
import time
import uuid
import xml.etree.ElementTree as xml
import zlib

import openpyxl
import requests
from cloudcraftco import error
from cloudcraftco.cloudcraft import Cloudcraft

given = json.load(sys.stdin)
responses = []
CLAIMS = []


class Recorder(requests.adapters.HTTPAdapter):
    """Keeps each response, whose headers the client does not show."""

    def send(self, request, **options):
        response = super().send(request, **options)
        responses.append(response)
        return response


requests.sessions.HTTPAdapter = Recorder


def claim(function):
    CLAIMS.append(function)
    return function


def client_of(name, **headers):
    made = Cloudcraft({"api_key": given["keys"][name], "host": "127.0.0.1", "port": given["port"], "protocol": "http"})
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def status():
    return responses[-1].status_code


def headers():
    return responses[-1].headers


def refused(kind, code, reason, call, *arguments):
    """The call must raise exactly this class, with the reason in its message."""
    try:
        call(*arguments)
    except Exception as raised:
        assert type(raised) is kind, repr(raised)
        assert status() == code, status()
        assert f"[Error: {reason}" in str(raised), str(raised)
        return
    raise AssertionError(f"{kind.__name__} was not raised")


def is_time(value):
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None


def listed(document, name):
    """The rows of a list. Another client reads the whole object as lists of objects, so it has no other member."""
    assert list(document) == [name] and all(isinstance(row, dict) for row in document[name]), document
    for row in document[name]:
        assert row["id"] and row["name"] and is_time(row["createdAt"]) and is_time(row["updatedAt"]), row
        for member in ("readAccess", "writeAccess"):
            assert row[member] is None or all(isinstance(entry, str) for entry in row[member]), row
    return document[name]


assert importlib.metadata.version("cloudcraftco") == "1.1.0"
client, reader = client_of("main"), client_of("reader")
TEAM = requests.get(client.url_base.format("/team"), headers=client.headers).json()[0]["id"]


def colours(colour):
    return {"isometric": colour, "2d": None}


def content(name):
    """A diagram with an element in each list, unknown members, and numbers as texts."""
    return {
        "name": name, "grid": "infinite", "projection": "isometric", "theme": {"base": "light"}, "version": 4,
        "linkKey": str(uuid.uuid4()), "shareDocs": False, "disabledLayers": [], "images": [], "connectors": [],
        "new-member": {"deep": [1, 2.25, "x"]},
        "nodes": [
            {"id": "web", "type": "ec2", "mapPos": [1, 8], "region": "eu-west-1", "platform": "linux", "instanceType": "m5", "instanceSize": "xlarge", "color": colours("#ececed")},
            {"id": "db", "type": "rds", "mapPos": [5, 8.5], "region": "eu-west-1", "engine": "mysql", "instanceType": "r5", "instanceSize": "large", "multiAZ": True},
            {"id": "files", "type": "s3", "mapPos": ["8.25", "4"], "region": "eu-west-1", "dataGb": "50"},
            {"id": "later", "type": "not-invented-yet", "mapPos": [-3, 2], "what": {"ever": True}},
        ],
        "edges": [{"id": "e", "type": "edge", "from": "web", "to": "db", "endCap": "arrow", "dashed": True}],
        "groups": [{"id": "g", "type": "vpc", "name": "<b>&\"'", "nodes": ["web", "db"], "shape": "rectangular"}],
        "surfaces": [{"id": "z", "type": "zone", "mapPos": [0, 2], "mapSize": [8, 9]}],
        "icons": [{"id": "i", "type": "icon", "mapPos": [3, 12], "iconSet": "fa", "name": "users"}],
        "text": [{"id": "t", "type": "isotext", "mapPos": [2, 11], "text": "<script>alert(1)</script>\n]]>", "color": "#f00"}],
    }


kept = {}


@claim
def a_key_reads_its_own_user():
    me = client.read_user_profile()
    assert me["id"] and me["name"] and "@" in me["email"] and me["settings"]["currency"] == "USD", me
    assert all(is_time(me[name]) for name in ("createdAt", "updatedAt", "accessedAt")), me


@claim
def an_unknown_key_is_refused():
    stranger = Cloudcraft({**client.config, "api_key": "A" * 43 + "="})
    for call in (stranger.read_user_profile, stranger.list_blueprints):
        refused(error.CloudcraftUnauthorized, 401, "invalid_token", call)
    assert headers()["WWW-Authenticate"].startswith("Bearer "), headers()
    assert headers()["Content-Type"] == "application/json", headers()


@claim
def a_diagram_is_created_and_listed():
    kept["content"] = content("From the client")
    made = client.create_blueprint({"data": kept["content"], "readAccess": ["team/" + TEAM]})
    assert status() == 201 and headers()["ETag"], status()
    assert made["name"] == made["data"]["name"] == "From the client", made
    assert made["CreatorId"] and made["CreatorId"] == made["LastUserId"], made
    assert is_time(made["createdAt"]) and is_time(made["updatedAt"]), made
    kept["id"] = made["id"]
    [row] = [row for row in listed(client.list_blueprints(), "blueprints") if row["id"] == made["id"]]
    assert "data" not in row and row["readAccess"] == ["team/" + TEAM] and row["writeAccess"] is None, row


@claim
def its_content_comes_back_whole():
    read = client.read_blueprint(kept["id"])
    assert read["data"] == kept["content"], read["data"]
    kept.update(tag=headers()["ETag"], created=read["createdAt"], creator=read["CreatorId"])


@claim
def it_is_changed_and_a_stale_change_is_refused():
    kept["content"]["name"] = "Renamed"
    assert client.update_blueprint(kept["id"], {"data": kept["content"]}) is None
    tag = headers()["ETag"]
    assert status() == 204 and tag != kept["tag"], tag
    read = client.read_blueprint(kept["id"])
    assert (read["name"], read["createdAt"], headers()["ETag"]) == ("Renamed", kept["created"], tag), read
    stale = client_of("main", If_Match=kept["tag"])
    body = {"data": kept["content"]}
    refused(error.CloudcraftOutdatedResource, 412, "the object has changed", stale.update_blueprint, kept["id"], body)
    client_of("main", If_Match=tag).update_blueprint(kept["id"], body)


@claim
def members_of_the_service_are_ignored_in_a_change():
    zero = "0001-01-01T00:00:00Z"
    others = {"id": "x", "name": "x", "CreatorId": "x", "LastUserId": "x", "CurrentVersionId": "x", "tags": ["new"]}
    body = {**others, "createdAt": zero, "updatedAt": zero, "data": kept["content"]}
    client.update_blueprint(kept["id"], body)
    read = client.read_blueprint(kept["id"])
    assert (read["createdAt"], read["CreatorId"], read["tags"]) == (kept["created"], kept["creator"], ["new"]), read
    assert (read["id"], read["name"], read["LastUserId"]) == (kept["id"], "Renamed", kept["creator"]), read
    assert read["updatedAt"] > kept["created"], read


@claim
def wrong_requests_are_refused_with_the_place():
    refused(error.CloudcraftUnexpected, 400, "/data: must be an object", client.create_blueprint, {})
    wrong = {"data": {"name": "x", "nodes": [{"mapPos": [1]}]}}
    refused(error.CloudcraftMalformed, 400, "/data/nodes/0/mapPos", client.update_blueprint, kept["id"], wrong)
    refused(error.CloudcraftMissingResource, 404, "not found", client.read_blueprint, str(uuid.uuid4()))
    refused(error.CloudcraftMissingResource, 404, "not found", client.read_blueprint, "no-id")
    long = {"data": {"name": "x", "text": [{"text": "x" * (2 << 20)}]}}
    refused(error.CloudcraftUnexpected, 413, "the body is too large", client.create_blueprint, long)


@claim
def an_id_with_dots_is_authorized_as_the_path_that_arrives():
    # The client resolves the dots: the request is one for the own user, which needs another permission.
    assert reader.read_blueprint("../user/me")["settings"], responses[-1].text
    assert responses[-1].request.path_url == "/user/me"
    for path in ("/blueprint/%2e%2e/user/me", "/blueprint//x", "/blueprint/..%2fuser/me"):
        raw = requests.Request("GET", client.url_base.format("/"), headers=client.headers).prepare()
        raw.url = client.url_base.format(path)
        answer = requests.Session().send(raw)
        assert answer.status_code == 403 and answer.json()["error"] == "request_refused", (path, answer.text)


@claim
def json_is_exported():
    exported = json.loads(client.export_blueprint(kept["id"], "json"))
    assert headers()["Content-Type"] == "application/json" and exported == {"data": kept["content"]}, exported
    refused(error.CloudcraftMalformed, 400, "/format", client.export_blueprint, kept["id"], "bmp")


def picture(form, media_type, options=None):
    data = client.export_blueprint(kept["id"], form, options)
    assert headers()["Content-Type"] == media_type, headers()
    return data


def drawn(data):
    """The root of an SVG in which no text of the diagram has become an element or a handler of events."""
    root = xml.fromstring(data)
    names = {element.tag.split("}")[-1] for element in root.iter()}
    assert root.tag.endswith("}svg") and not names & {"script", "foreignObject"}, names
    assert not [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]
    return root


@claim
def an_svg_is_the_same_at_each_call_and_has_the_requested_size():
    first = picture("svg", "image/svg+xml")
    drawn(first)
    assert first == picture("svg", "image/svg+xml")
    root = drawn(picture("svg", "image/svg+xml", {"width": 640, "height": 480}))
    assert [float(root.get(side).removesuffix("px")) for side in ("width", "height")] == [640, 480], root.attrib
    # This client sends True and False, others true and false.
    of = lambda yes, no: picture("svg", "image/svg+xml", {"grid": yes, "transparent": no, "landscape": yes})
    assert of(True, False) == of("true", "false") != first


def pixels(options):
    data = picture("png", "image/png", options)
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), data[:16]
    return data, struct.unpack(">II", data[16:24])


def corner_is_clear(data):
    """Whether the first pixel of a PNG with 8 bits for each of red, green, blue and alpha has no colour."""
    assert data[24:26] == b"\x08\x06", data[24:26]
    parts, at = [], 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        parts += [data[at + 8 : at + 8 + size]] if kind == b"IDAT" else []
        at += size + 12
    return zlib.decompressobj().decompress(b"".join(parts), 16)[4] == 0


@claim
def a_png_has_the_requested_size_scale_and_background():
    assert pixels({"width": 640, "height": 480})[1] == (640, 480)
    (one, two) = (pixels({"scale": scale})[1] for scale in (1, 2))
    assert all(abs(double - 2 * side) <= 2 for side, double in zip(one, two)), (one, two)
    assert corner_is_clear(pixels({"transparent": True})[0])
    assert not corner_is_clear(pixels({"transparent": False})[0])


@claim
def a_pdf_has_the_requested_paper():
    sizes = []
    for landscape in (False, True):
        data = picture("pdf", "application/pdf", {"paperSize": "A4", "landscape": landscape})
        assert data.startswith(b"%PDF-") and b"%%EOF" in data[-64:], data[:16]
        box = re.search(rb"/MediaBox\s*\[([^\]]*)\]", data)
        sizes.append([round(float(number)) for number in box[1].split()[2:]])
    assert sizes == [[595, 842], [842, 595]], sizes


@claim
def an_mxgraph_is_a_diagram_of_diagrams_net():
    root = xml.fromstring(picture("mxGraph", "application/xml"))
    assert root.tag == "mxGraphModel" and [child.tag for child in root] == ["root"], root.tag
    cells = list(root[0])
    assert {cell.tag for cell in cells} == {"mxCell"}, cells
    by_id = {cell.get("id"): cell for cell in cells}
    assert len(by_id) == len(cells) and None not in by_id, list(by_id)
    # The reader knows the two cells that hold the others by their ids.
    assert [cell.attrib for cell in cells[:2]] == [{"id": "0"}, {"id": "1", "parent": "0"}], cells[:2]
    vertices, edges = ([cell for cell in cells[2:] if cell.get(kind) == "1"] for kind in ("vertex", "edge"))
    assert len(edges) == 1 and len(vertices) + len(edges) == len(cells) - 2, (vertices, edges)
    for cell in vertices + edges:
        assert cell.get("parent") in by_id, cell.attrib
        [geometry] = list(cell)
        assert (geometry.tag, geometry.get("as")) == ("mxGeometry", "geometry"), geometry.attrib
        # A name of a style may come first.
        assert re.fullmatch(r"(ellipse;|text;)?([A-Za-z]+=[^=;]+;)+", cell.get("style")), cell.get("style")
    for cell in vertices:
        x, y, width, height = (float(cell[0].get(name)) for name in ("x", "y", "width", "height"))
        assert width > 0 and height > 0 and abs(x) < 1e6 and abs(y) < 1e6, cell[0].attrib
    [edge] = edges
    ends = [by_id[edge.get(end)] for end in ("source", "target")]
    assert edge[0].get("relative") == "1" and all(end in vertices for end in ends), edge.attrib


@claim
def a_wrong_option_of_a_picture_is_refused():
    for options in ({"width": "wide"}, {"height": 10**9}, {"scale": -1}, {"grid": "maybe"}, {"paperSize": "B5"}):
        name = "?" + next(iter(options))
        refused(error.CloudcraftMalformed, 400, name, client.export_blueprint, kept["id"], "png", options)


@claim
def a_budget_is_a_table_that_calculates_nothing():
    table = client.export_blueprint_budget(kept["id"], "csv")
    assert headers()["Content-Type"] == "text/csv", headers()
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert list(rows[0])[:6] == ["category", "type", "region", "count", "unitPrice", "cost"], rows[0]
    assert {row["type"] for row in rows} == {"ec2", "rds", "s3", "not-invented-yet"}, rows
    options = {"currency": "EUR", "period": "y", "rate": "stated"}
    book = client.export_blueprint_budget(kept["id"], "xlsx", options)
    assert headers()["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", headers()
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"], "a cell calculates"
    [header, *lines] = [[cell.value for cell in row] for row in sheet.iter_rows()]
    table = client.export_blueprint_budget(kept["id"], "csv", options).decode()
    assert header == next(csv.reader(io.StringIO(table))), header
    found = [row["type"] for row in csv.DictReader(io.StringIO(table))]
    assert [line[header.index("type")] for line in lines] == found, lines
    assert all(isinstance(line[header.index("count")], (int, float)) for line in lines), lines
    for options in ({"currency": "XXX"}, {"period": "decade"}, {"rate": "free"}):
        refused(error.CloudcraftMalformed, 400, "?", client.export_blueprint_budget, kept["id"], "csv", options)


def accounts(cloud, member, body, change):
    verbs = {verb: getattr(client, f"{verb}_{cloud}_account") for verb in ("create", "update", "delete", "snapshot")}
    rows = getattr(client, f"list_{cloud}_accounts")
    made = verbs["create"](body)
    assert status() == 201 and made[member] == body[member] and "clientSecret" not in made, made
    assert made["CreatorId"] and made["externalId" if cloud == "aws" else "hint"], made
    [row] = [row for row in listed(rows(), "accounts") if row["id"] == made["id"]]
    assert row["source"] == cloud and "clientSecret" not in row, row
    changed = verbs["update"](made["id"], change)
    assert changed["name"] == change["name"] and "clientSecret" not in changed, changed
    refused(error.CloudcraftUnexpected, 400, f"/{member}", verbs["create"], {"name": "x"})
    refused(error.CloudcraftUnexpected, 400, f"/{member}", verbs["create"], {**body, member: "x"})
    refused(error.CloudcraftMissingResource, 404, "not found", verbs["snapshot"], str(uuid.uuid4()), "eastus", "png")
    assert verbs["delete"](made["id"]) is None and status() == 204
    for call, arguments in ((verbs["delete"], ()), (verbs["update"], (change,))):
        refused(error.CloudcraftMissingResource, 404, "not found", call, made["id"], *arguments)


@claim
def accounts_of_aws_are_linked():
    body = {"name": "Main", "roleArn": "arn:aws:iam::123456789012:role/reader", "region": "us-east-1"}
    accounts("aws", "roleArn", body, {**body, "name": "Renamed"})
    parameters = client.read_aws_role_parameters()
    assert re.fullmatch(r"\d{12}", parameters["accountId"]) and uuid.UUID(parameters["externalId"]), parameters
    assert parameters["awsConsoleUrl"].startswith("https://"), parameters
    path = client.url_base.format("/aws/account/iamParameters/policy/minimal")
    policy = requests.get(path, headers=client.headers).json()
    assert policy["Version"] == "2012-10-17" and policy["Statement"][0]["Effect"] == "Allow", policy


@claim
def accounts_of_azure_are_linked():
    ids = {name: str(uuid.uuid4()) for name in ("applicationId", "directoryId", "subscriptionId")}
    body = {"name": "Main", **ids, "clientSecret": "a-long-enough-secret"}
    accounts("azure", "applicationId", body, {"name": "Renamed", **ids})


def snapshot(cloud, account, region, form, options=None):
    """The result of a scan, for which the client must ask again while it gets 202."""
    call = getattr(client, f"snapshot_{cloud}_account")
    for _ in range(60):
        data = call(account, region, form, options)
        if data != {"snapshot_status": "processing"}:
            assert status() == 200, status()
            return data
        assert status() == 202, status()
    raise AssertionError("the scan does not end")


def snapshots(cloud, region, body):
    account = getattr(client, f"create_{cloud}_account")(body)["id"]
    content = json.loads(snapshot(cloud, account, region, "json"))
    assert headers()["Content-Type"] == "application/json" and list(content) == ["data"], content
    nodes = content["data"]["nodes"]
    assert nodes and all(node["id"] and node["type"] and len(node["mapPos"]) == 2 for node in nodes), nodes
    # The documented way to keep a snapshot.
    client.delete_blueprint(client.create_blueprint(content)["id"])
    kind = nodes[0]["type"]
    for excluded in ([kind, "nothing"], kind + ",nothing"):
        options = {"exclude": excluded, "label": False, "autoconnect": False}
        left = json.loads(snapshot(cloud, account, region, "json", options))["data"]["nodes"]
        assert kind not in {node["type"] for node in left}, (excluded, left)
    options = {"width": 1024, "height": 768, "projection": "isometric", "theme": "light", "scale": 1.0}
    drawn(snapshot(cloud, account, region, "svg", options))
    png = snapshot(cloud, account, region, "png", options)
    assert struct.unpack(">II", png[16:24]) == (1024, 768), png[:24]
    page = snapshot(cloud, account, region, "pdf", {"paperSize": "A3", "landscape": True})
    assert page.startswith(b"%PDF-"), page[:8]
    assert xml.fromstring(snapshot(cloud, account, region, "mxGraph")).tag == "mxGraphModel"
    call = getattr(client, f"snapshot_{cloud}_account")
    refused(error.CloudcraftMalformed, 400, "/format", call, account, region, "bmp")
    getattr(client, f"delete_{cloud}_account")(account)


@claim
def a_snapshot_of_aws_is_drawn_in_every_format():
    snapshots("aws", "eu-west-1", {"name": "Main", "roleArn": "arn:aws:iam::123456789012:role/reader"})


@claim
def a_snapshot_of_azure_is_drawn_in_every_format():
    ids = {name: str(uuid.uuid4()) for name in ("applicationId", "directoryId", "subscriptionId")}
    snapshots("azure", "eastus", {"name": "Main", **ids, "clientSecret": "a-long-enough-secret"})


@claim
def a_revoked_key_is_refused():
    revoked = client_of("revoked")
    for call, arguments in (
        (revoked.read_user_profile, ()),
        (revoked.list_blueprints, ()),
        (revoked.create_blueprint, ({"data": {"name": "x"}},)),
        (revoked.export_blueprint, (kept["id"], "json")),
    ):
        refused(error.CloudcraftUnauthorized, 401, "invalid_token", call, *arguments)


@claim
def a_read_key_reads_and_does_not_write():
    assert kept["id"] in [row["id"] for row in reader.list_blueprints()["blueprints"]]
    assert json.loads(reader.export_blueprint(kept["id"], "json"))["data"]["name"] == "Renamed"
    assert reader.export_blueprint(kept["id"], "svg") == client.export_blueprint(kept["id"], "svg")
    body = {"data": {"name": "x"}}
    for call, arguments in (
        (reader.create_blueprint, (body,)),
        (reader.update_blueprint, (kept["id"], body)),
        (reader.delete_blueprint, (kept["id"],)),
        (reader.create_aws_account, ({"name": "x"},)),
    ):
        refused(error.CloudcraftForbidden, 403, "insufficient_scope", call, *arguments)


@claim
def a_key_of_a_free_organization_is_refused():
    free = client_of("free")
    refused(error.CloudcraftForbidden, 403, "subscription_required", free.create_blueprint, {"data": {"name": "x"}})
    refused(error.CloudcraftForbidden, 403, "subscription_required", free.read_blueprint, kept["id"])
    # The client knows no 403 of these calls.
    for call in (free.read_user_profile, free.list_blueprints):
        refused(error.CloudcraftUnexpected, 403, "subscription_required", call)


@claim
def teams_are_listed_and_share_a_diagram():
    teams = requests.get(client.url_base.format("/team"), headers=client.headers).json()
    assert [team["id"] for team in teams] == [TEAM] and teams[0]["name"], teams
    access = ["team/" + TEAM]
    made = client.create_blueprint({"readAccess": access, "writeAccess": access, "data": {"name": "Shared"}})
    read = client.read_blueprint(made["id"])
    assert (read["readAccess"], read["writeAccess"]) == (access, access), read
    assert made["id"] in [row["id"] for row in reader.list_blueprints()["blueprints"]]
    client.delete_blueprint(made["id"])


@claim
def a_key_outside_of_the_team_finds_nothing():
    outsider = client_of("outsider")
    assert kept["id"] not in [row["id"] for row in outsider.list_blueprints()["blueprints"]]
    body = {"data": {"name": "x"}}
    for call, arguments in (
        (outsider.read_blueprint, ()),
        (outsider.export_blueprint, ("json",)),
        (outsider.update_blueprint, (body,)),
        (outsider.delete_blueprint, ()),
    ):
        refused(error.CloudcraftMissingResource, 404, "not found", call, kept["id"], *arguments)


@claim
def past_the_limit_the_reason_is_in_the_message():
    limited, begin, passed = client_of("limited"), time.monotonic(), 0
    try:
        while passed < 100:
            limited.list_blueprints()
            passed += 1
    except error.CloudcraftRateLimiting as raised:
        assert "[Error: rate_limited]" in str(raised), raised
    took = time.monotonic() - begin
    assert status() == 429 and 1 <= int(headers()["Retry-After"]) <= 10, headers()
    # 20 calls in 10 s, refilled evenly.
    assert 20 <= passed <= 21 + 2 * took, (passed, took)
    # A client that waits as long as the header says is served.
    time.sleep(int(headers()["Retry-After"]))
    limited.list_blueprints()


@claim
def the_diagram_is_deleted():
    assert client.delete_blueprint(kept["id"]) is None and status() == 204
    refused(error.CloudcraftMissingResource, 404, "not found", client.read_blueprint, kept["id"])
    refused(error.CloudcraftMissingResource, 404, "not found", client.delete_blueprint, kept["id"])


for function in CLAIMS:
    function()
    print(function.__name__, flush=True)
