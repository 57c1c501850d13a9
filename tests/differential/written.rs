//! A second reading of a table: from its text, and from nothing that the crate made of it.
//!
//! A rule is what is written last of each key: the row's own, its medium's, its voicemail's.

use policy::{Code, Element, Evidence, Form, Kind, Medium, Parties, Purpose, Role, Strictness, Terms};

/// A table, as it is written.
pub(crate) struct Written {
    default: Asks,
    floors: [Rule; 3],
    rows: Vec<Row>,
    overlays: Vec<Overlay>,
}

/// What one row, one overlay or the default asks of one sort of call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    pub(crate) strictness: Option<Strictness>,
    pub(crate) announcement: bool,
    pub(crate) waived_by_written: bool,
    pub(crate) tone: Option<u16>,
    pub(crate) works_agreement_is_express: bool,
    /// What is asked instead for one purpose.
    pub(crate) form_for: Vec<(Purpose, Strictness)>,
    /// For which purposes nobody in a role may be recorded.
    pub(crate) forbids: Vec<(Purpose, Role)>,
    pub(crate) written_for: Vec<Purpose>,
    /// The elements that a prompt has to say, each always or for one purpose.
    pub(crate) says: Vec<(Element, Option<Purpose>)>,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) kept: Option<Length>,
    pub(crate) gone: Option<Length>,
    pub(crate) mandatory: bool,
    pub(crate) pauses: bool,
    pub(crate) forbidden: bool,
    /// What is asked while somebody is on hold: 0 nothing, 1 what the account says, 2 that they agreed, 3 that
    /// nothing is recorded.
    pub(crate) on_hold: u8,
}

/// A length of time, in days or in months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) count: u16,
    pub(crate) months: bool,
}

/// What is asked of a conversation and of voicemail by each medium, and of an emergency call.
struct Asks {
    conversation: [Rule; 3],
    voicemail: [Rule; 3],
    emergency: Rule,
}

struct Row {
    code: Code,
    days: Days,
    strictest: bool,
    asks: Asks,
}

struct Overlay {
    id: String,
    days: Days,
    rule: Rule,
}

struct Days {
    from: String,
    to: String,
}

impl Written {
    pub(crate) fn read(text: &str) -> Written {
        let table: toml::Table = text.parse().unwrap();
        let list = |key: &str| -> Vec<toml::Table> {
            let all = table.get(key).map(|list| list.as_array().unwrap().clone()).unwrap_or_default();
            all.into_iter().map(|one| one.as_table().unwrap().clone()).collect()
        };
        Written {
            default: Asks::written(section(&table, "default").unwrap()),
            floors: ["number", "ip", "declared"].map(|evidence| {
                Rule::of(&[section(&table, "evidence").and_then(|all| section(all, evidence))])
            }),
            rows: list("jurisdiction").iter().map(Row::of).collect(),
            overlays: list("overlay").iter().map(Overlay::of).collect(),
        }
    }

    /// What is asked of somebody of whom nothing is known.
    pub(crate) fn unknown(&self, medium: Medium, kind: Kind) -> Vec<&Rule> {
        self.default.of(medium, kind)
    }

    /// What is asked of a place because of how it is known.
    pub(crate) fn floor(&self, evidence: Evidence, kind: Kind) -> Option<&Rule> {
        (kind != Kind::Emergency).then(|| match evidence {
            Evidence::Number => &self.floors[0],
            Evidence::Ip => &self.floors[1],
            Evidence::Declared => &self.floors[2],
        })
    }

