//! AWS with recorded responses: what is sent, and which errors and limits a scan has.

use std::fmt::Write as _;

use keyhouse_diagrams::{CloudPlace, CloudSettings, Inventory, ScanError, scan};
use serde_json::json;

use crate::recorded::{Reply, Request, Server};
use crate::{EXTERNAL_ID, ROLE, aws_place, settings};

pub(crate) const REGION: &str = "eu-west-1";

/// A response to each action of a scan of an empty account.
pub(crate) fn empty(request: &Request) -> Reply {
    let body = match request.action() {
        "AssumeRole" => {
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>\
             <SessionToken>role-token</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        },
        "/2015-03-31/functions/" => "{\"Functions\": []}",
        "/" if request.header("x-amz-target").is_empty() => "<ListAllMyBucketsResult/>",
        "/" => "{\"ResourceTagMappingList\": []}",
        _ => "<Empty/>",
    };
    Reply::Of(200, body.to_owned())
}

/// A server that answers one action otherwise.
pub(crate) fn server(
    action: &'static str,
    otherwise: impl Fn(&Request) -> Reply + Send + 'static,
) -> Server {
    let is_it = move |request: &Request| request.action() == action;
    Server::start(move |request| if is_it(request) { otherwise(request) } else { empty(request) })
}

pub(crate) fn scanned(server: &Server) -> Result<Inventory, ScanError> {
    scan(&aws_place(), None, REGION, &settings(server.address()))
}

/// The text of the error of a scan.
pub(crate) fn failed(server: &Server) -> String {
    scanned(server).unwrap_err().to_string()
}

pub(crate) fn error(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>User arn:aws:iam::210987654321:user/service</Message></Error></ErrorResponse>"
    )
}

pub(crate) fn instances(count: usize, more: &str) -> String {
    let mut items = String::new();
    for number in 0..count {
        write!(items, "<item><instanceId>i-{number:05}</instanceId>{more}</item>").unwrap();
    }
    format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet></DescribeInstancesResponse>"
    )
}

#[test]
fn the_role_is_assumed_with_the_own_credentials_and_all_else_is_read_with_those_of_the_role() {
    let server = Server::start(empty);
    let inventory = scanned(&server).unwrap();
    let expected = Inventory {
        account: "123456789012".to_owned(),
        region: REGION.to_owned(),
        ..Inventory::default()
    };
    assert_eq!(inventory, expected);
    let requests = server.requests();
    let actions: Vec<&str> = requests.iter().map(Request::action).collect();
    assert_eq!(
        actions,
        [
            "AssumeRole",
            "DescribeVpcs",
            "DescribeSubnets",
            "DescribeSecurityGroups",
            "DescribeInstances",
            "DescribeDBInstances",
            "/2015-03-31/functions/",
            "/",
            "DescribeLoadBalancers",
            "DescribeTargetGroups",
            "/",
        ]
    );
    let role = ROLE.replace(':', "%3A").replace('/', "%2F");
    assert_eq!(
        requests[0].body,
        format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn={role}&ExternalId={EXTERNAL_ID}\
             &RoleSessionName=keyhouse-diagrams&DurationSeconds=900"
        )
    );
    let services = [
        "sts",
        "ec2",
        "ec2",
        "ec2",
        "ec2",
        "rds",
        "lambda",
        "s3",
        "elasticloadbalancing",
        "elasticloadbalancing",
        "tagging",
    ];
    for (number, (request, service)) in requests.iter().zip(services).enumerate() {
        let (key, region, token) = match number {
            0 => ("AKIDEXAMPLE", "us-east-1", ""),
            _ => ("ASIAEXAMPLE", REGION, "role-token"),
        };
        let authorization = request.header("authorization");
        let date = request.header("x-amz-date").get(..8).unwrap();
        let scope =
            format!("AWS4-HMAC-SHA256 Credential={key}/{date}/{region}/{service}/aws4_request, ");
        assert!(authorization.starts_with(&scope), "{scope} {authorization}");
        assert_eq!(request.header("x-amz-security-token"), token, "{request:?}");
        let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
        let (names, _) = names.split_once(',').unwrap();
        for name in ["host", "x-amz-date"] {
            assert!(names.split(';').any(|it| it == name), "{authorization}");
        }
        for secret in ["own-secret", "role-secret"] {
            assert!(!format!("{request:?}").contains(secret), "{request:?}");
        }
    }
    assert_eq!(requests[7].line, "GET /?bucket-region=eu-west-1&max-buckets=1000");
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(requests[7].header("x-amz-content-sha256"), nothing);
}

