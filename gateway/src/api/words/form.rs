//! Sentences for text that is not JSON.

use crate::gate::ask::Misfit;

/// What is wrong with its form, and where.
pub(crate) fn wrong_form(misfit: &Misfit) -> String {
    let told = misfit.to_string();
    let (what, place) = match told.find(" (line ") {
        Some(at) => told.split_at(at),
        None => (told.as_str(), ""),
    };
    let plain = match what {
        "expected value" => "a value is missing or misspelt",
        "expected ident" => "a word is misspelt; JSON knows `true`, `false` and `null`",
        "expected `:`" => "a `:` is missing",
        "expected `,` or `}`" => "a `,` or a `}` is missing",
        "expected `,` or `]`" => "a `,` or a `]` is missing",
        "key must be a string" => "the name of a member has no quotation marks",
        "trailing comma" => "there is a comma with nothing after it",
        "trailing characters" => "there is text after the end of the document",
        "recursion limit exceeded" => "it is nested too deeply",
        _ if what.starts_with("EOF while parsing") => "it ends in the middle",
        _ if what.starts_with("control character") => {
            "a string holds a control character; write `\\n` for a line break"
        }
        other => other,
    };
    format!("{plain}{place}")
}
