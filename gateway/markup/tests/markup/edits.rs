//! Edits that leave the rest of a document as it is.

use std::borrow::Cow;

use markup::{Document, Limit, Method, ReadError, Refusal, Uses, strip};

fn read(text: &str) -> Document<'_> {
    Document::read(text.as_bytes(), Limit::Answer, None).unwrap()
}

fn edited(document: &Document<'_>, edits: Vec<markup::Edit>) -> String {
    String::from_utf8(document.edit(edits).into_owned()).unwrap()
}

#[test]
fn a_value_is_replaced_and_all_else_stays() {
    let document =
        read("<Response>\n  <Record  action = '/a'\trecordingStatusCallback=\"/b\"/>\n</Response>");
    let verb = document.verbs().nth(1).unwrap();
    assert_eq!((verb.name(), verb.attribute("ACTION").as_deref()), ("Record", Some("/a")));
    let edits = vec![
        verb.set("recordingStatusCallback", "https://gw.example/?a=1&b='\"<ü>\n"),
        verb.set("action", "/c"),
    ];
    let expected = "<Response>\n  <Record  action = '/c'\trecordingStatusCallback=\"https://gw.example/?a=1&amp;b=&#39;&quot;&lt;&#252;&gt;&#10;\"/>\n</Response>";
    assert_eq!(edited(&document, edits), expected);
}

#[test]
fn an_attribute_that_is_not_there_is_added() {
    let document = read("<Response><Record/><Dial\n>+15550100</Dial></Response>");
    let edits = document.verbs().skip(1).map(|verb| verb.set("recordingStatusCallback", "/s")).collect();
    let expected = "<Response><Record recordingStatusCallback=\"/s\"/><Dial recordingStatusCallback=\"/s\"\n>+15550100</Dial></Response>";
    assert_eq!(edited(&document, edits), expected);
}

#[test]
fn links_are_pointed_elsewhere() {
    let document = read(
        "<Response><Gather action='/a' method='GET'/><Redirect>/b<!-- c --></Redirect><x:Redirect xmlns:x='u' /><Dial><Number url='/d'>+15550100</Number></Dial></Response>",
    );
    let links = document.links();
    assert_eq!(links.iter().map(|link| link.url.as_str()).collect::<Vec<_>>(), ["/a", "/b", "", "/d"]);
    assert_eq!((links[0].method, links[1].method), (Method::Get, Method::Post));
    let edits = links.iter().map(|link| link.set(&format!("https://gw.example{}", link.url))).collect();
    let expected = "<Response><Gather action='https://gw.example/a' method='GET'/><Redirect>https://gw.example/b</Redirect><x:Redirect xmlns:x='u' >https://gw.example</x:Redirect><Dial><Number url='https://gw.example/d'>+15550100</Number></Dial></Response>";
    assert_eq!(edited(&document, edits), expected);
}

#[test]
fn an_edit_is_written_in_the_encoding_of_the_document() {
    let text = "<Response><Größe/><Redirect>/ä</Redirect></Response>";
    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let document = Document::read(&utf16, Limit::Answer, None).unwrap();
    let edits = [document.verbs().nth(1).unwrap().set_text("ö"), document.links()[0].set("/ü")];
    let expected: Vec<u8> = "\u{feff}<Response><Größe>&#246;</Größe><Redirect>/&#252;</Redirect></Response>"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    assert_eq!(document.edit(edits), expected);

    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    assert_eq!(Document::read(&latin1, Limit::Answer, None).unwrap_err(), ReadError::Encoding);
    let document = Document::read(&latin1, Limit::Answer, Some("ISO-8859-1")).unwrap();
    assert_eq!(document.links()[0].url, "/ä");
    let edit = document.verbs().nth(1).unwrap().set_text("ö");
    let expected = "<Response><Größe>&#246;</Größe><Redirect>/ä</Redirect></Response>";
    assert_eq!(document.edit([edit]), expected.chars().map(|c| u8::try_from(c).unwrap()).collect::<Vec<_>>());
    assert!(matches!(document.edit([]), Cow::Borrowed(same) if same == latin1));
}

