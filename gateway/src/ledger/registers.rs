//! Compares what is registered in tables with the log.
//!
//! Somebody who can write to the database can change a row. So a row of a register is handed out only if the
//! log's entries commit to it ([`trail::registers`]): this process reads every register of a log once,
//! compares the sum with the newest entry that registers something, and from then on follows the log. A row
//! costs a hash and a look into memory whenever it is read, and about 150 bytes for as long as the process
//! runs.
//!
//! INVARIANT: a row counts only if it is the one in the log; a missing row is noticed by a row that names it,
//! or by the number of its register's rows.

mod known;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use known::Registers;

use super::sql::{Dialect, Pool, Statement, Value};
use super::{Change, Erase, LedgerError};
use trail::Leaf;
use trail::registers::{Registered, Sum, row};
use trail::tree::Hash;

/// Turns an engine's rows into rows of texts.
macro_rules! of_texts {
    ($rows:expr) => {
        $rows
            .iter()
            .map(|row| (0..sqlx::Row::len(row)).map(|index| sqlx::Row::try_get(row, index)).collect())
            .collect::<Result<Vec<Vec<Option<String>>>, sqlx::Error>>()
    };
}
pub(super) use of_texts;

/// Reads rows until they match the log, as far as this process has followed it.
macro_rules! committed {
    ($ledger:expr, $all_of:expr, $read:expr) => {{
        let (mut attempts, mut last) = (0usize, None);
        loop {
            let found = $read?;
            let Some(other) = $ledger.registers.hold(found.iter(), $all_of)? else { break Ok(found) };
            // Retries are counted per row: those of many logs may each have to be read for the first time.
            attempts = if last.as_ref() == Some(&other) { attempts.saturating_add(1) } else { 0 };
            if attempts >= $crate::ledger::registers::RETRIES {
                break Err($crate::ledger::registers::altered(&other.0, &other.1));
            }
            $ledger.follow_registers(&other.0).await?;
            last = Some(other);
        }
    }};
}
pub(super) use committed;

/// A table whose every row is committed to.
#[derive(Debug)]
pub(super) struct Register {
    /// What entries call it.
    pub(super) name: &'static str,
    from: &'static str,
    /// Which log it belongs to.
    log: &'static str,
    /// The condition that it belongs to this log.
    of_log: &'static str,
    /// What entries call the row: an id that the gateway minted.
    key: &'static str,
    /// What is committed to, as text.
    columns: &'static str,
}

/// A row of a register.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) log: String,
    pub(super) register: &'static str,
    pub(super) key: String,
}

/// Rows that a change is about.
#[derive(Debug)]
pub(super) struct Touch {
    register: &'static Register,
    filter: &'static str,
    values: Vec<Value>,
}

impl Touch {
    fn new(register: &'static Register, filter: &'static str) -> Touch {
        Touch { register, filter, values: Vec::new() }
    }

    fn bind(mut self, value: impl Into<Value>) -> Touch {
        self.values.push(value.into());
        self
    }

    pub(super) fn select(&self) -> Statement {
        let Register { from, log, key, columns, .. } = self.register;
        let sql = format!("SELECT {log}, {key}, {columns} FROM {from} AND {}", self.filter);
        Statement { sql: sql.into(), values: self.values.clone() }
    }

    fn all_of(register: &'static Register, log: &str) -> Touch {
        Touch { register, filter: register.of_log, values: Vec::new() }.bind(log)
    }

    /// The rows that it selects, from an answer.
    pub(super) fn rows(&self, answered: Vec<Vec<Option<String>>>) -> Result<Vec<(Place, Hash)>, LedgerError> {
        rows(answered, self.register)
    }
}

fn rows(
    answered: Vec<Vec<Option<String>>>,
    register: &'static Register,
) -> Result<Vec<(Place, Hash)>, LedgerError> {
    let read = |mut row: Vec<Option<String>>| {
        let damaged = || LedgerError::Damaged(format!("a row of `{}` without its key", register.name));
        let columns = row.split_off(row.len().min(2));
        let mut names = row.into_iter().flatten();
        let (log, key) = (names.next().ok_or_else(damaged)?, names.next().ok_or_else(damaged)?);
        Ok((Place { log, register: register.name, key }, hashed(register.name, &columns)?))
    };
    answered.into_iter().map(read).collect()
}

