//! Numbers of things, in words.

/// How many there are, with the noun in the right form: `no calls`, `1 entry`, `2 entries`.
pub fn counted(count: impl TryInto<u64>, what: &str) -> String {
    let several = match what.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{what}s"),
    };
    match count.try_into().unwrap_or(u64::MAX) {
        0 => format!("no {several}"),
        1 => format!("1 {what}"),
        count => format!("{count} {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn nouns_agree_with_their_number() {
        let all = [counted(0, "key"), counted(1, "key"), counted(2, "entry"), counted(1u64 << 40, "overlay")];
        assert_eq!(all, ["no keys", "1 key", "2 entries", "1099511627776 overlays"]);
    }
}
