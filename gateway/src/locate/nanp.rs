//! Area codes of the North American Numbering Plan, the twenty-odd countries behind `+1`.
//!
//! The table holds every assigned code. It is the listing of NANPA, the plan's administrator, dated
//! 26 November 2025, as carried by a public source repository, and was compared in November 2026
//! with:
//!
//! * a public table that its authors reconciled with NANPA's listing of 9 September 2026: the same 372
//!   codes in service in the fifty states and the District of Columbia, in the same states, and the
//!   same codes in service in Canada (it adds 387, which is only reserved);
//! * libphonenumber 9.0.43 of November 2026: the same country for each of the 442 codes both have,
//!   and the same state or province for each code whose places it names (it lacks fifteen codes
//!   of the United States, thirteen of them in service).
//!
//! Not confirmed: codes assigned, or put in service outside the United States and Canada, after
//! 26 November 2025. Three codes were assigned but not in service on 9 September 2026 and are in
//! the table all the same: 273 (February 2027), 565 (no date) and 761 (July 2027). A code missing
//! here makes a number unknown, never one of another place.
//!
//! An area code tells where a number was first issued. A few communities are served from across
//! the border (Hyder in Alaska from British Columbia's 250), and subscribers move.

/// The places that the ten digits after `+1` may belong to, as ISO 3166 codes; none where they are
/// no number or the area code isn't assigned.
///
/// The form is NPA-NXX-XXXX, where N is 2 to 9. Numbers kept for fiction have it too
/// (`415-555-0100`) and count for their area code.
pub(super) fn places(national: &str) -> &'static [&'static str] {
    let digits = national.as_bytes();
    let [b'2'..=b'9', _, _, b'2'..=b'9', _, _, _, _, _, _] = digits else {
        return &[];
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return &[];
    }
    let area = digits.iter().take(3).fold(0, |area, digit| area * 10 + u16::from(digit - b'0'));
    AREA_CODES.iter().find(|(_, codes)| codes.binary_search(&area).is_ok()).map_or(&[], |(places, _)| places)
}