    /// What the law of one place asks on one day, as counsel of the account reads it at `t`.
    pub(crate) fn place(
        &self,
        code: Code,
        medium: Medium,
        kind: Kind,
        day: &str,
        (readings, t): (&[&Terms], i64),
    ) -> Vec<Rule> {
        let today: Vec<&Row> = self.rows.iter().filter(|row| self.is_in_force(row, day)).collect();
        let of = |code: Code| today.iter().find(|row| row.code == code);
        let states =
            || today.iter().filter(|row| !row.code.is_country() && row.code.country() == code.country());
        let state_is_unknown = code.is_country() || of(code).is_none();
        let mut rows: Vec<&&Row> = of(code.country()).into_iter().chain(of(code)).collect();
        if state_is_unknown && of(code.country()).is_some_and(|country| country.strictest) {
            rows.extend(states());
        }
        // What asks more is added, of the place, of its country, and of the states that may be meant.
        let any_state = state_is_unknown && of(code.country()).is_some_and(|country| country.strictest);
        let is_about =
            |of: Code| of == code || of == code.country() || any_state && of.country() == code.country();
        let adds = readings.iter().filter(|terms| {
            let here = terms.media.is_empty() || medium == Medium::Unknown || terms.media.contains(&medium);
            terms.instead_of.is_none() && kind != Kind::Emergency && is_about(terms.code) && here
        });
        let mut rules: Vec<Rule> = adds.map(|terms| Rule::read(&terms.asks)).collect();
        if rows.is_empty() {
            rules.extend(self.unknown(medium, kind).into_iter().cloned());
        }
        for row in rows {
            if row.code == code && kind == Kind::Conversation {
                rules.extend(row.read(medium, readings, t));
            } else {
                rules.extend(row.asks.of(medium, kind).into_iter().cloned());
            }
        }
        rules
    }

    /// What an overlay asks on one day; one that the table does not know, what the default asks.
    pub(crate) fn overlay(&self, id: &str, medium: Medium, kind: Kind, day: &str) -> Vec<&Rule> {
        let mut history = self.overlays.iter().filter(|overlay| overlay.id == id).peekable();
        if history.peek().is_none() {
            return self.unknown(medium, kind);
        }
        history.filter(|overlay| overlay.days.hold(day)).map(|overlay| &overlay.rule).collect()
    }

    /// A row holds from its first day to its last, or until the next of its code begins.
    fn is_in_force(&self, row: &Row, day: &str) -> bool {
        let next = self.rows.iter().any(|other| {
            other.code == row.code && row.days.from < other.days.from && other.days.from.as_str() <= day
        });
        row.days.hold(day) && !next
    }
}

impl Row {
    /// What a place's own row asks of a conversation. A reading that asks less stands in for it, medium by medium,
    /// where the row asks no more than what the reading was written against; once it is over, the row counts too.
    fn read(&self, medium: Medium, readings: &[&Terms], t: i64) -> Vec<Rule> {
        let of_place =
            || readings.iter().filter(|terms| terms.code == self.code && terms.instead_of.is_some());
        let is_over = of_place().any(|terms| terms.until.is_some_and(|until| until.as_millisecond() <= t));
        let mut rules = Vec::new();
        for one in [Medium::Telephone, Medium::Voip, Medium::Video] {
            if medium != one && medium != Medium::Unknown {
                continue;
            }
            let [plain] = self.asks.of(one, Kind::Conversation)[..] else { panic!("one rule a medium") };
            let stands_in = |terms: &Terms| {
                let against = Rule::read(terms.instead_of.as_ref().unwrap());
                let forms = plain.form_for.iter().map(|(_, form)| *form);
                let most = forms.chain(plain.strictness).max().unwrap_or(Strictness::One);
                most <= against.strictness.unwrap() && (against.announcement || !plain.announcement)
            };
            let read: Vec<Rule> = of_place()
                .filter(|terms| terms.media.is_empty() || terms.media.contains(&one))
                .map(|terms| {
                    // The row has outrun it.
                    if !stands_in(terms) {
                        return plain.clone();
                    }
                    let asks = Rule::read(&terms.asks).strictness;
                    if !terms.purposes.is_empty() {
                        let mut rule = plain.clone();
                        rule.form_for.retain(|(purpose, _)| !terms.purposes.holds(*purpose));
                        rule.form_for.extend(terms.purposes.iter().map(|purpose| (purpose, asks.unwrap())));
                        return rule;
                    }
                    Rule {
                        strictness: asks,
                        form_for: Vec::new(),
                        announcement: terms.asks.announcement_must_be_recorded,
                        waived_by_written: false,
                        tone: None,
                        works_agreement_is_express: false,
                        ..plain.clone()
                    }
                })
                .collect();
            if read.is_empty() || is_over {
                rules.push(plain.clone());
            }
            rules.extend(read);
        }
        rules
    }
}

