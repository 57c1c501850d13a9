//! The documents of our own.

use markup::{Dialect, Document, Heard, Limit, Refusal, Then, prompt_first};

const HEARD: &[Heard<'_>] = &[
    Heard::Say { text: "Is \"R&D\" <ok>?\u{7} Größe", language: Some("en-GB"), voice: Some("a\"b") },
    Heard::Play { url: "https://example.com/a.mp3?b=1&c=2" },
    Heard::Pause { seconds: 1 },
];

const SPOKEN: &str = r#"<Say language="en-GB" voice="a&quot;b">Is &quot;R&amp;D&quot; &lt;ok&gt;? Gr&#246;&#223;e</Say><Play>https://example.com/a.mp3?b=1&amp;c=2</Play><Pause length="1"/>"#;

fn body(document: &[u8]) -> String {
    let text = String::from_utf8(document.into()).unwrap();
    assert!(text.is_ascii());
    let read = Document::read(document, Limit::Answer, None).unwrap();
    assert!(read.captures().is_empty());
    let body = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>").unwrap();
    body.strip_suffix("</Response>\n").unwrap().to_owned()
}

#[test]
fn a_notice_is_heard_and_the_call_goes_on() {
    let then = Then::Redirect { url: "https://gw.example/on?t=a&u='b'" };
    let expected =
        format!(r#"{SPOKEN}<Redirect method="POST">https://gw.example/on?t=a&amp;u=&#39;b&#39;</Redirect>"#);
    for dialect in [Dialect::Twiml, Dialect::Rcml] {
        assert_eq!(body(&prompt_first(dialect, HEARD, then)), expected);
    }
}

#[test]
fn twilio_asks_for_a_digit_and_tells_of_none() {
    let then = Then::Digit { action: "https://gw.example/a?t=\"&u", timeout_seconds: 8 };
    let expected = format!(
        r#"<Gather input="dtmf" numDigits="1" timeout="8" actionOnEmptyResult="true" finishOnKey="" action="https://gw.example/a?t=&quot;&amp;u" method="POST">{SPOKEN}</Gather>"#
    );
    let document = prompt_first(Dialect::Twiml, HEARD, then);
    assert_eq!(body(&document), expected);
    let read = Document::read(&document, Limit::Answer, None).unwrap();
    assert_eq!(read.links()[0].url, "https://gw.example/a?t=\"&u");
    assert_eq!(read.verbs().nth(2).unwrap().text(), "Is \"R&D\" <ok>? Größe");
}

#[test]
fn restcomm_is_redirected_where_it_asks_nobody() {
    let then = Then::Digit { action: "/a", timeout_seconds: 8 };
    let expected = format!(
        r#"<Gather input="dtmf" numDigits="1" timeout="8" action="/a" method="POST">{SPOKEN}</Gather><Redirect method="POST">/a</Redirect>"#
    );
    assert_eq!(body(&prompt_first(Dialect::Rcml, HEARD, then)), expected);
}

#[test]
fn a_refusal_is_a_document() {
    assert_eq!(body(&Refusal::Hangup.document()), "<Hangup/>");
    let url = "https://gw.example/no?a=1&b=</Redirect><Record/>".to_owned();
    let expected = "https://gw.example/no?a=1&amp;b=&lt;/Redirect&gt;&lt;Record/&gt;";
    assert_eq!(
        body(&Refusal::Redirect(url).document()),
        format!("<Redirect method=\"POST\">{expected}</Redirect>")
    );
}
