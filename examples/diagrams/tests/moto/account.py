"""Fills an account of moto: 60 resources in eu-west-1, of which 3 VPCs have those that are in a network."""

import sys

import boto3

ENDPOINT = sys.argv[1]
REGION = "eu-west-1"
IMAGE = "ami-12345678"


def client(service, region=REGION):
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=ENDPOINT,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


ec2, rds, elb = client("ec2"), client("rds"), client("elbv2")
functions, s3, iam = client("lambda"), client("s3"), client("iam")


def named(kind, name, **more):
    tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **more}.items()]
    return [{"ResourceType": kind, "Tags": tags}]


class Network:
    """A VPC with subnets in two zones."""

    def __init__(self, name, number, tiers):
        self.name = name
        self.id = ec2.create_vpc(
            CidrBlock=f"10.{number}.0.0/16", TagSpecifications=named("vpc", name)
        )["Vpc"]["VpcId"]
        self.subnets = {}
        for at, tier in enumerate(tiers):
            for zone in "ab":
                block = f"10.{number}.{at * 2 + 'ab'.index(zone)}.0/24"
                self.subnets[f"{tier}-{zone}"] = ec2.create_subnet(
                    VpcId=self.id,
                    CidrBlock=block,
                    AvailabilityZone=f"{REGION}{zone}",
                    TagSpecifications=named("subnet", f"{name}-{tier}-{zone}"),
                )["Subnet"]["SubnetId"]

    def tier(self, tier):
        return [self.subnets[f"{tier}-a"], self.subnets[f"{tier}-b"]]

    def group(self, name, *sources):
        group = ec2.create_security_group(
            GroupName=f"{self.name}-{name}", Description=name, VpcId=self.id
        )["GroupId"]
        if sources:
            pairs = [{"GroupId": source} for source in sources]
            rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": pairs}
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return group

    def instances(self, name, count, size, tier, group, **tags):
        """Starts instances, in turn in both zones of a tier."""
        ids = []
        for number in range(1, count + 1):
            ids += [
                instance["InstanceId"]
                for instance in ec2.run_instances(
                    ImageId=IMAGE,
                    MinCount=1,
                    MaxCount=1,
                    InstanceType=size,
                    SubnetId=self.tier(tier)[number % 2],
                    SecurityGroupIds=[group],
                    TagSpecifications=named("instance", f"{name}-{number}", **tags),
                )["Instances"]
            ]
        return ids

    def databases(self, name, tier, group, *members):
        """Creates databases in a tier. A member is a suffix and more members of the request."""
        rds.create_db_subnet_group(
            DBSubnetGroupName=name, DBSubnetGroupDescription=name, SubnetIds=self.tier(tier)
        )
        for suffix, more in members:
            rds.create_db_instance(
                DBInstanceIdentifier=f"{name}-{suffix}",
                AllocatedStorage=20,
                MasterUsername="admin",
                MasterUserPassword="not-a-secret",
                DBSubnetGroupName=name,
                VpcSecurityGroupIds=[group],
                Tags=[{"Key": "team", "Value": self.name}],
                **{"Engine": "postgres", "DBInstanceClass": "db.m5.large", **more},
            )

    def balancer(self, name, tier, kind, group):
        """Creates a load balancer without targets."""
        more = {} if kind == "network" else {"SecurityGroups": [group]}
        made = elb.create_load_balancer(
            Name=name,
            Type=kind,
            Subnets=self.tier(tier),
            Tags=[{"Key": "team", "Value": self.name}],
            **more,
        )
        return made["LoadBalancers"][0]["LoadBalancerArn"]

    def forward(self, balancer, name, kind, targets, protocol="HTTP"):
        """Adds targets to a load balancer."""
        place = {} if kind == "lambda" else {"Protocol": protocol, "Port": 80, "VpcId": self.id}
        group = elb.create_target_group(Name=name, TargetType=kind, **place)["TargetGroups"][0]
        arn = group["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": target} for target in targets])
        elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol=protocol,
            Port=80 + len(elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]),
            DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
        )


def function(name, role, subnets=(), groups=(), **more):
    place = {"VpcConfig": {"SubnetIds": list(subnets), "SecurityGroupIds": list(groups)}}
    return functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": b"not a program"},
        Tags={"team": "shop"},
        **(place if subnets else {}),
        **more,
    )["FunctionArn"]


def bucket(name, region=REGION):
    at = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client("s3", region).create_bucket(Bucket=name, **at)


def main():
    role = iam.create_role(RoleName="functions", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    shop = Network("shop", 1, ["public", "private"])
    entry = shop.group("entry")
    web = shop.group("web", entry)
    jobs = shop.group("jobs")
    store = shop.group("store", web, jobs)
    servers = shop.instances("web", 10, "m5.large", "private", web, env="prod")
    workers = shop.instances("worker", 6, "c5.xlarge", "private", jobs, env="prod")
    replica = {"DBInstanceClass": "db.t3.medium"}
    shop.databases(
        "orders", "private", store,
        ("main", {"MultiAZ": True}), ("copy", replica), ("reports", {"Engine": "mysql"}),
    )
    public = shop.balancer("shop-public", "public", "application", entry)
    shop.forward(public, "shop-web", "instance", servers[:4])
    internal = shop.balancer("shop-internal", "private", "application", entry)
    addresses = ec2.describe_instances(InstanceIds=workers[:2])["Reservations"]
    addresses = [it["PrivateIpAddress"] for one in addresses for it in one["Instances"]]
    shop.forward(internal, "shop-workers", "ip", [*addresses, "192.0.2.1"])
    checkout = function("checkout", role, shop.tier("private"), [jobs], MemorySize=512)
    shop.forward(public, "shop-checkout", "lambda", [checkout])

    lake = Network("lake", 2, ["nodes"])
    nodes = lake.group("nodes")
    ec2.authorize_security_group_ingress(
        GroupId=nodes,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": nodes}]}],
    )
    machines = lake.instances("node", 7, "r5.2xlarge", "nodes", nodes, env="prod")
    lake.databases("catalogue", "nodes", nodes, ("main", {}), ("spare", {"Engine": "mysql"}))
    stream = lake.balancer("lake-stream", "nodes", "network", nodes)
    lake.forward(stream, "lake-nodes", "instance", machines, "TCP")

    tools = Network("tools", 3, ["office"])
    office = tools.group("office")
    tools.instances("build", 5, "t3.medium", "office", office, env="test")
    gone = tools.instances("gone", 1, "t3.medium", "office", office)
    ec2.terminate_instances(InstanceIds=gone)
    tools.databases("wiki", "office", office, ("main", {"Engine": "mysql"}))
    tools.balancer("tools-office", "office", "application", office)

    for number in range(1, 13):
        function(f"report-{number:02}", role, Architectures=["arm64"], MemorySize=128)
    for name in ["assets", "backups", "exports", "logs", "media", "models", "raw", "reports"]:
        bucket(f"example-shop-{name}")
    s3.put_bucket_tagging(
        Bucket="example-shop-assets", Tagging={"TagSet": [{"Key": "team", "Value": "shop"}]}
    )
    for name in ["elsewhere-1", "elsewhere-2"]:
        bucket(f"example-shop-{name}", "us-east-1")
    client("ec2", "us-east-1").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier="orders-replica", SourceDBInstanceIdentifier="orders-main"
    )


main()
