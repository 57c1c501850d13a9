//! Documents that nobody wrote: trees of verbs in any order and spelling, and bytes that were changed.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::corpus;

/// A well-formed document, in one of the encodings, of verbs and attributes wherever they may stand.
pub(crate) fn document() -> impl Strategy<Value = Vec<u8>> {
    let encoding = select(vec![
        "utf-8",
        "utf-8-mark",
        "utf-16le",
        "utf-16le-mark",
        "utf-16be",
        "utf-16be-mark",
        "latin1",
    ]);
    (prolog(), element(), encoding)
        .prop_map(|(prolog, element, encoding)| encoded(&format!("{prolog}{element}"), encoding))
}

/// A document, of the corpus or generated, in which some bytes are others.
pub(crate) fn changed() -> impl Strategy<Value = Vec<u8>> {
    let corpus: Vec<Vec<u8>> = corpus::documents().into_iter().map(|(_, bytes)| bytes).collect();
    let start = prop_oneof![select(corpus), document()];
    (start, prop::collection::vec((any::<Index>(), change()), 1..6)).prop_map(|(mut bytes, changes)| {
        for (at, change) in changes {
            let at = at.index(bytes.len() + 1);
            match change {
                Change::Insert(part) => drop(bytes.splice(at..at, part)),
                Change::Delete(length) => drop(bytes.drain(at..(at + length).min(bytes.len()))),
                Change::Put(byte) => {
                    if let Some(found) = bytes.get_mut(at) {
                        *found = byte;
                    }
                }
                Change::End => bytes.truncate(at),
            }
        }
        bytes
    })
}

/// Anything, made of what markup is made of.
pub(crate) fn parts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(select(PARTS.to_vec()), 0..30).prop_map(|parts| parts.concat().into_bytes())
}

#[derive(Debug, Clone)]
enum Change {
    Insert(Vec<u8>),
    Delete(usize),
    Put(u8),
    End,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => select(PARTS.to_vec()).prop_map(|part| Change::Insert(part.into())),
        2 => (1usize..20).prop_map(Change::Delete),
        2 => any::<u8>().prop_map(Change::Put),
        1 => Just(Change::End),
    ]
}

fn prolog() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => select(vec!["", "<?xml version=\"1.0\"?>\n", " \n", "<!-- <Record/> -->", "<?record <Record/>?>"]),
        1 => select(vec![
            "<!DOCTYPE Response>",
            "<!DOCTYPE Response [ <!ELEMENT Response ANY> ]>",
            "<!DOCTYPE Response [<!ENTITY e 'true'><!ENTITY r \"<Record/>\">]>",
            "<!DOCTYPE Response [<!ATTLIST Dial record CDATA \"true\">]>",
            "<!DOCTYPE Response SYSTEM 'x.dtd'>",
        ]),
    ]
}

fn element() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(TEXTS.to_vec()).prop_map(str::to_owned),
        (name(), attributes()).prop_map(|(name, attributes)| format!("<{name}{attributes}/>")),
    ];
    let tree = leaf.prop_recursive(6, 40, 5, |inner| {
        (name(), attributes(), prop::collection::vec(inner, 0..5))
            .prop_map(|(name, attributes, inner)| format!("<{name}{attributes}>{}</{name}>", inner.concat()))
    });
    (
        prop_oneof![9 => Just("Response".to_owned()), 1 => name()],
        attributes(),
        prop::collection::vec(tree, 0..5),
    )
        .prop_map(|(name, attributes, inner)| format!("<{name}{attributes}>{}</{name}>", inner.concat()))
}

fn name() -> impl Strategy<Value = String> {
    let spelling = prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    (select(NAMES.to_vec()), spelling).prop_map(|(name, spelling)| match spelling {
        0 => name.to_owned(),
        1 => name.to_lowercase(),
        2 => name.to_uppercase(),
        _ => format!("x:{name}"),
    })
}

fn attributes() -> impl Strategy<Value = String> {
    let attribute = (
        select(ATTRIBUTES.to_vec()),
        select(VALUES.to_vec()),
        select(vec![" {}=\"{}\"", "\n {} = '{}' ", "\t{}='{}'"]),
    )
        .prop_map(|(name, value, form)| form.replacen("{}", name, 1).replacen("{}", value, 1));
    prop::collection::vec(attribute, 0..4).prop_map(|attributes| attributes.concat())
}

fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "utf-8-mark" => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "utf-16le-mark" => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be-mark" => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "latin1" => {
            let text = text.strip_prefix("<?xml version=\"1.0\"?>").unwrap_or(text).trim_start();
            let text = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{text}");
            text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
        }
        _ => text.into(),
    }
}

const NAMES: &[&str] = &[
    "Response",
    "Record",
    "Recording",
    "Dial",
    "Conference",
    "Number",
    "Client",
    "Start",
    "Stop",
    "Connect",
    "Stream",
    "Siprec",
    "Transcription",
    "ConversationRelay",
    "Conversation",
    "VirtualAgent",
    "AiSession",
    "Autopilot",
    "Room",
    "Gather",
    "Say",
    "Play",
    "Pause",
    "Redirect",
    "Hangup",
    "Pay",
    "Prompt",
    "Enqueue",
    "Foo",
    "Größe",
    "Later.on",
];

const ATTRIBUTES: &[&str] = &[
    "record",
    "RECORD",
    "x:record",
    "transcribe",
    "transcribeCallback",
    "input",
    "Input",
    "action",
    "url",
    "waitUrl",
    "method",
    "recordingStatusCallback",
    "recordingConfigurationId",
    "intelligenceService",
    "name",
    "größe",
    "timeout",
    "sentimentAnalysis",
];

const VALUES: &[&str] = &[
    "true",
    "false",
    "do-not-record",
    "record-from-answer",
    "dtmf",
    "speech",
    "dtmf speech",
    "",
    " false",
    "False",
    "&#116;rue",
    "&#102;alse",
    "&e;",
    "/a?b=1&amp;c=2",
    "/a?b=1&c=2",
    "a>b",
    "/größe",
    "x\ny",
    "&lt;Record/>",
    "{}",
];

const TEXTS: &[&str] = &[
    "Hello",
    "Größe 😀",
    " \n\t",
    "]]>",
    "&r;",
    "&e;",
    "&am",
    "p;",
    "&#116",
    "&lt;Record/&gt;",
    "record=\"true\"",
    "<!-- <Record/> -->",
    "<![CDATA[<Record/> & ]]>",
    "<?record <Record/>?>",
    "1 > 0",
    "",
];

const PARTS: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "=",
    "\"",
    "'",
    " ",
    "\n",
    "&",
    ";",
    "&#",
    "<!--",
    "-->",
    "--",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<?xml version=\"1.0\"?>",
    "<!DOCTYPE a [",
    "<!ENTITY e \"x\">",
    "]>",
    "%p;",
    "<Response>",
    "</Response>",
    "<Record/>",
    "<Record ",
    "record=\"true\"",
    " record='true'",
    "<Dial",
    "</Dial>",
    "<Start>",
    "</Start>",
    "<Connect>",
    "</Connect>",
    "<Stream/>",
    "<Foo/>",
    "<Say>",
    "</Say>",
    "input=\"speech\"",
    "speech",
    "false",
    "x",
    "ſ",
    "\u{85}",
    "\u{2028}",
    "\0",
    "encoding=\"utf-7\"",
    "\u{feff}",
];