/// Places and their area codes, each list in ascending order.
static AREA_CODES: &[(&[&str], &[u16])] = &[
    // states, the federal district and territories of the United States
    (&["US-AK"], &[907]),
    (&["US-AL"], &[205, 251, 256, 334, 483, 659, 938]),
    (&["US-AR"], &[327, 479, 501, 870]),
    (&["US-AS"], &[684]),
    (&["US-AZ"], &[480, 520, 602, 623, 928]),
    (
        &["US-CA"],
        &[
            209, 213, 279, 310, 323, 341, 350, 357, 369, 408, 415, 424, 442, 510, 530, 559, 562, 619, 626,
            628, 650, 657, 661, 669, 707, 714, 738, 747, 760, 805, 818, 820, 831, 837, 840, 858, 909, 916,
            925, 949, 951,
        ],
    ),
    (&["US-CO"], &[303, 719, 720, 748, 970, 983]),
    (&["US-CT"], &[203, 475, 860, 959]),
    (&["US-DC"], &[202, 771]),
    (&["US-DE"], &[302]),
    (
        &["US-FL"],
        &[
            239, 305, 321, 324, 352, 386, 407, 448, 561, 645, 656, 689, 727, 728, 754, 772, 786, 813, 850,
            863, 904, 941, 954,
        ],
    ),
    (&["US-GA"], &[229, 404, 470, 478, 565, 678, 706, 762, 770, 912, 943]),
    (&["US-GU"], &[671]),
    (&["US-HI"], &[808]),
    (&["US-IA"], &[319, 515, 563, 641, 712]),
    (&["US-ID"], &[208, 986]),
    (&["US-IL"], &[217, 224, 309, 312, 331, 447, 464, 618, 630, 708, 730, 773, 779, 815, 847, 861, 872]),
    (&["US-IN"], &[219, 260, 317, 463, 574, 765, 812, 930]),
    (&["US-KS"], &[316, 620, 785, 913]),
    (&["US-KY"], &[270, 364, 502, 606, 761, 859]),
    (&["US-LA"], &[225, 318, 337, 457, 504, 985]),
    (&["US-MA"], &[339, 351, 413, 508, 617, 774, 781, 857, 978]),
    (&["US-MD"], &[227, 240, 301, 410, 443, 667]),
    (&["US-ME"], &[207]),
    (&["US-MI"], &[231, 248, 269, 313, 517, 586, 616, 679, 734, 810, 906, 947, 989]),
    (&["US-MN"], &[218, 320, 507, 612, 651, 763, 924, 952]),
    (&["US-MO"], &[235, 314, 417, 557, 573, 636, 660, 816, 975]),
    (&["US-MP"], &[670]),
    (&["US-MS"], &[228, 471, 601, 662, 769]),
    (&["US-MT"], &[406]),
    (&["US-NC"], &[252, 336, 472, 704, 743, 828, 910, 919, 980, 984]),
    (&["US-ND"], &[701]),
    (&["US-NE"], &[308, 402, 531]),
    (&["US-NH"], &[603]),
    (&["US-NJ"], &[201, 551, 609, 640, 732, 848, 856, 862, 908, 973]),
    (&["US-NM"], &[505, 575]),
    (&["US-NV"], &[702, 725, 775]),
    (
        &["US-NY"],
        &[
            212, 315, 329, 332, 347, 363, 465, 516, 518, 585, 607, 624, 631, 646, 680, 716, 718, 838, 845,
            914, 917, 929, 934,
        ],
    ),
    (&["US-OH"], &[216, 220, 234, 283, 326, 330, 380, 419, 436, 440, 513, 567, 614, 740, 937]),
    (&["US-OK"], &[405, 539, 572, 580, 918]),
    (&["US-OR"], &[458, 503, 541, 971]),
    (&["US-PA"], &[215, 223, 267, 272, 412, 445, 484, 570, 582, 610, 717, 724, 814, 835, 878]),
    (&["US-PR"], &[787, 939]),
    (&["US-RI"], &[401]),
    (&["US-SC"], &[803, 821, 839, 843, 854, 864]),
    (&["US-SD"], &[605]),
    (&["US-TN"], &[423, 615, 629, 729, 731, 865, 901, 931]),
    (
        &["US-TX"],
        &[
            210, 214, 254, 281, 325, 346, 361, 409, 430, 432, 469, 512, 621, 682, 713, 726, 737, 806, 817,
            830, 832, 903, 915, 936, 940, 945, 956, 972, 979,
        ],
    ),
    (&["US-UT"], &[385, 435, 801]),
    (&["US-VA"], &[276, 434, 540, 571, 686, 703, 757, 804, 826, 948]),
    (&["US-VI"], &[340]),
    (&["US-VT"], &[802]),
    (&["US-WA"], &[206, 253, 360, 425, 509, 564]),
    (&["US-WI"], &[262, 274, 353, 414, 534, 608, 715, 920]),
    (&["US-WV"], &[304, 681]),
    (&["US-WY"], &[307]),
    // provinces and territories of Canada; two codes are shared
    (&["CA-AB"], &[368, 403, 587, 780, 825]),
    (&["CA-BC"], &[236, 250, 257, 604, 672, 778]),
    (&["CA-MB"], &[204, 431, 584]),
    (&["CA-NB"], &[428, 506]),
    (&["CA-NL"], &[709, 879]),
    (&["CA-NS", "CA-PE"], &[782, 902]),
    (&["CA-NT", "CA-NU", "CA-YT"], &[867]),
    (
        &["CA-ON"],
        &[226, 249, 289, 343, 365, 382, 416, 437, 519, 548, 613, 647, 683, 705, 742, 753, 807, 905, 942],
    ),
    (&["CA-QC"], &[263, 273, 354, 367, 418, 438, 450, 468, 514, 579, 581, 819, 873]),
    (&["CA-SK"], &[306, 474, 639]),
    // other countries of the numbering plan
    (&["AG"], &[268]),
    (&["AI"], &[264]),
    (&["BB"], &[246]),
    (&["BM"], &[441]),
    (&["BS"], &[242]),
    (&["DM"], &[767]),
    (&["DO"], &[809, 829, 849]),
    (&["GD"], &[473]),
    (&["JM"], &[658, 876]),
    (&["KN"], &[869]),
    (&["KY"], &[345]),
    (&["LC"], &[758]),
    (&["MS"], &[664]),
    (&["SX"], &[721]),
    (&["TC"], &[649]),
    (&["TT"], &[868]),
    (&["VC"], &[784]),
    (&["VG"], &[284]),
    // no place: Canada's own services; then personal and machine numbers (5xx), carriers' (700),
    // the government's (710), toll-free (8xx) and premium (900)
    (&["CA"], &[600, 622, 633]),
    (
        &["US"],
        &[
            500, 521, 522, 523, 524, 525, 526, 527, 528, 529, 532, 533, 538, 544, 566, 577, 588, 700, 710,
            800, 822, 833, 844, 855, 866, 877, 888, 900,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_well_formed_and_stands_once_in_order() {
        let mut seen = BTreeSet::new();
        for (places, codes) in AREA_CODES {
            assert!(!places.is_empty() && !codes.is_empty());
            assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
            assert!(codes.is_sorted_by(|a, b| a < b), "{places:?}");
            for &code in *codes {
                assert!((200..=999).contains(&code), "{code}");
                assert_ne!(code / 10 % 10, 9, "{code}: kept for a longer format");
                assert_ne!(code % 100, 11, "{code}: a service code");
                assert!(seen.insert(code), "{code} stands twice");
            }
        }
        assert_eq!(seen.len(), 488);
    }

    #[test]
    fn every_state_territory_and_province_has_a_code() {
        let places: BTreeSet<&str> = AREA_CODES.iter().flat_map(|(places, _)| *places).copied().collect();
        let states = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT \
                      NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS \
                      GU MP PR VI";
        let provinces = "AB BC MB NB NL NS ON PE QC SK NT NU YT";
        let expected: BTreeSet<String> = states
            .split_whitespace()
            .map(|state| format!("US-{state}"))
            .chain(provinces.split_whitespace().map(|province| format!("CA-{province}")))
            .collect();
        assert_eq!(expected.len(), 50 + 1 + 5 + 10 + 3);
        let subdivisions: BTreeSet<String> =
            places.iter().filter(|place| place.contains('-')).map(ToString::to_string).collect();
        assert_eq!(subdivisions, expected);

        let countries: Vec<&str> = places.iter().filter(|place| !place.contains('-')).copied().collect();
        assert_eq!(
            countries,
            [
                "AG", "AI", "BB", "BM", "BS", "CA", "DM", "DO", "GD", "JM", "KN", "KY", "LC", "MS", "SX",
                "TC", "TT", "US", "VC", "VG"
            ]
        );
    }

    #[test]
    fn an_area_code_names_its_place() {
        for (national, place) in [
            ("4155550100", "US-CA"),
            ("2025550100", "US-DC"),
            ("4655550100", "US-NY"),
            ("7285550100", "US-FL"),
            ("9835550100", "US-CO"),
            ("6715550100", "US-GU"),
            ("6845550100", "US-AS"),
            ("6705550100", "US-MP"),
            ("3405550100", "US-VI"),
            ("9395550100", "US-PR"),
            ("9425550100", "CA-ON"),
            ("8095550100", "DO"),
            ("6585550100", "JM"),
            ("7215550100", "SX"),
        ] {
            assert_eq!(places(national), [place], "{national}");
        }
    }

    #[test]
    fn provinces_that_share_a_code_are_all_given() {
        assert_eq!(places("9025550100"), ["CA-NS", "CA-PE"]);
        assert_eq!(places("7825550100"), ["CA-NS", "CA-PE"]);
        assert_eq!(places("8675550100"), ["CA-NT", "CA-NU", "CA-YT"]);
    }

    #[test]
    fn a_code_without_a_place_gives_the_country_only() {
        for area in [500, 529, 538, 588, 700, 710, 800, 822, 833, 844, 855, 866, 877, 888, 900] {
            assert_eq!(places(&format!("{area}5550100")), ["US"], "{area}");
        }
        for area in [600, 622, 633] {
            assert_eq!(places(&format!("{area}5550100")), ["CA"], "{area}");
        }
    }

    #[test]
    fn unassigned_codes_and_impossible_numbers_are_unknown() {
        for national in [
            "5550100100",
            "2005550100",
            "3875550100",
            "4565550100",
            "9115550100",
            "1155550100",
            "4150550100",
            "4151550100",
            "415555010",
            "41555501000",
            "415555010x",
            "",
        ] {
            assert_eq!(places(national), [""; 0], "{national}");
        }
    }
}
