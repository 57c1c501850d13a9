//! Where connections and requests come from: whose address counts as one client's, and which proxies are
//! believed when they say for whom they ask.
//!
//! INVARIANT: nobody but a configured proxy is believed, and a proxy only about whoever came to it. A client
//! can write any address into a header, so the rightmost one that is no proxy's counts: what stands left of it
//! is what that client has sent.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use serde::Deserialize;

/// Who counts as one: an IPv4 address, or an IPv6 /64, which is what one customer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(u128);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Network {
        let prefix = if address.to_canonical().is_ipv4() { ALL } else { CUSTOMER };
        Network(masked(bits(address), prefix))
    }
}

/// A block of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Block {
    bits: u128,
    prefix: u32,
}

impl Block {
    /// Whether the address is one of these.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        masked(bits(address), self.prefix) == self.bits
    }
}

impl FromStr for Block {
    type Err = NoBlock;

    fn from_str(text: &str) -> Result<Block, NoBlock> {
        let wrong = || NoBlock(text.chars().take(60).collect());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { ALL };
        let length = length.map_or(Ok(longest), |length| length.parse().map_err(|_| wrong()))?;
        // Everybody is no proxy.
        if length == 0 || length > longest {
            return Err(wrong());
        }
        let prefix = ALL.saturating_sub(longest).saturating_add(length);
        Ok(Block { bits: masked(bits(address), prefix), prefix })
    }
}

impl TryFrom<String> for Block {
    type Error = NoBlock;

    fn try_from(text: String) -> Result<Block, NoBlock> {
        text.parse()
    }
}

/// A text that is no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a block of addresses; write for example `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`")]
pub struct NoBlock(String);

/// The proxies that are believed.
#[derive(Clone)]
pub struct Proxies {
    blocks: Vec<Block>,
    header: HeaderName,
}

impl Proxies {
    /// Those with an address in one of these blocks, which name their client in this header: `X-Forwarded-For`
    /// or one like it, `Forwarded` (RFC 7239), or one that holds a single address.
    #[must_use]
    pub fn new(blocks: Vec<Block>, header: HeaderName) -> Proxies {
        Proxies { blocks, header }
    }

    /// Whether the address is a proxy's.
    #[must_use]
    pub fn hold(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.holds(address))
    }

    /// Who has sent a request that came over a connection from `peer`.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let values: Vec<_> = headers.get_all(&self.header).into_iter().collect();
        let hops = values.into_iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        for hop in hops {
            if !self.hold(client) {
                break;
            }
            // What cannot be read was written by nobody we know: the proxy that passed it on stands for it.
            let Some(address) = address(hop) else { break };
            client = address;
        }
        client
    }
}

impl Default for Proxies {
    fn default() -> Self {
        Proxies::new(Vec::new(), HeaderName::from_static("x-forwarded-for"))
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("blocks", &self.blocks).field("header", &self.header).finish()
    }
}

/// The address in one element of the header, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let named = hop.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let text = named.unwrap_or(hop).trim().trim_matches('"');
    if let Ok(with_port) = text.parse::<SocketAddr>() {
        return Some(with_port.ip());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

/// IPv4 addresses as IPv6 writes them (RFC 4291, section 2.5.5.2), so that either form is the same one.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

fn masked(bits: u128, prefix: u32) -> u128 {
    bits & u128::MAX.checked_shl(ALL.saturating_sub(prefix)).unwrap_or(0)
}

const ALL: u32 = 128;
const CUSTOMER: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv4_address_and_an_ipv6_64_are_one_network() {
        let same = |a: &str, b: &str| Network::of(ip(a)) == Network::of(ip(b));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(!same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        let holds = |block: &str, address: &str| block.parse::<Block>().unwrap().holds(ip(address));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && holds("10.1.2.3/8", "::ffff:10.0.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1") && !holds("10.0.0.0/8", "::1"));
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && !holds("2001:db8::/32", "2001:db9::1"));
        for wrong in
            ["", "10.0.0.0/33", "10.0.0.0/0", "::/0", "10.0.0.0/-1", "localhost", "::1/129", "10.0.0/8"]
        {
            assert!(wrong.parse::<Block>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_is_the_clients() {
        let blocks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|block| block.parse().unwrap());
        let client = |peer: &str, header: &str, values: &[&str]| {
            let name = HeaderName::from_bytes(header.as_bytes()).unwrap();
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append(name.clone(), value.parse().unwrap());
            });
            Proxies::new(blocks.to_vec(), name).client(ip(peer), &headers).to_string()
        };
        let forwarded = |peer: &str, values: &[&str]| client(peer, "x-forwarded-for", values);
        // Whoever is no proxy says what they like.
        assert_eq!(forwarded("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(forwarded("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(forwarded("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(forwarded("10.0.0.1", &["203.0.113.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(forwarded("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(forwarded("10.0.0.1", &["203.0.113.9", "198.51.100.1,10.0.0.2"]), "198.51.100.1");
        assert_eq!(forwarded("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        // An address that cannot be read hides what stands left of it.
        assert_eq!(forwarded("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(forwarded("10.0.0.1", &["198.51.100.1, "]), "10.0.0.1");
        assert_eq!(forwarded("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(forwarded("2001:db8:1::1", &["[2001:db8:2::1]:443"]), "2001:db8:2::1");
        let standard = |value| client("10.0.0.1", "forwarded", &[value]);
        assert_eq!(standard("for=203.0.113.9, For=\"[2001:db8:2::1]:4711\";proto=https"), "2001:db8:2::1");
        assert_eq!(standard("by=10.0.0.1;for=198.51.100.1"), "198.51.100.1");
        assert_eq!(standard("for=198.51.100.1, for=_hidden"), "10.0.0.1");
    }
}