#[test]
fn a_refusal_of_the_role_is_not_one_of_the_credentials() {
    for (status, code, text) in [
        (
            403,
            "AccessDenied",
            "AWS refused the role (AccessDenied): check roleArn, and that the role trusts",
        ),
        (400, "ValidationError", "AWS refused the role (ValidationError): "),
        (
            403,
            "InvalidClientTokenId",
            "AWS refused the credentials of the service (InvalidClientTokenId): its operator",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "AWS refused the credentials of the service (SignatureDoesNotMatch): ",
        ),
        (400, "ExpiredToken", "AWS refused the credentials of the service (ExpiredToken): "),
    ] {
        let server = server("AssumeRole", move |_| Reply::Of(status, error(code)));
        let shown = failed(&server);
        assert!(shown.starts_with(text), "{shown}");
        // The text of AWS names the account of the service.
        assert!(!shown.contains("210987654321"), "{shown}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_refused_action_is_named() {
    let of_ec2 =
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>";
    let server_of_ec2 = server("DescribeSubnets", move |_| Reply::Of(403, of_ec2.to_owned()));
    let detail = "check the permissions, and that the region is enabled";
    assert_eq!(
        failed(&server_of_ec2),
        format!("ec2:DescribeSubnets was refused (UnauthorizedOperation): {detail}")
    );
    let of_lambda = server("/2015-03-31/functions/", |_| {
        let header = "x-amzn-ErrorType: AccessDeniedException:http://internal.example.com/";
        Reply::With(403, header, "{\"Message\": \"no\"}".to_owned())
    });
    assert_eq!(
        failed(&of_lambda),
        format!("lambda:ListFunctions was refused (AccessDeniedException): {detail}")
    );
    let of_tags = server("/", |request| match request.header("x-amz-target") {
        "" => empty(request),
        _ => Reply::Of(400, "{\"__type\": \"com.amazon#InvalidParameterException\"}".to_owned()),
    });
    assert_eq!(
        failed(&of_tags),
        "tag:GetResources failed with status 400 (InvalidParameterException)"
    );
    let hostile =
        server("AssumeRole", |_| Reply::Of(403, error("&lt;script&gt;\u{202e}x y&#10;z")));
    assert!(
        failed(&hostile).starts_with("AWS refused the role (scriptxyz): "),
        "{}",
        failed(&hostile)
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let server = server("DescribeVpcs", |_| {
        Reply::With(302, "Location: http://127.0.0.1:9/", String::new())
    });
    assert_eq!(failed(&server), "ec2:DescribeVpcs failed with status 302 (no code)");
}

#[test]
fn hostile_texts_are_texts() {
    let long = "n".repeat(10_000);
    let tag = format!(
        "<tagSet><item><key>Name</key><value>\"&lt;/text&gt;&lt;script&gt;&#9;\u{202e}{long}</value></item></tagSet>"
    );
    let hostile = server("DescribeInstances", move |_| Reply::Of(200, instances(1, &tag)));
    let inventory = scanned(&hostile).unwrap();
    let name = &inventory.resources[0].name;
    assert!(name.starts_with("\"</text><script> \u{202e}nnn"), "{name}");
    assert_eq!(name.chars().count(), 2048);
    assert_eq!(inventory.resources[0].tags["Name"], *name);
}

#[test]
fn buckets_without_a_region_are_asked_for_it() {
    let list = "<R><Buckets><Bucket><Name>here</Name></Bucket><Bucket><Name>old</Name></Bucket>\
        <Bucket><Name>there</Name></Bucket><Bucket><Name>closed</Name></Bucket></Buckets></R>";
    let server = Server::start(move |request| match request.action() {
        "/" if request.header("x-amz-target").is_empty() => Reply::Of(200, list.to_owned()),
        "/here" => Reply::Of(200, "<LocationConstraint>eu-west-1</LocationConstraint>".to_owned()),
        "/old" => Reply::Of(200, "<LocationConstraint>EU</LocationConstraint>".to_owned()),
        "/there" => Reply::Of(200, "<LocationConstraint/>".to_owned()),
        "/closed" => Reply::Of(403, "<Error><Code>AccessDenied</Code></Error>".to_owned()),
        _ => empty(request),
    });
    let inventory = scanned(&server).unwrap();
    let ids: Vec<&str> = inventory.resources.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["arn:aws:s3:::here", "arn:aws:s3:::old"]);
    let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
    assert!(lines.contains(&"GET /here?location=".to_owned()), "{lines:?}");
}

#[test]
fn nothing_is_sent_for_a_wrong_region_or_without_credentials() {
    let server = Server::start(empty);
    let of = |place: &CloudPlace, region: &str, settings: &CloudSettings| {
        scan(place, None, region, settings).unwrap_err().to_string()
    };
    for region in ["", "eastus", "us-east-1.example.com", "us-east-1/x", "s3-website-us-east-1"] {
        let error = of(&aws_place(), region, &settings(server.address()));
        assert_eq!(error, "the region is not in the form of AWS: use a region such as us-east-1");
    }
    let without = CloudSettings { aws_credentials: None, ..settings(server.address()) };
    assert_eq!(
        of(&aws_place(), REGION, &without),
        "the service has no credentials for AWS: its operator must set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    );
    let other = CloudPlace::Aws {
        role_arn: ROLE.replace("aws", "aws.example.com"),
        external_id: EXTERNAL_ID.to_owned(),
    };
    let error = of(&other, REGION, &settings(server.address()));
    assert!(error.starts_with("roleArn names a part of AWS that is not supported"), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn members_of_components_come_from_their_resources() {
    let details = "<instanceType>c5.2xlarge</instanceType><platformDetails>Red Hat Enterprise Linux</platformDetails>";
    let server = server("DescribeInstances", move |_| Reply::Of(200, instances(1, details)));
    let inventory = scanned(&server).unwrap();
    let members = serde_json::to_value(&inventory.resources[0].members).unwrap();
    assert_eq!(
        members,
        json!({"platform": "rhel", "instanceType": "c5", "instanceSize": "2xlarge"})
    );
}
