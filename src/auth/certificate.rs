//! What a certificate says: whose it is, who says so, until when, and which user it stands for. The
//! names are written as RabbitMQ writes them, because users are called by them. Whether it is to be
//! believed is decided in the handshake of TLS.

use core::fmt::Write;

use x509_parser::asn1_rs::{Any, BmpString, FromDer, Tag, UniversalString};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// From when to when it is good.
    pub validity: String,
    /// The user it stands for; none where it has no such name.
    pub user: Option<String>,
}

/// The part of a certificate that is the name of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateLogin {
    /// All of the subject.
    #[default]
    DistinguishedName,
    /// Its common names, separated by commas.
    CommonName,
    /// One of the alternative names of a kind, counted from 0.
    AlternativeName(AlternativeName, usize),
}

/// A kind of alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A name of the domain name system.
    Dns,
    /// An address.
    Ip,
    /// An address of electronic mail.
    Email,
    /// A URI.
    Uri,
    /// A text under a type that somebody else gave out.
    Other,
}

/// Names of attributes; others are called by their number.
const ATTRIBUTES: [(&str, &str); 17] = [
    ("2.5.4.4", "SN"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATIONQUALIFIER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.6", "C"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.65", "PSEUDONYM"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

const COMMON_NAME: &str = "2.5.4.3";

impl PeerCertificate {
    /// Reads a certificate; none where it is none.
    #[must_use]
    pub fn read(der: &[u8], login: CertificateLogin) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            subject: distinguished_name(certificate.subject()),
            issuer: distinguished_name(certificate.issuer()),
            validity: format!("{} - {}", shown(validity.not_before), shown(validity.not_after)),
            user: user(&certificate, login).filter(|name| !name.is_empty()),
        })
    }
}

/// When a certificate is no longer good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEnd {
    /// In seconds since 1970.
    pub seconds: i64,
    /// As health checks show it.
    pub shown: String,
}

impl CertificateEnd {
    /// Reads it from a certificate; none where it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let end = certificate.validity().not_after;
        let (hour, minute, second) = end.to_datetime().to_hms();
        // The hour is as it comes, as in RabbitMQ.
        let shown = format!("{} {hour}:{minute:02}:{second:02}", date(end));
        Some(Self { seconds: end.timestamp(), shown })
    }
}

fn user(certificate: &X509Certificate<'_>, login: CertificateLogin) -> Option<String> {
    match login {
        CertificateLogin::DistinguishedName => Some(distinguished_name(certificate.subject())),
        CertificateLogin::CommonName => common_name(certificate.subject()),
        CertificateLogin::AlternativeName(kind, index) => {
            let names = certificate.subject_alternative_name().ok()??.value;
            names.general_names.iter().filter_map(|name| alternative_name(name, kind)).nth(index)
        }
    }
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    let attributes = name.iter_rdn().flat_map(|part| part.iter());
    let common = attributes.filter(|attribute| number(attribute) == COMMON_NAME);
    let names: Vec<String> = common.map(text_of).collect();
    (!names.is_empty()).then(|| names.join(","))
}

fn alternative_name(name: &GeneralName<'_>, wanted: AlternativeName) -> Option<String> {
    let (kind, text) = match name {
        GeneralName::DNSName(name) => (AlternativeName::Dns, (*name).to_owned()),
        GeneralName::RFC822Name(name) => (AlternativeName::Email, (*name).to_owned()),
        GeneralName::URI(name) => (AlternativeName::Uri, (*name).to_owned()),
        GeneralName::IPAddress(bytes) => (AlternativeName::Ip, address(bytes)?),
        GeneralName::OtherName(_, value) => (AlternativeName::Other, other_name(value)?),
        _ => return None,
    };
    (kind == wanted).then_some(text)
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(core::net::Ipv4Addr::from(bytes).to_string());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    Some(core::net::Ipv6Addr::from(bytes).to_string())
}

/// The text in its wrapping.
fn other_name(value: &[u8]) -> Option<String> {
    let (_, wrapping) = Any::from_der(value).ok()?;
    let (_, text) = Any::from_der(wrapping.data).ok()?;
    Some(text_in(&text))
}

/// A name as RFC 4514 has it: the last part first.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts = name.iter_rdn().map(|part| {
        let attributes: Vec<String> = part.iter().map(attribute).collect();
        attributes.join("+")
    });
    let mut parts: Vec<String> = parts.collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = number(attribute);
    let known = ATTRIBUTES.iter().find(|(known, _)| *known == number);
    let name = known.map_or(number.as_str(), |(_, name)| name);
    format!("{name}={}", escaped(&text_of(attribute)))
}

fn number(attribute: &AttributeTypeAndValue<'_>) -> String {
    attribute.attr_type().to_id_string()
}

fn text_of(attribute: &AttributeTypeAndValue<'_>) -> String {
    text_in(attribute.attr_value())
}

/// The text, whatever kind of text it is.
fn text_in(value: &Any<'_>) -> String {
    let wide = match value.tag() {
        Tag::BmpString => BmpString::try_from(value.clone()).ok().map(|text| text.string()),
        Tag::UniversalString => {
            UniversalString::try_from(value.clone()).ok().map(|text| text.string())
        }
        // Whoever writes such texts means Latin letters by them.
        Tag::TeletexString => Some(value.data.iter().copied().map(char::from).collect()),
        _ => None,
    };
    wide.unwrap_or_else(|| String::from_utf8_lossy(value.data).into_owned())
}