/// Every row of every register of a log.
pub(super) fn everything(log: &str) -> impl Iterator<Item = Touch> {
    REGISTERS.iter().map(move |register| Touch::all_of(register, log))
}

/// The rows of registers that a change is about. A new kind of change has to be handled here.
pub(super) fn touches(change: &Change) -> Option<Touch> {
    let [
        account,
        alias,
        credential,
        key,
        prompt,
        grant,
        hold,
        person,
        confirmed,
        version,
        proposal,
        wide,
        erasure,
        settings,
        reading,
        allowance,
    ] = &REGISTERS;
    Some(match change {
        Change::Account { id, .. }
        | Change::AccountSettings { id, .. }
        | Change::AccountPlaces { id, .. }
        | Change::AccountProvisioner { id, .. } => Touch::new(account, "id = ?").bind(id),
        Change::AccountAlias { uid, .. } => Touch::new(alias, "uid = ?").bind(uid),
        Change::DropAccountAlias { uid } => Touch::new(alias, "uid = ?").bind(uid),
        Change::Credential { username, .. }
        | Change::RevokeCredential { username, .. }
        | Change::SetCredential { username, .. }
        | Change::RotateCredential { username, .. } => Touch::new(credential, "username = ?").bind(username),
        Change::Key { id, account, .. } | Change::RetireKey { id, account, .. } => {
            Touch::new(key, "account = ? AND id = ?").bind(account).bind(id)
        }
        // The previous version is superseded.
        Change::Prompt { account, id, version, .. } => {
            let filter = "account = ? AND id = ? AND version >= ?";
            Touch::new(prompt, filter).bind(account).bind(id).bind(version.saturating_sub(1))
        }
        Change::Grant { account, id, .. } | Change::WithdrawGrant { account, id, .. } => {
            Touch::new(grant, "account = ? AND id = ?").bind(account).bind(id)
        }
        Change::Erase(Erase::Grant { account, id, as_id, .. }) => {
            Touch::new(grant, "account = ? AND id IN (?, ?)").bind(account).bind(id).bind(as_id)
        }
        Change::Hold { id, .. } => Touch::new(hold, "id = ?").bind(id),
        Change::SetHold { row } => Touch::new(wide, "uid = ?").bind(&row.uid),
        Change::LiftHold { uid } => Touch::new(wide, "uid = ?").bind(uid),
        Change::WaitingErasure { row } => Touch::new(erasure, "uid = ?").bind(&row.uid),
        Change::ErasureDone { uid } => Touch::new(erasure, "uid = ?").bind(uid),
        Change::Person { id, .. } => Touch::new(person, "id = ?").bind(id),
        Change::ConfirmPerson { person, by, .. } => {
            Touch::new(confirmed, "person = ? AND confirmer = ?").bind(person).bind(by)
        }
        Change::TableVersion { version: number, .. } => Touch::new(version, "version = ?").bind(*number),
        Change::RecordingSettings { account, .. } => Touch::new(settings, "account = ?").bind(account),
        Change::Proposal { row } => Touch::new(proposal, "uid = ?").bind(&row.uid),
        Change::AdoptProposal { uid, .. } | Change::DecideProposal { uid, .. } => {
            Touch::new(proposal, "uid = ?").bind(uid)
        }
        Change::Reading { row } => {
            Touch::new(reading, "account = ? AND id = ?").bind(&row.account).bind(&row.id)
        }
        Change::ApproveReading { account, id, .. }
        | Change::ProposeReadingEnd { account, id, .. }
        | Change::EndReading { account, id, .. } => {
            Touch::new(reading, "account = ? AND id = ?").bind(account).bind(id)
        }
        Change::AllowReadings { row } => {
            Touch::new(allowance, "account = ? AND code = ?").bind(&row.account).bind(&row.code)
        }
        Change::DisallowReadings { account, code } => {
            Touch::new(allowance, "account = ? AND code = ?").bind(account).bind(code)
        }
        Change::Call { .. }
        | Change::CallEnded { .. }
        | Change::Participant { .. }
        | Change::SentEvent { .. }
        | Change::Recording { .. }
        | Change::Enveloped { .. }
        | Change::DeleteRecording { .. }
        | Change::RestrictCall { .. }
        | Change::Quarantine { .. }
        | Change::QuarantineEnded { .. }
        | Change::QuarantineSwept { .. }
        | Change::ForgetQuarantine { .. }
        | Change::Swept { .. }
        | Change::Subject { .. }
        | Change::Probe { .. }
        | Change::Checkpoint { .. }
        | Change::Anchor { .. }
        | Change::CloseLog { .. }
        | Change::Mark { .. }
        | Change::Secret { .. }
        | Change::Unmark { .. }
        | Change::Notification { .. }
        | Change::NotificationTried { .. }
        | Change::NotificationDone { .. }
        | Change::NotificationsForgotten { .. }
        | Change::Recommit { .. }
        | Change::Restrictions { .. }
        | Change::Erase(
            Erase::Log { .. }
            | Erase::Entries { .. }
            | Erase::Tree { .. }
            | Erase::Subject { .. }
            | Erase::Call { .. }
            | Erase::Participant { .. }
            | Erase::Mentioned { .. }
            | Erase::Detail { .. },
        )
        // A text is compared with its digest; what was offered last decides nothing.
        | Change::Table { .. }
        | Change::TableSource { .. } => return None,
    })
}

