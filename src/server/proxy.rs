//! The header of the PROXY protocol, by which a proxy says for whom it connects: version 1, a line,
//! or version 2, bytes. It is read to its last byte and no further; what follows is the client's.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::PROXY_HEADER_SIZE_MAX;

/// What a header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, as that says.
const LINE_SIZE_MAX: usize = 107;

/// The bytes of version 2 before those whose number they tell.
const FIXED_SIZE: usize = 16;

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        (prefix <= most).then_some(Self { address, prefix })
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = (own.to_bits() ^ other.to_bits()).leading_zeros();
                differ.min(32) >= self.prefix
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = (own.to_bits() ^ other.to_bits()).leading_zeros();
                differ.min(128) >= self.prefix
            }
            _ => false,
        }
    }
}

/// Where a client comes from and where it went; none where the proxy speaks for itself.
pub(super) type Ends = Option<(SocketAddr, SocketAddr)>;

/// Reads the header, with which a stream must begin.
pub(super) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Ends> {
    // Both versions are longer than this.
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        read_binary(stream, &mut header).await?;
    } else if header.starts_with(b"PROXY ") {
        read_line(stream, &mut header).await?;
    } else {
        return Err(wrong("it does not begin with a PROXY header"));
    }
    ends(&header)
}

async fn read_binary(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> io::Result<()> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [_, _, high, low] = fixed;
    let size = FIXED_SIZE + usize::from(u16::from_be_bytes([high, low]));
    if size > PROXY_HEADER_SIZE_MAX {
        return Err(wrong("its PROXY header is too long"));
    }
    header.extend_from_slice(&fixed);
    header.resize(size, 0);
    let rest = header.get_mut(FIXED_SIZE..).unwrap_or(&mut []);
    stream.read_exact(rest).await.map(|_| ())
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>) -> io::Result<()> {
    while !header.ends_with(b"\n") {
        if header.len() >= LINE_SIZE_MAX {
            return Err(wrong("its PROXY header is too long"));
        }
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

/// Each version is read as itself: what is wrong with the one is not told in words of the other.
fn ends(header: &[u8]) -> io::Result<Ends> {
    if header.starts_with(SIGNATURE) {
        let header = v2::Header::try_from(header);
        return of_binary(&header.map_err(|error| malformed(&error))?);
    }
    let header = v1::Header::try_from(header).map_err(|error| malformed(&error))?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(found) => Some((
            (found.source_address, found.source_port).into(),
            (found.destination_address, found.destination_port).into(),
        )),
        v1::Addresses::Tcp6(found) => Some((
            (found.source_address, found.source_port).into(),
            (found.destination_address, found.destination_port).into(),
        )),
        v1::Addresses::Unknown => None,
    })
}

fn of_binary(header: &v2::Header<'_>) -> io::Result<Ends> {
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    if header.protocol == v2::Protocol::Datagram {
        return Err(wrong("its PROXY header is about datagrams"));
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(found) => Some((
            (found.source_address, found.source_port).into(),
            (found.destination_address, found.destination_port).into(),
        )),
        v2::Addresses::IPv6(found) => Some((
            (found.source_address, found.source_port).into(),
            (found.destination_address, found.destination_port).into(),
        )),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    })
}

fn malformed(error: &impl fmt::Display) -> io::Error {
    wrong(&format!("its PROXY header is malformed: {error}"))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Option<Ends>, Vec<u8>) {
        let mut rest = bytes;
        let ends = read_header(&mut rest).await.ok();
        (ends, rest.to_vec())
    }

    fn pair(source: &str, destination: &str) -> Option<Ends> {
        Some(Some((source.parse().unwrap(), destination.parse().unwrap())))
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let size = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &size, rest].concat()
    }

    #[tokio::test]
    async fn a_line_says_where_a_client_comes_from_and_nothing_behind_it_is_taken() {
        let (ends, rest) = read(b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 5672\r\nAMQP").await;
        assert_eq!(ends, pair("192.0.2.1:4000", "192.0.2.2:5672"));
        assert_eq!(rest, b"AMQP");
        let (ends, rest) = read(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\nAMQP").await;
        assert_eq!(ends, pair("[2001:db8::1]:1", "[2001:db8::2]:2"));
        assert_eq!(rest, b"AMQP");
    }

    #[tokio::test]
    async fn bytes_say_the_same_and_what_else_they_say_is_passed_over() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 15, 160, 22, 40];
        let with_more = [&v4[..], &[4, 0, 1, 7]].concat();
        for bytes in [binary(0x21, 0x11, &v4), binary(0x21, 0x11, &with_more)] {
            let (ends, rest) = read(&[bytes, b"AMQP".to_vec()].concat()).await;
            assert_eq!(ends, pair("192.0.2.1:4000", "192.0.2.2:5672"));
            assert_eq!(rest, b"AMQP");
        }
        let mut v6 = [0; 36];
        (v6[15], v6[31], v6[33], v6[35]) = (1, 1, 7, 8);
        let (ends, _) = read(&binary(0x21, 0x21, &v6)).await;
        assert_eq!(ends, pair("[::1]:7", "[::1]:8"));
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_for_itself_names_nobody() {
        assert_eq!(read(b"PROXY UNKNOWN\r\nA").await, (Some(None), b"A".to_vec()));
        assert_eq!(read(&binary(0x20, 0, &[])).await.0, Some(None));
        assert_eq!(read(&binary(0x20, 0x11, &[1; 12])).await.0, Some(None));
        assert_eq!(read(&binary(0x21, 0x31, &[0; 216])).await.0, Some(None));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let datagram = binary(0x21, 0x12, &[1; 12]);
        let huge = [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat();
        let cases: [&[u8]; 8] = [
            b"AMQP\0\0\x09\x01AMQP\0\0",
            b"PROXY TCP4 nobody 192.0.2.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            b"PROXY TCP4 192.0.2.1",
            b"",
            &long,
            &datagram,
            &huge,
        ];
        for bytes in cases {
            assert_eq!(read(bytes).await.0, None, "{bytes:?}");
        }
    }

    /// It was told as if it were of version 1: that it must begin with `PROXY`.
    #[tokio::test]
    async fn what_is_wrong_with_a_header_of_version_2_is_told_of_that() {
        for (bytes, expected) in [
            (binary(0x11, 0x11, &[1; 12]), "Expected version 10 to be equal to 2."),
            (binary(0x2f, 0x11, &[1; 12]), "Invalid command F."),
            (binary(0x21, 0x11, &[1; 3]), "Header length"),
        ] {
            let told = read_header(&mut &bytes[..]).await.unwrap_err().to_string();
            let begin = "its PROXY header is malformed: ";
            assert!(told.starts_with(begin) && told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("192.0.2.128/25", "192.0.2.200") && !holds("192.0.2.128/25", "192.0.2.1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x/8", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