impl Asks {
    fn written(row: &toml::Table) -> Asks {
        let media = ["telephone", "voip", "video"]
            .map(|medium| section(row, "media").and_then(|all| section(all, medium)));
        let voicemail = section(row, "voicemail");
        let on_hold = match row.get("on_hold").map(|word| word.as_str().unwrap()) {
            None => 1,
            Some("not-counted") => 0,
            Some("counted") => 2,
            Some(_) => 3,
        };
        let mut asks = Asks {
            conversation: media.map(|medium| Rule::of(&[Some(row), medium])),
            voicemail: media.map(|medium| {
                let mut rule = Rule::of(&[Some(row), medium, voicemail]);
                // The greeting is the prompt.
                rule.says.extend(voicemail.map(|_| (Element::Recording, None)));
                rule
            }),
            emergency: match section(row, "public_safety") {
                Some(rule) => Rule::of(&[Some(rule)]),
                None => Rule { forbidden: true, ..Rule::default() },
            },
        };
        let recorded = asks.conversation.iter_mut().chain(&mut asks.voicemail).chain([&mut asks.emergency]);
        recorded.filter(|rule| !rule.forbidden).for_each(|rule| rule.on_hold = on_hold);
        asks
    }

    fn of(&self, medium: Medium, kind: Kind) -> Vec<&Rule> {
        let media = match kind {
            Kind::Conversation => &self.conversation,
            Kind::Voicemail => &self.voicemail,
            Kind::Emergency => return vec![&self.emergency],
        };
        match medium {
            Medium::Telephone => vec![&media[0]],
            Medium::Voip => vec![&media[1]],
            Medium::Video => vec![&media[2]],
            Medium::Unknown => media.iter().collect(),
        }
    }
}

impl Row {
    fn of(row: &toml::Table) -> Row {
        Row {
            code: text(row, "code").parse().unwrap(),
            days: Days::of(row),
            strictest: row.get("unknown_subdivision").is_some_and(|word| word.as_str() == Some("strictest")),
            asks: Asks::written(row),
        }
    }
}

impl Overlay {
    fn of(overlay: &toml::Table) -> Overlay {
        let is = |key: &str, word: &str| overlay.get(key).is_some_and(|value| value.as_str() == Some(word));
        let rule = Rule {
            purposes: words(overlay.get("purposes")).iter().map(|word| purpose(word)).collect(),
            mandatory: is("recording", "mandatory"),
            forbidden: is("recording", "forbidden"),
            pauses: is("pause_for", "card-data"),
            ..Rule::of(&[Some(overlay)])
        };
        Overlay { id: text(overlay, "id"), days: Days::of(overlay), rule }
    }
}

impl Days {
    fn of(row: &toml::Table) -> Days {
        let day = |key| row.get(key).map(|day| day.as_datetime().unwrap().to_string());
        Days {
            from: day("effective_from").unwrap_or_default(),
            to: day("effective_to").unwrap_or("9999".into()),
        }
    }

    fn hold(&self, day: &str) -> bool {
        (self.from.as_str()..=self.to.as_str()).contains(&day)
    }
}

impl Rule {
    /// What a reading asks by itself.
    fn read(asks: &policy::reading::Asks) -> Rule {
        let strictness = match (asks.parties, asks.form) {
            (Parties::One, _) => Strictness::One,
            (Parties::All, Form::Express) => Strictness::Express,
            (Parties::All, _) => Strictness::Notice,
        };
        let announcement = asks.announcement_must_be_recorded;
        Rule { strictness: Some(strictness), announcement, ..Rule::default() }
    }