/// How the registers of the logs change within a group.
#[derive(Debug, Default)]
pub(super) struct Sums {
    logs: BTreeMap<String, Sum>,
    /// Those whose sum was recomputed, which no entry says yet.
    anew: BTreeSet<String>,
    /// The place of the newest entry of each that registers something, to be written at the group's end.
    places: BTreeMap<String, (i64, i64)>,
}

impl Sums {
    pub(super) fn knows(&self, log: &str) -> bool {
        self.logs.contains_key(log)
    }

    /// Takes the stored sum of a log; false if the newest entry does not commit to it, or that entry is older
    /// than one that this process has heard of.
    pub(super) fn answered(
        &mut self,
        log: &str,
        kept: &[Vec<Option<String>>],
        heard: Option<(i64, i64)>,
    ) -> bool {
        // An unreadable entry vouches for nothing.
        let sum = match (kept.first(), read_newest(log, kept).ok().flatten()) {
            (None, _) if heard.is_none() => Some(Sum::default()),
            (Some(kept), Some((place, registered))) if heard.is_none_or(|heard| place >= heard) => {
                let sum = kept.last().and_then(|text| Sum::read(text.as_ref()?));
                sum.filter(|sum| sum.commitment() == registered.sum)
            }
            _ => None,
        };
        let is_sound = sum.is_some();
        self.logs.extend(sum.map(|sum| (log.to_owned(), sum)));
        is_sound
    }

    /// What an entry says whose job has changed these rows of a log.
    pub(super) fn change(
        &mut self,
        log: &str,
        before: &BTreeMap<Place, Hash>,
        after: &BTreeMap<Place, Hash>,
    ) -> Registered {
        let sum = self.logs.entry(log.to_owned()).or_default();
        let places: BTreeSet<&Place> =
            before.keys().chain(after.keys()).filter(|place| place.log == log).collect();
        let mut rows = Vec::new();
        for place in places {
            let (old, new) = (before.get(place), after.get(place));
            if old != new {
                old.iter().for_each(|old| sum.remove(old));
                new.iter().for_each(|new| sum.add(new));
                let text = new.map(|hash| trail::hex(hash));
                rows.push((place.register.to_owned(), place.key.clone(), text));
            }
        }
        // Processes that follow the log must read a recomputed sum's rows again.
        let few = rows.len() <= ROWS && !self.anew.remove(log);
        Registered { sum: sum.commitment(), rows: few.then_some(rows) }
    }

    /// Recomputes a log's sum from these rows.
    pub(super) fn reckon(&mut self, log: &str, rows: impl Iterator<Item = Hash>) {
        let mut sum = Sum::default();
        rows.for_each(|row| sum.add(&row));
        self.logs.insert(log.to_owned(), sum);
        self.anew.insert(log.to_owned());
    }

    pub(super) fn registered(&mut self, log: &str, place: (i64, i64)) {
        self.places.insert(log.to_owned(), place);
    }

    /// The places of the newest entries that register something, by log.
    pub(super) fn places(self) -> Vec<(String, (i64, i64))> {
        self.places.into_iter().collect()
    }

    pub(super) fn statements(&self) -> Vec<Statement> {
        let written = |(log, (epoch, seq)): (&String, &(i64, i64))| {
            Statement::new(
                "INSERT INTO register (log, epoch, seq, sum) VALUES (?, ?, ?, ?) ON CONFLICT (log) DO UPDATE \
                 SET epoch = excluded.epoch, seq = excluded.seq, sum = excluded.sum",
            )
            .bind(log)
            .bind(*epoch)
            .bind(*seq)
            .bind(self.logs.get(log).cloned().unwrap_or_default().text())
        };
        self.places.iter().map(written).collect()
    }
}