#[test]
fn what_is_said_of_the_encoding_outside_wins_over_the_declaration() {
    let bytes = b"<?xml version='1.0' encoding='utf-8'?><Response><Say>\xe4</Say></Response>";
    assert_eq!(Document::read(bytes, Limit::Answer, None).unwrap_err(), ReadError::Encoding);
    assert_eq!(Document::read(bytes, Limit::Answer, Some("UTF-7")).unwrap_err(), ReadError::Encoding);
    let document = Document::read(bytes, Limit::Answer, Some(" latin1")).unwrap();
    assert_eq!(document.verbs().nth(1).unwrap().text(), "ä");
    let marked = b"\xef\xbb\xbf<Response><Say>\xc3\xa4</Say></Response>";
    let document = Document::read(marked, Limit::Answer, Some("ISO-8859-1")).unwrap();
    assert_eq!(document.verbs().nth(1).unwrap().text(), "ä");
}

#[test]
fn a_document_may_be_so_long_and_no_longer() {
    let sized = |length: usize, c: &str| {
        format!("<Response>{}</Response>", c.repeat(length - "<Response></Response>".len()))
    };
    let answer = sized(65_536, "a");
    assert!(Document::read(answer.as_bytes(), Limit::Answer, None).is_ok());
    let longer = sized(65_537, "a");
    let error = Document::read(longer.as_bytes(), Limit::Answer, None).unwrap_err();
    assert_eq!(error.to_string(), "the document is longer than 65536 bytes");
    // Nothing in it captures: the platform may say that it is too long.
    assert!(matches!(error.instead(longer.as_bytes(), Uses::NONE, &Refusal::Hangup), Cow::Borrowed(_)));
    let captures = longer.replacen("<Response>a", "<Record/>", 1);
    let stripped = strip(captures.as_bytes(), Limit::Answer, None, Uses::NONE, &Refusal::Hangup);
    assert_eq!(stripped.document, Refusal::Hangup.document());

    // Characters, not bytes.
    assert!(Document::read(sized(4_000, "😀").as_bytes(), Limit::Inline, None).is_ok());
    let error = Document::read(sized(4_001, "😀").as_bytes(), Limit::Inline, None).unwrap_err();
    assert_eq!(error.to_string(), "the document is longer than 4000 characters");
    assert!(Document::read(sized(16_001, "a").as_bytes(), Limit::Inline, None).is_err());
}

#[test]
fn a_refusal_that_does_not_fit_takes_the_place_of_the_document() {
    let around = "<Response><Say></Say><Connect><Stream/></Connect></Response>";
    let text = around.replace("<Say>", &format!("<Say>{}", "a".repeat(65_536 - around.len())));
    assert_eq!(text.len(), 65_536);
    let refusal = Refusal::Redirect(format!("https://gw.example/{}", "x".repeat(60)));
    let stripped = strip(text.as_bytes(), Limit::Answer, None, Uses::NONE, &refusal);
    assert_eq!((stripped.document, stripped.unread), (refusal.document().into(), None));
    let stripped = strip(text.as_bytes(), Limit::Answer, None, Uses::NONE, &Refusal::Hangup);
    assert!(stripped.document.ends_with(b"a</Say><Hangup/></Response>"));
}

#[test]
fn of_two_edits_of_one_place_the_first_is_made() {
    let document = read("<Response><Record action=''/></Response>");
    let verb = document.verbs().nth(1).unwrap();
    let edits = vec![
        verb.set("action", "/a"),
        verb.set("action", "/b"),
        verb.set("method", "GET"),
        verb.set("timeout", "5"),
        verb.set("method", "POST"),
        verb.set_text("x"),
        verb.set_text("y"),
    ];
    let expected = "<Response><Record method=\"GET\" timeout=\"5\" action='/a'>x</Record></Response>";
    assert_eq!(edited(&document, edits), expected);
}
