//! The types of components: their shapes, colours, pictograms and names.

use super::colour::Rgb;
use super::fields::Fields;
use super::glyphs::{self, Glyph};
use super::{Error, lettering};

/// The body of a component in the isometric projection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Solid {
    /// A box with slots in its sides.
    Server,
    /// A plain box.
    Cube,
    /// A flat box.
    Slab,
    Cylinder,
    /// A cylinder that is wider at its top.
    Bucket,
}

/// What components of a type have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub solid: Solid,
    pub accent: Rgb,
    /// The pictogram; without one, the abbreviation of the type is drawn.
    pub glyph: Option<Glyph>,
    pub title: &'static str,
}

const COMPUTE: Rgb = Rgb::hex(0x00e8_7428);
const DATABASE: Rgb = Rgb::hex(0x003f_5bd9);
const STORAGE: Rgb = Rgb::hex(0x002f_9a55);
const NETWORK: Rgb = Rgb::hex(0x0078_50d6);
const MESSAGING: Rgb = Rgb::hex(0x00d6_3a74);
const SECURITY: Rgb = Rgb::hex(0x00d2_4545);
const OPERATIONS: Rgb = Rgb::hex(0x000f_93a3);
const AZURE: Rgb = Rgb::hex(0x001b_78dc);
const PLAIN: Rgb = Rgb::hex(0x0057_6580);

type Row = (&'static str, Solid, Rgb, Glyph, &'static str);