pub(super) fn altered(log: &str, what: &str) -> LedgerError {
    LedgerError::Altered(format!(
        "what is registered of `{log}` is not what its log says, and is not used: {what}. Somebody changed it in the database"
    ))
}

fn hashed(register: &str, columns: &[Option<String>]) -> Result<Hash, LedgerError> {
    row(register, columns).map_err(|error| LedgerError::Damaged(error.to_string()))
}

fn parse_hash(text: &str) -> Option<Hash> {
    trail::registers::unhex(text)?.try_into().ok()
}

fn read_entry(log: &str, entry: &[Option<String>]) -> Result<((i64, i64), Option<Registered>), LedgerError> {
    let damaged = || LedgerError::Damaged(format!("an entry of the log `{log}` cannot be read"));
    let [Some(epoch), Some(seq), Some(leaf)] = entry else { return Err(damaged()) };
    let leaf: Leaf = serde_json::from_str(leaf).map_err(|_| damaged())?;
    Ok(((epoch.parse().map_err(|_| damaged())?, seq.parse().map_err(|_| damaged())?), leaf.register))
}

/// The epoch and index of an entry, and what it registers.
type Said = ((i64, i64), Registered);

/// Asks for the newest entry of a log that registers something, and for the stored sum.
pub(super) fn newest(log: &str, dialect: Dialect) -> Statement {
    let sql = format!(
        "SELECT CAST(register.epoch AS TEXT), CAST(register.seq AS TEXT), {}, register.sum FROM register \
         LEFT JOIN entry ON entry.log = register.log AND entry.epoch = register.epoch AND entry.seq = register.seq \
         WHERE register.log = ?",
        leaf_as_text(dialect)
    );
    Statement { sql: sql.into(), values: Vec::new() }.bind(log)
}

/// Reads the answer to [`newest`]; `None` if there is no such entry.
fn read_newest(log: &str, rows: &[Vec<Option<String>>]) -> Result<Option<Said>, LedgerError> {
    match rows.first().map(Vec::as_slice) {
        Some([epoch, seq, Some(leaf), _]) => {
            let (place, registered) = read_entry(log, &[epoch.clone(), seq.clone(), Some(leaf.clone())])?;
            Ok(registered.map(|registered| (place, registered)))
        }
        _ => Ok(None),
    }
}

fn leaf_as_text(dialect: Dialect) -> &'static str {
    dialect.pick("CAST(entry.leaf AS TEXT)", "convert_from(entry.leaf, 'UTF8')")
}

/// Asks for rows of texts.
async fn texts(pool: &Pool, statement: Statement) -> Result<Vec<Vec<Option<String>>>, LedgerError> {
    Ok(match pool {
        Pool::Sqlite(pool, _) => {
            let (sql, bound) = statement.for_sqlite()?;
            of_texts!(sqlx::query_with(sql, bound).fetch_all(pool).await?)?
        }
        Pool::Postgres(pool) => {
            let (sql, bound) = statement.for_postgres()?;
            of_texts!(sqlx::query_with(sql, bound).fetch_all(pool).await?)?
        }
    })
}