/// What means something in a name stands behind a backslash, and so do the bytes of what is not
/// ASCII, or cannot be shown.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let is_special = match byte {
            b' ' => at == 0 || at == last,
            b'#' => at == 0,
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => true,
            _ => false,
        };
        if is_special {
            escaped.push('\\');
        }
        match byte {
            32..126 => escaped.push(char::from(byte)),
            // A string takes all that is written to it.
            _ => {
                let _ = write!(escaped, "\\{byte:02X}");
            }
        }
    }
    escaped
}

/// A moment, as RabbitMQ tells it of a connection.
fn shown(time: ASN1Time) -> String {
    let (hour, minute, second) = time.to_datetime().to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date(time))
}

fn date(time: ASN1Time) -> String {
    let date = time.to_datetime();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, OtherNameValue, SanType,
        date_time_ymd,
    };

    use super::*;

    fn certificate(parts: &[(DnType, &str)], alternatives: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, text) in parts {
            params.distinguished_name.push(kind.clone(), DnValue::Utf8String((*text).to_owned()));
        }
        params.subject_alt_names = alternatives;
        params.not_before = date_time_ymd(2025, 1, 2);
        params.not_after = date_time_ymd(2045, 11, 30);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn read(der: &[u8], login: CertificateLogin) -> PeerCertificate {
        PeerCertificate::read(der, login).unwrap()
    }

    #[test]
    fn a_name_is_written_from_its_end_on() {
        let parts = [
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Hare"),
            (DnType::CommonName, "client"),
        ];
        let found = read(&certificate(&parts, Vec::new()), CertificateLogin::default());
        assert_eq!(found.subject, "CN=client,O=Hare,C=DE");
        assert_eq!(found.issuer, found.subject);
        assert_eq!(found.user.as_deref(), Some("CN=client,O=Hare,C=DE"));
        assert_eq!(found.validity, "2025-01-02T00:00:00Z - 2045-11-30T00:00:00Z");
    }

    #[test]
    fn an_attribute_without_a_name_goes_by_its_number() {
        let parts = [(DnType::CustomDnType(vec![1, 2, 3, 4]), "x"), (DnType::CommonName, "y")];
        let found = read(&certificate(&parts, Vec::new()), CertificateLogin::default());
        assert_eq!(found.subject, "CN=y,1.2.3.4=x");
    }

    #[test]
    fn what_means_something_in_a_name_is_escaped() {
        for (text, expected) in [
            ("a,b+c", "a\\,b\\+c"),
            ("#a#", "\\#a#"),
            (" a b ", "\\ a b\\ "),
            (" ", "\\ "),
            ("\"<>;\\", "\\\"\\<\\>\\;\\\\"),
            ("ü~", "\\C3\\BC\\7E"),
            ("a\nb=c", "a\\0Ab=c"),
            ("", ""),
        ] {
            assert_eq!(escaped(text), expected, "{text}");
        }
    }

    #[test]
    fn a_user_may_be_called_by_its_common_names() {
        let parts = [(DnType::CommonName, "ü,x"), (DnType::OrganizationName, "Hare")];
        let found = read(&certificate(&parts, Vec::new()), CertificateLogin::CommonName);
        assert_eq!(found.user.as_deref(), Some("ü,x"), "nothing is escaped");
        let nobody = certificate(&[(DnType::OrganizationName, "Hare")], Vec::new());
        assert_eq!(read(&nobody, CertificateLogin::CommonName).user, None);
        let empty = certificate(&[], Vec::new());
        assert_eq!(read(&empty, CertificateLogin::DistinguishedName).user, None);
    }

    #[test]
    fn a_user_may_be_called_by_an_alternative_name() {
        let other = OtherNameValue::Utf8String("hare@field".to_owned());
        let names = vec![
            SanType::DnsName(Ia5String::try_from("a.example").unwrap()),
            SanType::DnsName(Ia5String::try_from("b.example").unwrap()),
            SanType::IpAddress("10.0.0.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::Rfc822Name(Ia5String::try_from("hare@example").unwrap()),
            SanType::URI(Ia5String::try_from("urn:hare").unwrap()),
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], other)),
        ];
        let certificate = certificate(&[(DnType::CommonName, "c")], names);
        let user =
            |kind, index| read(&certificate, CertificateLogin::AlternativeName(kind, index)).user;
        assert_eq!(user(AlternativeName::Dns, 1).as_deref(), Some("b.example"));
        assert_eq!(user(AlternativeName::Dns, 2), None);
        assert_eq!(user(AlternativeName::Ip, 0).as_deref(), Some("10.0.0.1"));
        assert_eq!(user(AlternativeName::Ip, 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(user(AlternativeName::Email, 0).as_deref(), Some("hare@example"));
        assert_eq!(user(AlternativeName::Uri, 0).as_deref(), Some("urn:hare"));
        assert_eq!(user(AlternativeName::Other, 0).as_deref(), Some("hare@field"));
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        assert_eq!(PeerCertificate::read(b"nonsense", CertificateLogin::default()), None);
        assert_eq!(CertificateEnd::read(&[0x30, 0x82, 0xff, 0xff]), None);
    }

    #[test]
    fn the_end_is_told_in_seconds_and_for_people() {
        let end = CertificateEnd::read(&certificate(&[], Vec::new())).unwrap();
        assert_eq!(end.seconds, date_time_ymd(2045, 11, 30).unix_timestamp());
        assert_eq!(end.shown, "2045-11-30 0:00:00");
    }
}