    fn of(layers: &[Option<&toml::Table>]) -> Rule {
        let last = |path: &[&str]| -> Option<toml::Value> {
            layers.iter().rev().find_map(|layer| {
                let (key, sections) = path.split_last()?;
                sections.iter().try_fold((*layer)?, |table, name| section(table, name))?.get(*key).cloned()
            })
        };
        let flag = |key: &str| last(&[key]).is_some_and(|value| value.as_bool().unwrap());
        let length = |key: &str| last(&["retention", key]).map(|value| Length::of(value.as_str().unwrap()));
        let elements = |path: &[&str], purpose: Option<Purpose>| -> Vec<(Element, Option<Purpose>)> {
            let found = words(last(path).as_ref());
            found.iter().map(|word| (element(word), purpose)).collect()
        };
        let mut says = elements(&["prompt_says"], None);
        let (mut form_for, mut forbids) = (Vec::new(), Vec::new());
        // Whatever has a form of its own takes over none for a purpose.
        let has_form = |layer: &Option<&toml::Table>| layer.is_some_and(|layer| layer.contains_key("form"));
        let formed = &layers[layers.iter().rposition(has_form).unwrap_or(0)..];
        for purpose in Purpose::ALL {
            says.extend(elements(&["prompt_says_for", purpose.as_str()], Some(purpose)));
            let found = formed.iter().rev().flatten().find_map(|layer| {
                section(layer, "form_for")?.get(purpose.as_str()).map(|word| form(word.as_str().unwrap()))
            });
            form_for.extend(found.map(|strictness| (purpose, strictness)));
            for role in words(last(&["forbids", purpose.as_str()]).as_ref()) {
                forbids.extend(roles(&role).iter().map(|role| (purpose, *role)));
            }
        }
        Rule {
            strictness: last(&["form"]).map(|word| form(word.as_str().unwrap())),
            form_for,
            forbids,
            written_for: words(last(&["written_for"]).as_ref()).iter().map(|word| purpose(word)).collect(),
            announcement: flag("announcement_must_be_recorded"),
            waived_by_written: !words(last(&["announcement_waived_by"]).as_ref()).is_empty(),
            tone: last(&["tone_seconds"]).map(|value| value.as_integer().unwrap().try_into().unwrap()),
            works_agreement_is_express: flag("works_agreement_is_express"),
            says,
            kept: length("minimum"),
            gone: length("maximum"),
            ..Rule::default()
        }
    }
}

fn form(word: &str) -> Strictness {
    match word {
        "none" => Strictness::One,
        "notice" => Strictness::Notice,
        _ => Strictness::Express,
    }
}

fn roles(word: &str) -> &'static [Role] {
    match word {
        "customer" => &[Role::Customer],
        "agent" => &[Role::Agent],
        "system" => &[Role::System],
        _ => &[Role::Customer, Role::Agent, Role::System],
    }
}

impl Length {
    fn of(text: &str) -> Length {
        let (count, unit) = text.split_once(' ').unwrap();
        let count: u16 = count.parse().unwrap();
        match unit.trim_end_matches('s') {
            "day" => Length { count, months: false },
            "month" => Length { count, months: true },
            _ => Length { count: count * 12, months: true },
        }
    }

    /// A month is taken as a twelfth of the mean year.
    pub(crate) fn days(self) -> f64 {
        f64::from(self.count) * if self.months { 365.2425 / 12.0 } else { 1.0 }
    }
}

fn section<'t>(table: &'t toml::Table, key: &str) -> Option<&'t toml::Table> {
    table.get(key).map(|value| value.as_table().unwrap())
}

fn text(table: &toml::Table, key: &str) -> String {
    table.get(key).unwrap().as_str().unwrap().into()
}

fn words(list: Option<&toml::Value>) -> Vec<String> {
    let list = list.map(|list| list.as_array().unwrap().clone()).unwrap_or_default();
    list.iter().map(|word| word.as_str().unwrap().into()).collect()
}

fn element(word: &str) -> Element {
    Element::ALL.into_iter().find(|element| element.as_str() == word).unwrap()
}

fn purpose(word: &str) -> Purpose {
    Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == word).unwrap()
}