/// The registers, and the columns that are committed to.
static REGISTERS: [Register; 16] = [
    Register {
        name: "account",
        // The system's own account has no settings, and never changes.
        from: "account WHERE id <> 'system'",
        log: "id",
        of_log: "id = ?",
        // There is one row per log, and its id is an outsider's word.
        key: "CAST('account' AS TEXT)",
        columns: "id, operator_location, recorder_location, settings, provisioner, CAST(created_at AS TEXT)",
    },
    Register {
        name: "alias",
        from: "account_alias WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "uid",
        columns: "folded, alias, account, uid, CAST(added_at AS TEXT), salt",
    },
    Register {
        name: "credential",
        from: "credential WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "username",
        // Its hash cannot be guessed, and salts the other columns.
        columns: "username, account, role, name, person, provisioner, hash, coverage, on_refusal, CAST(quarantine_seconds AS TEXT), CAST(created_at AS TEXT), CAST(revoked_at AS TEXT)",
    },
    Register {
        name: "key",
        from: "public_key WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "id",
        columns: "id, account, pem, CAST(added_at AS TEXT), CAST(retired_at AS TEXT)",
    },
    Register {
        name: "prompt",
        from: "prompt WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "uid",
        columns: "account, id, CAST(version AS TEXT), uid, document, CAST(created_at AS TEXT), \
                  CAST(superseded_at AS TEXT), salt",
    },
    Register {
        name: "consent-grant",
        from: "consent_grant WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "uid",
        columns: "account, id, uid, document, CAST(created_at AS TEXT), CAST(withdrawn_at AS TEXT), salt",
    },
    Register {
        name: "hold",
        from: "recording WHERE held",
        log: "account",
        of_log: "account = ?",
        key: "id",
        columns: "id",
    },
    Register {
        name: "person",
        from: "person WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "id",
        columns: "id, account, folded, name, CASE WHEN founding THEN '1' ELSE '0' END, CAST(enrolled_at AS TEXT), salt",
    },
    Register {
        name: "confirmation",
        from: "person_confirmed WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "person || '/' || confirmer",
        columns: "account, person, confirmer, CAST(confirmed_at AS TEXT)",
    },
    Register {
        name: "version",
        from: "table_version WHERE TRUE",
        log: "CAST('system' AS TEXT)",
        of_log: "CAST('system' AS TEXT) = ?",
        key: "CAST(version AS TEXT)",
        columns: "CAST(version AS TEXT), digest, CAST(in_force_at AS TEXT), document, salt",
    },
    Register {
        name: "proposal",
        from: "proposal WHERE TRUE",
        log: "CAST('system' AS TEXT)",
        of_log: "CAST('system' AS TEXT) = ?",
        key: "uid",
        columns: "uid, digest, base, state, credential, person, document, CAST(proposed_at AS TEXT), \
                  CAST(expires_at AS TEXT), CAST(decided_at AS TEXT), decision, salt",
    },
    Register {
        name: "legal-hold",
        from: "legal_hold WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "uid",
        columns: "uid, account, id, recording, call, subject, participant, CAST(recorded_from AS TEXT), \
                  CAST(recorded_until AS TEXT), document, CAST(set_at AS TEXT), salt",
    },
    Register {
        name: "waiting-erasure",
        from: "waiting_erasure WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "uid",
        columns: "uid, account, document, CAST(asked_at AS TEXT), salt",
    },
    Register {
        name: "recording-settings",
        from: "recording_settings WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        // There is one row per log, and its account's id is an outsider's word.
        key: "CAST('recording-settings' AS TEXT)",
        columns: "account, document, CAST(set_at AS TEXT), salt",
    },
    Register {
        name: "reading",
        from: "reading WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "id",
        columns: "account, id, code, document, credential, person, CAST(proposed_at AS TEXT), approver, \
                  CAST(in_force_at AS TEXT), end_proposer, CAST(end_proposed_at AS TEXT), \
                  CAST(ended_at AS TEXT), decision, salt",
    },
    Register {
        name: "reading-allowance",
        from: "reading_allowance WHERE TRUE",
        log: "account",
        of_log: "account = ?",
        key: "code",
        columns: "account, code, document, CAST(allowed_at AS TEXT), salt",
    },
];

/// The types of entries that register something.
const KINDS: [&str; 37] = [
    "account.added",
    "account.alias",
    "account.alias-removed",
    "account.format",
    "account.law",
    "account.provisioner",
    "account.recording-settings",
    "account.settings",
    "account.webhook",
    "consent-grant.registered",
    "consent-grant.withdrawn",
    "credential.added",
    "credential.revoked",
    "credential.rotated",
    "credential.set",
    "erasure.executed",
    "erasure.waiting",
    "hold.lifted",
    "hold.set",
    "key.added",
    "key.retired",
    "log.opened",
    "person.confirmed",
    "person.enrolled",
    "prompt.registered",
    "reading.allowed",
    "reading.approved",
    "reading.disallowed",
    "reading.end-proposed",
    "reading.ended",
    "reading.in-force",
    "reading.proposed",
    // An erasure removes the person's grants.
    "recording.deleted",
    "recording.hold",
    "table.in-force",
    "table.proposal-decided",
    "table.proposed",
];

/// The versions of the table.
pub(super) const VERSION: &str = "version";
/// How many rows an entry names at most; a leaf has 65,535 bytes.
const ROWS: usize = 256;
/// How often a row that does not match the log is read again, once the log was followed.
pub(super) const RETRIES: usize = 4;