/// The known types. The first seven are documented; the others are common names of AWS services.
const ROWS: [Row; 52] = [
    ("ec2", Solid::Server, COMPUTE, glyphs::CHIP, "EC2"),
    ("rds", Solid::Cylinder, DATABASE, glyphs::DATABASE, "RDS"),
    ("elb", Solid::Slab, NETWORK, glyphs::BALANCER, "Load balancer"),
    ("lambda", Solid::Cube, COMPUTE, glyphs::LAMBDA, "Lambda"),
    ("s3", Solid::Bucket, STORAGE, glyphs::BUCKET, "S3"),
    ("azurevm", Solid::Server, AZURE, glyphs::MONITOR, "Virtual machine"),
    ("block", Solid::Cube, PLAIN, glyphs::CUBE, "Block"),
    ("apigateway", Solid::Cube, NETWORK, glyphs::CODE, "API Gateway"),
    ("appsync", Solid::Cube, NETWORK, glyphs::CODE, "AppSync"),
    ("cloudfront", Solid::Cube, NETWORK, glyphs::GLOBE, "CloudFront"),
    ("route53", Solid::Slab, NETWORK, glyphs::ROUTE, "Route 53"),
    ("r53", Solid::Slab, NETWORK, glyphs::ROUTE, "Route 53"),
    ("internetgateway", Solid::Slab, NETWORK, glyphs::GLOBE, "Internet gateway"),
    ("igw", Solid::Slab, NETWORK, glyphs::GLOBE, "Internet gateway"),
    ("nat", Solid::Slab, NETWORK, glyphs::ROUTE, "NAT gateway"),
    ("natgateway", Solid::Slab, NETWORK, glyphs::ROUTE, "NAT gateway"),
    ("vpngateway", Solid::Slab, NETWORK, glyphs::LOCK, "VPN gateway"),
    ("customergateway", Solid::Slab, NETWORK, glyphs::BUILDING, "Customer gateway"),
    ("directconnect", Solid::Slab, NETWORK, glyphs::NETWORK, "Direct Connect"),
    ("transitgateway", Solid::Slab, NETWORK, glyphs::NETWORK, "Transit gateway"),
    ("vpcendpoint", Solid::Slab, NETWORK, glyphs::NETWORK, "VPC endpoint"),
    ("dynamodb", Solid::Cylinder, DATABASE, glyphs::TABLE, "DynamoDB"),
    ("aurora", Solid::Cylinder, DATABASE, glyphs::DATABASE, "Aurora"),
    ("docdb", Solid::Cylinder, DATABASE, glyphs::FILE, "DocumentDB"),
    ("neptune", Solid::Cylinder, DATABASE, glyphs::NETWORK, "Neptune"),
    ("redshift", Solid::Cylinder, DATABASE, glyphs::CHART, "Redshift"),
    ("elasticache", Solid::Cylinder, DATABASE, glyphs::LAYERS, "ElastiCache"),
    ("opensearch", Solid::Cylinder, DATABASE, glyphs::SEARCH, "OpenSearch"),
    ("es", Solid::Cylinder, DATABASE, glyphs::SEARCH, "Elasticsearch"),
    ("efs", Solid::Bucket, STORAGE, glyphs::FILE, "EFS"),
    ("ebs", Solid::Cylinder, STORAGE, glyphs::LAYERS, "EBS"),
    ("fsx", Solid::Bucket, STORAGE, glyphs::FILE, "FSx"),
    ("glacier", Solid::Bucket, STORAGE, glyphs::LOCK, "Glacier"),
    ("sqs", Solid::Cube, MESSAGING, glyphs::QUEUE, "SQS"),
    ("sns", Solid::Cube, MESSAGING, glyphs::BELL, "SNS"),
    ("ses", Solid::Cube, MESSAGING, glyphs::MAIL, "SES"),
    ("eventbridge", Solid::Cube, MESSAGING, glyphs::BOLT, "EventBridge"),
    ("kinesis", Solid::Cube, MESSAGING, glyphs::STREAM, "Kinesis"),
    ("msk", Solid::Cube, MESSAGING, glyphs::STREAM, "MSK"),
    ("mq", Solid::Cube, MESSAGING, glyphs::QUEUE, "MQ"),
    ("stepfunctions", Solid::Cube, MESSAGING, glyphs::NETWORK, "Step Functions"),
    ("ecs", Solid::Server, COMPUTE, glyphs::CONTAINERS, "ECS"),
    ("ecstask", Solid::Server, COMPUTE, glyphs::CONTAINERS, "ECS task"),
    ("fargate", Solid::Server, COMPUTE, glyphs::CONTAINERS, "Fargate"),
    ("eks", Solid::Server, COMPUTE, glyphs::WHEEL, "EKS"),
    ("emr", Solid::Server, COMPUTE, glyphs::CHART, "EMR"),
    ("waf", Solid::Cube, SECURITY, glyphs::SHIELD, "WAF"),
    ("cognito", Solid::Cube, SECURITY, glyphs::USERS, "Cognito"),
    ("kms", Solid::Cube, SECURITY, glyphs::KEY, "KMS"),
    ("secretsmanager", Solid::Cube, SECURITY, glyphs::LOCK, "Secrets Manager"),
    ("cloudwatch", Solid::Cube, OPERATIONS, glyphs::CHART, "CloudWatch"),
    ("cloudtrail", Solid::Cube, OPERATIONS, glyphs::FILE, "CloudTrail"),
];

/// Words in the names of Azure's types, and the kind of service that each means.
const AZURE_WORDS: [(&str, Solid, Glyph); 18] = [
    ("sql", Solid::Cylinder, glyphs::DATABASE),
    ("database", Solid::Cylinder, glyphs::DATABASE),
    ("cosmos", Solid::Cylinder, glyphs::DATABASE),
    ("cache", Solid::Cylinder, glyphs::LAYERS),
    ("loadbalancer", Solid::Slab, glyphs::BALANCER),
    ("gateway", Solid::Slab, glyphs::ROUTE),
    ("dns", Solid::Slab, glyphs::ROUTE),
    ("network", Solid::Slab, glyphs::NETWORK),
    ("firewall", Solid::Cube, glyphs::SHIELD),
    ("vault", Solid::Cube, glyphs::KEY),
    ("file", Solid::Bucket, glyphs::FILE),
    ("blob", Solid::Bucket, glyphs::BUCKET),
    ("storage", Solid::Bucket, glyphs::BUCKET),
    ("function", Solid::Cube, glyphs::LAMBDA),
    ("queue", Solid::Cube, glyphs::QUEUE),
    ("bus", Solid::Cube, glyphs::QUEUE),
    ("kubernetes", Solid::Server, glyphs::WHEEL),
    ("cdn", Solid::Cube, glyphs::GLOBE),
];

