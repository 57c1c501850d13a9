//! IP addresses: where a location database thinks they are used.
//!
//! What counts is where the user is. Where the address is registered (`registered_country`) and
//! whom it represents (`represented_country`, as at a military base) say nothing about that and
//! are not read. Nor is the place of an address that stands for somebody else: the exit of an
//! anonymiser, a server at a hosting provider (where calls are relayed), a satellite ground station,
//! or an anycast address, which is in many places at once.
//!
//! An address that can't be looked up has no place. Whether the database is current is the
//! operator's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;
use thiserror::Error;

/// A city or country database, held in memory.
#[derive(Debug)]
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
}

impl Database {
    /// Reads the file at `path`. The metadata stand at its end, so that half a download is refused.
    pub(super) fn open(path: &Path) -> Result<Self, LocateError> {
        let reader = Reader::open_readfile(path)
            .map_err(|source| LocateError::Unreadable { path: path.to_owned(), source })?;
        let found = &reader.metadata().database_type;
        if KINDS.iter().any(|kind| found.contains(kind)) {
            Ok(Self { reader })
        } else {
            Err(LocateError::WrongKind { path: path.to_owned(), found: found.clone() })
        }
    }

    /// The ISO 3166 code of the place where `ip` is used, if it says anything about its user.
    pub(super) fn place(&self, ip: IpAddr) -> Option<String> {
        let ip = ip.to_canonical();
        if is_special(ip) {
            return None;
        }
        self.look_up(ip)
    }

    fn look_up(&self, ip: IpAddr) -> Option<String> {
        // A record that can't be read is as good as none.
        let record: Record<'_> = self.reader.lookup(ip).ok()?.decode().ok()??;
        if record.traits.hide_the_user() {
            return None;
        }
        let country = record.country.iso_code.filter(|code| super::is_country(code))?;
        match record.subdivision() {
            Some(subdivision) => Some(format!("{country}-{subdivision}")),
            None => Some(country.to_owned()),
        }
    }
}

/// Why a location database can't be used.
#[derive(Debug, Error)]
pub enum LocateError {
    /// The file can't be read, or is no database.
    #[error("cannot read the location database `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: MaxMindDbError,
    },
    /// The database holds something other than places.
    #[error("`{}` is a `{found}` database: use a city or country database", path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// The kind of database that its metadata name.
        found: String,
    },
}

/// What we read of a record.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    country: Area<'a>,
    /// From the largest to the smallest: England, then Oxfordshire.
    #[serde(borrow, default)]
    subdivisions: Vec<Area<'a>>,
    #[serde(default)]
    location: Location,
    #[serde(default)]
    traits: Traits,
}

impl<'a> Record<'a> {
    /// The code of the top-level subdivision, when the record is precise enough to be believed.
    fn subdivision(&self) -> Option<&'a str> {
        self.location.accuracy_radius.filter(|&radius| radius <= FARTHEST_KM)?;
        let code = self.subdivisions.first()?.iso_code?;
        super::is_subdivision(code).then_some(code)
    }
}

#[derive(Deserialize, Default)]
struct Area<'a> {
    #[serde(default)]
    iso_code: Option<&'a str>,
}

#[derive(Deserialize, Default)]
struct Location {
    /// In kilometres; the user is within it with a probability of two in three.
    #[serde(default)]
    accuracy_radius: Option<u16>,
}

/// Which of these a database has depends on its edition; those it lacks are taken as false.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Traits {
    is_anonymous: bool,
    is_anonymous_proxy: bool,
    is_anonymous_vpn: bool,
    is_anycast: bool,
    is_hosting_provider: bool,
    is_public_proxy: bool,
    is_residential_proxy: bool,
    is_satellite_provider: bool,
    is_tor_exit_node: bool,
}

impl Traits {
    fn hide_the_user(&self) -> bool {
        self.is_anonymous
            || self.is_anonymous_proxy
            || self.is_anonymous_vpn
            || self.is_anycast
            || self.is_hosting_provider
            || self.is_public_proxy
            || self.is_residential_proxy
            || self.is_satellite_provider
            || self.is_tor_exit_node
    }
}

/// Whether an address is none of a user on the public internet: private, local, documentation,
/// multicast, reserved, or one that carries another address inside (6to4, Teredo, NAT64).
fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => SPECIAL_V4
            .iter()
            .any(|&(network, length)| (ip.to_bits() ^ network.to_bits()) >> (32 - length) == 0),
        IpAddr::V6(ip) => {
            let within = |&(network, length): &(Ipv6Addr, u32)| {
                (ip.to_bits() ^ network.to_bits()) >> (128 - length) == 0
            };
            !within(&GLOBAL_V6) || SPECIAL_V6.iter().any(within)
        }
    }
}

