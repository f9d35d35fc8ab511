//! The separate parts of AWS, and their regions and servers.

use crate::cloud::ScanError;

/// A part of AWS with its own accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partition(&'static Row);

#[derive(Debug, PartialEq, Eq)]
struct Row {
    /// The name in ARNs.
    name: &'static str,
    domain: &'static str,
    region_of_tokens: &'static str,
}

const ROWS: &[Row] = &[
    Row { name: "aws", domain: "amazonaws.com", region_of_tokens: "us-east-1" },
    Row { name: "aws-us-gov", domain: "amazonaws.com", region_of_tokens: "us-gov-west-1" },
    Row { name: "aws-cn", domain: "amazonaws.com.cn", region_of_tokens: "cn-north-1" },
    Row { name: "aws-eusc", domain: "amazonaws.eu", region_of_tokens: "eusc-de-east-1" },
];

impl Partition {
    /// The partition and the account of the ARN of a role.
    pub(super) fn of(role_arn: &str) -> Result<(Self, &str), ScanError> {
        let mut parts = role_arn.split(':');
        let (name, account) = (parts.nth(1).unwrap_or_default(), parts.nth(2).unwrap_or_default());
        let row = ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
            let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            ScanError::Partition { supported: names.join(", ") }
        })?;
        Ok((Self(row), account))
    }

    pub(super) fn name(self) -> &'static str {
        self.0.name
    }

    pub(super) fn region_of_tokens(self) -> &'static str {
        self.0.region_of_tokens
    }

    /// The server of a service. The region has the form of [`require_region`].
    pub(super) fn server(self, service: &str, region: &str) -> String {
        format!("https://{service}.{region}.{}", self.0.domain)
    }
}

/// Checks that a text has the form of a region, so that it can be a part of a host name: words of letters, such as
/// `us` and `east`, and one number. Servers of other customers of AWS have names of another form, such as
/// `s3-website-us-east-1`.
pub(super) fn require_region(text: &str) -> Result<(), ScanError> {
    let words: Vec<&str> = text.split('-').collect();
    let is_region = match words.as_slice() {
        [area, middle @ .., number] if (1..=3).contains(&middle.len()) => {
            let is_word = |word: &str| word.bytes().all(|it| it.is_ascii_lowercase());
            let is_number = number.bytes().all(|it| it.is_ascii_digit());
            (2..=4).contains(&area.len())
                && is_word(area)
                && middle.iter().all(|word| (2..=12).contains(&word.len()) && is_word(word))
                && (1..=2).contains(&number.len())
                && is_number
        },
        _ => false,
    };
    if is_region { Ok(()) } else { Err(ScanError::Region { cloud: "AWS", example: "us-east-1" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_region_becomes_a_part_of_a_host_name() {
        for region in
            ["us-east-1", "ap-southeast-12", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"]
        {
            assert!(require_region(region).is_ok(), "{region}");
        }
        for other in [
            "",
            "us-east",
            "us-east-",
            "us-east-100",
            "us-east-1.example.com",
            "example.com/us-east-1",
            "us-east-1#",
            "US-EAST-1",
            "us--east-1",
            "-us-east-1",
            "eastus",
            "s3-website-us-east-1",
            "us-east-1\n",
            "us-\u{e9}st-1",
            "us-a-b-c-d-e-1",
            "xx-abcdefghijklm-1",
        ] {
            assert!(require_region(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_role_names_the_servers_of_its_part_of_aws() {
        let of = |arn| {
            Partition::of(arn).map(|(partition, account)| (partition.server("ec2", "a"), account))
        };
        assert_eq!(
            of("arn:aws:iam::123456789012:role/reader").unwrap(),
            ("https://ec2.a.amazonaws.com".to_owned(), "123456789012")
        );
        assert_eq!(
            of("arn:aws-cn:iam::123456789012:role/reader").unwrap().0,
            "https://ec2.a.amazonaws.com.cn"
        );
        let error = of("arn:aws.example.com:iam::123456789012:role/reader").unwrap_err();
        assert_eq!(
            error.to_string(),
            "roleArn names a part of AWS that is not supported: use one of aws, aws-us-gov, aws-cn, aws-eusc"
        );
    }
}