/// The engines of databases as their makers write them.
const ENGINES: [(&str, &str); 8] = [
    ("aurora-postgresql", "Aurora PostgreSQL"),
    ("aurora-mysql", "Aurora MySQL"),
    ("postgres", "PostgreSQL"),
    ("mysql", "MySQL"),
    ("mariadb", "MariaDB"),
    ("oracle", "Oracle"),
    ("sqlserver", "SQL Server"),
    ("redis", "Redis"),
];

impl Kind {
    /// The kind of a type. An unknown type is a box with the abbreviation of its name.
    pub(super) fn of(type_name: &str) -> Self {
        if let Some((_, solid, accent, glyph, title)) =
            ROWS.iter().find(|(name, ..)| *name == type_name)
        {
            return Self { solid: *solid, accent: *accent, glyph: Some(*glyph), title };
        }
        let Some(service) = type_name.strip_prefix("azure") else {
            return Self { solid: Solid::Cube, accent: PLAIN, glyph: None, title: "" };
        };
        let known = AZURE_WORDS.iter().find(|(word, ..)| service.contains(word));
        let (solid, glyph) = known.map_or((Solid::Cube, None), |row| (row.1, Some(row.2)));
        Self { solid, accent: AZURE, glyph, title: "" }
    }

    /// The height of the body, in grid units.
    pub(super) fn height(self) -> f64 {
        match self.solid {
            Solid::Server => 0.65,
            Solid::Cube => 0.5,
            Solid::Slab => 0.3,
            Solid::Cylinder | Solid::Bucket => 0.7,
        }
    }
}

/// Up to three letters for a type without a pictogram: the initials of its words, or its beginning.
pub(super) fn abbreviation(type_name: &str) -> String {
    let words = type_name.split(|letter: char| !letter.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let letters: String = match words.as_slice() {
        [] => "?".to_owned(),
        [word] => word.chars().take(3).collect(),
        many => many.iter().filter_map(|word| word.chars().next()).take(3).collect(),
    };
    letters.to_uppercase().chars().take(4).collect()
}

/// The second line of a component's label: its size or engine.
pub(super) fn detail(fields: &Fields<'_>, type_name: &str) -> Result<String, Error> {
    if let Some(text) = fields.text("detail")? {
        return Ok(lettering::one_line(text));
    }
    let instance = joined(&[fields.text("instanceType")?, fields.text("instanceSize")?], ".");
    let text = match type_name {
        "rds" => {
            let engine = fields.text("engine")?.map(engine_name);
            joined(&[engine, Some(instance.as_str()).filter(|text| !text.is_empty())], " ")
        },
        "elb" => match fields.text("elbType")? {
            Some("application") => "Application".to_owned(),
            Some("network") => "Network".to_owned(),
            Some("classic") => "Classic".to_owned(),
            Some(other) => other.to_owned(),
            None => String::new(),
        },
        "lambda" => amount(fields, "memory", "MB")?,
        "s3" => amount(fields, "dataGb", "GB")?,
        "azurevm" => fields.text("instance")?.unwrap_or_default().to_owned(),
        _ => instance,
    };
    Ok(lettering::one_line(&text))
}

fn engine_name(engine: &str) -> &str {
    let known = ENGINES.iter().find(|(start, _)| engine.starts_with(start));
    known.map_or(engine, |(_, name)| *name)
}

fn amount(fields: &Fields<'_>, member: &str, unit: &str) -> Result<String, Error> {
    let number = fields.get(member).filter(|value| value.is_number()).map(ToString::to_string);
    let number = number.or(fields.text(member)?.map(str::to_owned));
    Ok(number.map_or_else(String::new, |number| format!("{number} {unit}")))
}

fn joined(parts: &[Option<&str>], separator: &str) -> String {
    parts.iter().flatten().copied().collect::<Vec<&str>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abbreviation_is_short_for_any_type() {
        assert_eq!(abbreviation("a-type-of-tomorrow"), "ATO");
        assert_eq!(abbreviation("batch"), "BAT");
        assert_eq!(abbreviation(""), "?");
        assert_eq!(abbreviation("<>"), "?");
        assert!(abbreviation("\u{df}\u{df}\u{df}\u{df}").chars().count() <= 4);
    }
}