/// The accuracy radius, in kilometres, up to which a record's subdivision is believed.
///
/// Records that are placed in a town mostly have less; those placed in the middle of a state, a
/// country or a network have several hundreds, and their subdivision is little more than a guess.
/// A guess would do harm, because beside a subdivision the bare country no longer counts. A missing
/// radius is taken as too large.
const FARTHEST_KM: u16 = 200;

/// What the database type of a usable database contains, as in `GeoLite2-City`, `GeoIP2-Country`,
/// `GeoIP2-Enterprise` or `DBIP-Country-Lite`.
const KINDS: [&str; 3] = ["City", "Country", "Enterprise"];

/// IANA's registry of special-purpose IPv4 addresses (RFC 6890), and multicast (RFC 5771).
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// All that IANA has opened as global unicast; outside it are loopback, link-local, unique local,
/// multicast and NAT64 addresses.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What IANA's registry of special-purpose IPv6 addresses (RFC 6890) takes out of global unicast.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

#[cfg(test)]
mod tests {

    use mmdb_writer::{Value, Writer};

    use super::*;

    /// The networks of MaxMind's published test databases, which are ordinary public ones.
    const LONDON: &str = "81.2.69.160";
    const SEATTLE: &str = "216.160.83.56";
    const LINKOPING: &str = "2001:41d0::1";

    fn iso(code: &str) -> Value {
        Value::map([("iso_code", code)])
    }

    fn country(code: &str) -> Vec<(&str, Value)> {
        vec![("country", iso(code))]
    }

    fn city(code: &str, subdivisions: &[&str], radius: u16) -> Vec<(&'static str, Value)> {
        let subdivisions = subdivisions.iter().map(|code| iso(code));
        vec![
            ("country", iso(code)),
            ("subdivisions", Value::array(subdivisions)),
            ("location", Value::map([("accuracy_radius", radius)])),
        ]
    }

