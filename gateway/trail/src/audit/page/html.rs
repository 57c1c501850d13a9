//! HTML, written: everything that comes from elsewhere is escaped.
//!
//! **Invariant: text goes into a document through [`Html::text`] or [`esc`] alone.**

use std::fmt::Write as _;

/// A document that grows.
#[derive(Debug, Default)]
pub(super) struct Html(pub(super) String);

impl Html {
    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Text from elsewhere.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        self.0.push_str(&esc(text));
        self
    }

    /// An element around text.
    pub(super) fn element(&mut self, tag: &str, text: &str) -> &mut Html {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "<{tag}>{}</{}>", esc(text), tag.split(' ').next().unwrap_or_default());
        self
    }

    /// A paragraph of our own markup.
    pub(super) fn paragraph(&mut self, markup: &str) -> &mut Html {
        self.raw("<p>").raw(markup).raw("</p>\n")
    }

    /// A section with a heading, to which the list of contents leads.
    pub(super) fn section(&mut self, id: &str, heading: &str) -> &mut Html {
        let _ = writeln!(self.0, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>", esc(heading));
        self
    }

    /// The end of a section.
    pub(super) fn end_section(&mut self) -> &mut Html {
        self.raw("</section>\n")
    }

    /// A table. Its columns' headings are text, its cells markup; the first cell of a row heads it.
    pub(super) fn table(&mut self, caption: &str, columns: &[Column], rows: &[Vec<String>]) {
        let label = esc(caption);
        let _ = writeln!(
            self.0,
            "<div class=\"wide\" role=\"region\" aria-label=\"{label}\" tabindex=\"0\"><table>\n<caption>{label}</caption>\n<thead><tr>"
        );
        for Column(heading, class) in columns {
            let _ = write!(self.0, "<th scope=\"col\"{}>{}</th>", class_of(class), esc(heading));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (position, (cell, Column(heading, class))) in row.iter().zip(columns).enumerate() {
                let (open, close) = if position == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
                let _ = write!(
                    self.0,
                    "<{open}{} data-label=\"{}\">{cell}</{close}>",
                    class_of(class),
                    esc(heading)
                );
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table></div>\n");
    }

    /// A list of facts: the terms are text, what they are is markup.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        self.raw("<dl class=\"facts\">\n");
        for (term, fact) in facts {
            let _ = writeln!(self.0, "<dt>{}</dt><dd>{fact}</dd>", esc(term));
        }
        self.raw("</dl>\n");
    }
}

/// A column: its heading, and the class of its cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub(super) &'static str, pub(super) &'static str);

fn class_of(class: &str) -> String {
    if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") }
}

/// Text that stands in a document, or in an attribute's value, and is nothing but text there.
pub(super) fn esc(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Would turn the direction of what stands behind it, so that it reads otherwise.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                let _ = write!(escaped, "[U+{:04X}]", u32::from(c));
            }
            c if c.is_control() && c != '\n' && c != '\t' => {
                let _ = write!(escaped, "[U+{:04X}]", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text in a fixed pitch.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", esc(text))
}

/// Text in which words between backticks are meant literally.
pub(super) fn ticks(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return esc(text);
    }
    let part = |(position, part): (usize, &&str)| if position % 2 == 0 { esc(part) } else { code(part) };
    parts.iter().enumerate().map(part).collect()
}