    fn save(kind: &str, records: &[(&str, Vec<(&str, Value)>)]) -> tempfile::NamedTempFile {
        let mut writer = Writer::builder(kind).description(&[("en", "made up for tests")]).build();
        for (ip, record) in records {
            let ip = ip.parse().unwrap();
            let record = Value::map(record.clone());
            writer.insert_range(ip, ip, &record).unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), writer.to_bytes().unwrap()).unwrap();
        file
    }

    fn database(records: &[(&str, Vec<(&str, Value)>)]) -> Database {
        Database::open(save("GeoLite2-City", records).path()).unwrap()
    }

    fn place(record: Vec<(&str, Value)>) -> Option<String> {
        database(&[(LONDON, record)]).place(LONDON.parse().unwrap())
    }

    #[test]
    fn a_precise_record_names_the_top_level_subdivision() {
        let database = database(&[
            (LONDON, city("GB", &["ENG", "WBK"], 100)),
            (SEATTLE, city("US", &["WA"], 22)),
            (LINKOPING, city("SE", &["E"], 76)),
        ]);
        for (ip, code) in [(LONDON, "GB-ENG"), (SEATTLE, "US-WA"), (LINKOPING, "SE-E")] {
            assert_eq!(database.place(ip.parse().unwrap()).as_deref(), Some(code));
        }
        assert_eq!(database.place("81.2.69.161".parse().unwrap()), None);
    }

    #[test]
    fn an_imprecise_record_names_the_country_only() {
        assert_eq!(place(city("US", &["WA"], 200)).as_deref(), Some("US-WA"));
        assert_eq!(place(city("US", &["WA"], 201)).as_deref(), Some("US"));
        assert_eq!(place(city("US", &["WA"], 1000)).as_deref(), Some("US"));

        let mut unknown_radius = city("US", &["WA"], 1);
        unknown_radius.pop();
        assert_eq!(place(unknown_radius).as_deref(), Some("US"));
    }

    #[test]
    fn a_country_database_names_the_country() {
        let file = save("GeoLite2-Country", &[(LONDON, country("GB"))]);
        let database = Database::open(file.path()).unwrap();
        let ip = LONDON.parse().unwrap();
        assert_eq!(database.place(ip).as_deref(), Some("GB"));
    }

    #[test]
    fn codes_of_another_form_are_not_passed_on() {
        assert_eq!(place(country("gb")), None);
        assert_eq!(place(country("GBR")), None);
        assert_eq!(place(city("US", &["Washington"], 5)).as_deref(), Some("US"));
        assert_eq!(place(city("US", &[], 5)).as_deref(), Some("US"));
        assert_eq!(place(vec![("country", Value::from("GB"))]), None);
    }

    #[test]
    fn where_an_address_is_registered_or_whom_it_represents_is_no_place() {
        assert_eq!(place(vec![("registered_country", iso("US"))]), None);
        assert_eq!(place(vec![("represented_country", iso("US"))]), None);

        let mut base = country("DE");
        base.push(("registered_country", iso("US")));
        base.push(("represented_country", iso("US")));
        assert_eq!(place(base).as_deref(), Some("DE"));
    }

    #[test]
    fn an_address_that_hides_its_user_has_no_place() {
        for name in [
            "is_anonymous",
            "is_anonymous_proxy",
            "is_anonymous_vpn",
            "is_anycast",
            "is_hosting_provider",
            "is_public_proxy",
            "is_residential_proxy",
            "is_satellite_provider",
            "is_tor_exit_node",
        ] {
            for (value, code) in [(true, None), (false, Some("US-WA"))] {
                let mut record = city("US", &["WA"], 5);
                record.push(("traits", Value::map([(name, value)])));
                assert_eq!(place(record).as_deref(), code, "{name}");
            }
        }
    }

    #[test]
    fn special_addresses_have_no_place_whatever_the_database_says() {
        let special = "0.0.0.0 10.1.2.3 100.64.0.1 100.127.255.255 127.0.0.1 169.254.1.1 172.16.0.1 \
                       172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.19.0.1 198.51.100.7 \
                       203.0.113.9 224.0.0.1 255.255.255.255 :: ::1 ::ffff:10.1.2.3 64:ff9b::5102:45a0 \
                       100::1 2001::1 2001:1ff::1 2001:db8::1 2002:5102:45a0::1 3fff:fff::1 5f00::1 \
                       fc00::1 fe80::1 ff02::1";
        for ip in special.split_whitespace() {
            assert!(is_special(ip.parse::<IpAddr>().unwrap().to_canonical()), "{ip}");
        }
        let database = database(&[("10.1.2.3", country("US")), ("2001:db8::1", country("US"))]);
        for ip in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
            assert_eq!(database.place(ip.parse().unwrap()), None);
            assert!(database.look_up("10.1.2.3".parse().unwrap()).is_some());
        }
    }

    #[test]
    fn the_neighbours_of_special_ranges_are_ordinary() {
        let ordinary = "9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 \
                        192.0.1.0 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2001:200::1 \
                        2001:db9::1 2003::1 2a00::1 3ffe::1";
        for ip in ordinary.split_whitespace() {
            assert!(!is_special(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn an_ipv4_address_may_come_mapped_into_ipv6() {
        let database = database(&[(LONDON, country("GB"))]);
        let mapped = "::ffff:81.2.69.160".parse().unwrap();
        assert_eq!(database.place(mapped).as_deref(), Some("GB"));
    }

    #[test]
    fn an_ipv4_database_has_no_place_for_ipv6() {
        let bytes = Writer::builder("GeoLite2-City")
            .ip_version(mmdb_writer::IpVersion::V4)
            .build()
            .to_bytes()
            .unwrap();
        let reader = Reader::from_source(bytes).unwrap();
        assert_eq!(Database { reader }.place(LINKOPING.parse().unwrap()), None);
    }

    #[test]
    fn a_database_of_another_kind_is_refused_by_name() {
        let file = save("GeoLite2-ASN", &[(LONDON, country("GB"))]);
        let error = Database::open(file.path()).unwrap_err();
        assert!(matches!(&error, LocateError::WrongKind { found, .. } if found == "GeoLite2-ASN"));
        let message = error.to_string();
        assert!(message.ends_with("is a `GeoLite2-ASN` database: use a city or country database"));
    }

    #[test]
    fn a_missing_a_damaged_and_a_truncated_file_are_refused() {
        let whole = save("GeoLite2-City", &[(LONDON, country("GB"))]);
        let bytes = std::fs::read(whole.path()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let half: Vec<u8> = bytes.iter().copied().take(bytes.len() / 2).collect();
        for content in [Vec::new(), b"not a database".to_vec(), half] {
            std::fs::write(file.path(), content).unwrap();
            let error = Database::open(file.path()).unwrap_err();
            assert!(matches!(error, LocateError::Unreadable { .. }), "{error}");
        }
        let missing = file.path().with_extension("missing");
        let error = Database::open(&missing).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read the location database `{}`", missing.display()));
        assert!(std::error::Error::source(&error).is_some());
    }
}
