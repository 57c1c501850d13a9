//! Reading from the ledger.

use std::collections::BTreeSet;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::near::found;
use super::questions::json_list;
use super::registers::{RETRIES, VERSION, altered, committed};
use super::rows::select_call;
use super::sql::{Dialect, Pool, ask, ask_here};
use super::{
    AccountRow, AliasRow, CallRow, ConfirmedRow, CredentialRow, GrantRow, History, KeyRow, LeafRow, Ledger,
    LedgerError, ParticipantRow, PersonRow, PromptRow, ProposalRow, ReadingAllowanceRow, ReadingRow,
    RecordingRow, RecordingSettingsRow, VersionRow, rows,
};
use trail::SYSTEM_LOG;

impl Ledger {
    pub(super) fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    /// An account.
    pub async fn account(&self, id: &str) -> Result<Option<AccountRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(
                &self.pool,
                query_as,
                fetch_optional,
                "SELECT id, operator_location, recorder_location, settings, provisioner, created_at FROM account WHERE id = ?",
                sought(id)
            )
        )
    }

    /// Every account but the system's own.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT id, operator_location, recorder_location, settings, provisioner, created_at FROM account WHERE id <> 'system' ORDER BY id"
            )
        )
    }

    /// A page of the accounts that a credential may provision, in the order of their ids.
    pub async fn accounts_of(
        &self,
        provisioner: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AccountRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT id, operator_location, recorder_location, settings, provisioner, created_at FROM account \
                 WHERE provisioner = ? AND id > ? ORDER BY id LIMIT ?",
                provisioner,
                sought(after),
                i64::from(limit)
            )
        )
    }

    /// Another name of an account.
    pub async fn alias(&self, alias: &str) -> Result<Option<AliasRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(
                &self.pool,
                query_as,
                fetch_optional,
                "SELECT folded, alias, account, uid, added_at, salt FROM account_alias WHERE folded = ? AND alias = ?",
                sought(&alias.to_ascii_lowercase()),
                sought(alias)
            )
        )
    }

    /// The other names of an account.
    pub async fn aliases(&self, account: &str) -> Result<Vec<AliasRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT folded, alias, account, uid, added_at, salt FROM account_alias WHERE account = ? ORDER BY folded",
                account
            )
        )
    }

    /// A credential that is not revoked.
    pub async fn credential(&self, username: &str) -> Result<Option<CredentialRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(
                &self.pool,
                query_as,
                fetch_optional,
                "SELECT username, account, role, name, person, provisioner, hash, coverage, on_refusal, quarantine_seconds, created_at, revoked_at FROM credential WHERE username = ? AND revoked_at IS NULL",
                sought(username)
            )
        )
    }

    /// The credentials of an account, revoked ones included.
    pub async fn credentials(&self, account: &str) -> Result<Vec<CredentialRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT username, account, role, name, person, provisioner, hash, coverage, on_refusal, quarantine_seconds, created_at, revoked_at FROM credential WHERE account = ? ORDER BY created_at, username",
                account
            )
        )
    }

    /// The keys of an account, retired ones included.
    pub async fn keys(&self, account: &str) -> Result<Vec<KeyRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask_here!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT id, account, pem, added_at, retired_at FROM public_key WHERE account = ? ORDER BY added_at, id",
                account
            )
        )
    }

    /// The newest version of a prompt. It is compared with the log as one that nothing has superseded, which
    /// shows if a newer one was removed.
    pub async fn prompt(&self, account: &str, id: &str) -> Result<Option<PromptRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(
                &self.pool,
                query_as,
                fetch_optional,
                "SELECT account, id, version, uid, document, created_at, CAST(NULL AS BIGINT) AS superseded_at, salt FROM prompt \
             WHERE account = ? AND id = ? ORDER BY version DESC LIMIT 1",
                account,
                sought(id)
            )
        )
    }

    /// The newest version of every prompt of an account, as [`Ledger::prompt`].
    pub async fn prompts(&self, account: &str) -> Result<Vec<PromptRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT account, id, version, uid, document, created_at, CAST(NULL AS BIGINT) AS superseded_at, salt FROM prompt WHERE account = ? AND version = \
             (SELECT max(version) FROM prompt AS other WHERE other.account = prompt.account AND other.id = prompt.id) \
             ORDER BY id",
                account
            )
        )
    }

    /// A consent grant.
    pub async fn grant(&self, account: &str, id: &str) -> Result<Option<GrantRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(
                &self.pool,
                query_as,
                fetch_optional,
                "SELECT account, id, uid, document, created_at, withdrawn_at, salt FROM consent_grant WHERE account = ? AND id = ?",
                account,
                sought(id)
            )
        )
    }

    /// The recording settings of an account, if it has set any.
    pub async fn recording_settings(
        &self,
        account: &str,
    ) -> Result<Option<RecordingSettingsRow>, LedgerError> {
        let found: Result<Vec<RecordingSettingsRow>, LedgerError> = committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT account, document, set_at, salt FROM recording_settings WHERE account = ?",
                account
            )
        );
        Ok(found?.pop())
    }

    /// The newest call of this id or alias.
    pub async fn call_by_name(&self, account: &str, name: &str) -> Result<Option<CallRow>, LedgerError> {
        ask_here!(
            &self.pool,
            query_as,
            fetch_optional,
            select_call!(
                "FROM call_name JOIN call ON call.uid = call_name.call WHERE call_name.account = ? AND call_name.name = ?"
            ),
            account,
            sought(name)
        )
    }

    /// The newest call of this id that was opened at `at` or before, in milliseconds.
    pub async fn call_at(&self, account: &str, id: &str, at: i64) -> Result<Option<CallRow>, LedgerError> {
        ask_here!(
            &self.pool,
            query_as,
            fetch_optional,
            select_call!(
                "FROM call \
             WHERE account = ? AND id = ? AND opened_at <= ? ORDER BY opened_at DESC LIMIT 1"
            ),
            account,
            sought(id),
            at
        )
    }

    /// The marks of all running gateways: their ids, and when each was last well.
    pub async fn marks(&self) -> Result<Vec<(String, i64)>, LedgerError> {
        Ok(ask!(&self.pool, query_as, fetch_all, "SELECT id, well_at FROM mark ORDER BY id")?)
    }

    /// The secrets that the ledger is written with: their files and the marks that recognize them.
    pub async fn secrets(&self) -> Result<Vec<(String, Vec<u8>)>, LedgerError> {
        Ok(ask!(&self.pool, query_as, fetch_all, "SELECT name, mark FROM secret ORDER BY name")?)
    }

    /// The calls of this id that were opened after `opened_at`, in milliseconds, the oldest first.
    pub async fn calls_since(
        &self,
        account: &str,
        id: &str,
        opened_at: i64,
    ) -> Result<Vec<CallRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_call!(
                "FROM call \
             WHERE account = ? AND id = ? AND opened_at > ? ORDER BY opened_at LIMIT 256"
            ),
            account,
            sought(id),
            opened_at
        )?)
    }

    /// Every call that ever had this name, as its id or as an alias, the oldest first. Aliases are only in
    /// the request that opened a call, so every call of the account is read.
    pub async fn calls_named(&self, account: &str, name: &str) -> Result<Vec<CallRow>, LedgerError> {
        let sql = self.dialect().pick(
            select_call!("FROM call WHERE account = ? AND (id = ? OR \
             EXISTS (SELECT 1 FROM json_each(body, '$.aliases') WHERE value = ?)) ORDER BY opened_at, uid"),
            select_call!("FROM call WHERE account = ? AND (id = ? OR \
             EXISTS (SELECT 1 FROM json_array_elements_text(CAST(body AS json) -> 'aliases') AS alias WHERE alias = ?)) \
             ORDER BY opened_at, uid"),
        );
        let name = sought(name);
        Ok(ask!(&self.pool, query_as, fetch_all, sql, account, name, name)?)
    }

    /// Whether a recording of a call was ever accepted.
    pub async fn has_recordings(&self, call: Uuid) -> Result<bool, LedgerError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM recording WHERE call = ?)";
        ask_here!(&self.pool, query_scalar, fetch_one, sql, call.to_string())
    }

    /// A call by the gateway's own id.
    pub async fn call(&self, uid: Uuid) -> Result<Option<CallRow>, LedgerError> {
        ask_here!(
            &self.pool,
            query_as,
            fetch_optional,
            select_call!("FROM call WHERE uid = ?"),
            uid.to_string()
        )
    }

    /// The open calls in which somebody named this grant.
    pub async fn calls_with_grant(&self, account: &str, grant: &str) -> Result<Vec<CallRow>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_as,
            fetch_all,
            select_call!(
                "FROM call WHERE uid IN (SELECT call FROM participant WHERE consent_grant = ?) \
             AND account = ? AND ended_at IS NULL"
            ),
            sought(grant),
            account
        )?)
    }

    /// What a call is folded from: its leaves and the log's gaps, in the order of the log, and its
    /// participants.
    pub async fn history(&self, call: Uuid) -> Result<(Vec<LeafRow>, Vec<ParticipantRow>), LedgerError> {
        let call = call.to_string();
        let rows: Vec<HistoryRow> =
            ask_here!(&self.pool, query_as, fetch_all, HISTORY, &call, &call, &call, &call)?;
        let (mut leaves, mut names) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            match (row.leaf, row.id) {
                (Some(leaf), _) => leaves.push(LeafRow { epoch: row.epoch, seq: row.seq, leaf }),
                (None, Some(id)) => names.push(ParticipantRow {
                    participant: row.seq,
                    id,
                    number: row.number,
                    ip: row.ip,
                    consent_grant: row.consent_grant,
                }),
                (None, None) => return Err(LedgerError::Damaged("a participant without an id".into())),
            }
        }
        Ok((leaves, names))
    }

    /// Whether the sender's event id was seen on this call, and the digest of what it said.
    pub async fn sent_event(&self, call: Uuid, id: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        ask_here!(
            &self.pool,
            query_scalar,
            fetch_optional,
            "SELECT digest FROM sent_event WHERE call = ? AND id = ?",
            call.to_string(),
            sought(id)
        )
    }

    /// Whether a call has a recording of this name, deleted or not, and whether its account has a key
    /// to seal for.
    pub async fn before_upload(
        &self,
        account: &str,
        call: Uuid,
        name: &str,
    ) -> Result<(bool, bool), LedgerError> {
        ask_here!(
            &self.pool,
            query_as,
            fetch_one,
            "SELECT EXISTS (SELECT 1 FROM recording WHERE call = ? AND name = ?), \
             EXISTS (SELECT 1 FROM public_key WHERE account = ? AND retired_at IS NULL)",
            call.to_string(),
            sought(name),
            account
        )
    }

    /// A recording by its id.
    pub async fn recording(&self, account: &str, id: Uuid) -> Result<Option<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(&self.pool, query_as, fetch_optional, rows::RECORDING_BY_ID, account, id.to_string())
        )
    }

    /// A recording by its call and name.
    pub async fn recording_by_name(
        &self,
        call: Uuid,
        name: &str,
    ) -> Result<Option<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask_here!(
                &self.pool,
                query_as,
                fetch_optional,
                rows::RECORDING_BY_NAME,
                call.to_string(),
                sought(name)
            )
        )
    }

    /// A page of an account's recordings that are not deleted, in the order of their acceptance.
    pub async fn recordings(
        &self,
        account: &str,
        call: Option<Uuid>,
        uploader: Option<&str>,
        after: (i64, String),
        limit: u32,
    ) -> Result<Vec<RecordingRow>, LedgerError> {
        let which = Which { call, uploader: uploader.map(ToOwned::to_owned), ..Which::default() };
        self.recordings_which(account, &which, after, limit).await
    }

    /// A page of those recordings that match.
    pub async fn recordings_which(
        &self,
        account: &str,
        which: &Which,
        after: (i64, String),
        limit: u32,
    ) -> Result<Vec<RecordingRow>, LedgerError> {
        let Which { call, uploader, from, until, participant, purpose } = which;
        let call = call.map(|call| call.to_string());
        let (participant, purpose) = (participant.as_deref().map(sought), purpose.as_deref().map(sought));
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                self.dialect().pick(rows::RECORDINGS.0, rows::RECORDINGS.1),
                account,
                after.0,
                sought(&after.1),
                &call,
                &call,
                uploader,
                uploader,
                from.unwrap_or(i64::MIN),
                until.unwrap_or(i64::MAX),
                participant,
                participant,
                purpose,
                purpose,
                i64::from(limit)
            )
        )
    }

    /// A page of the recordings whose acceptance or deletion was cut short by a crash, by their ids.
    pub async fn unfinished(&self, after: Uuid, limit: u32) -> Result<Vec<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                self.dialect().pick(rows::UNFINISHED.0, rows::UNFINISHED.1),
                after.to_string(),
                i64::from(limit)
            )
        )
    }

    /// A page of recordings that had to be deleted by `now`, without those under a hold, behind this place.
    pub async fn due(
        &self,
        now: i64,
        after: (i64, String),
        limit: u32,
    ) -> Result<Vec<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(&self.pool, query_as, fetch_all, rows::DUE, now, after.0, after.1.clone(), i64::from(limit))
        )
    }

    /// Recordings that are still kept after `now`, for as long as they have to be and not as long as they may be.
    pub async fn kept_too_long(&self, now: i64, limit: u32) -> Result<Vec<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(&self.pool, query_as, fetch_all, rows::KEPT_TOO_LONG, now, i64::from(limit))
        )
    }

    /// How many recordings had to be deleted by `now`, were they not under a hold.
    pub async fn due_but_held(&self, now: i64) -> Result<u64, LedgerError> {
        let count: i64 = ask!(&self.pool, query_scalar, fetch_one, rows::DUE_BUT_HELD, now, now)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// A page of the recordings of all accounts that are not deleted, by their ids.
    pub async fn recordings_kept(&self, after: Uuid, limit: u32) -> Result<Vec<RecordingRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(&self.pool, query_as, fetch_all, rows::RECORDINGS_KEPT, after.to_string(), i64::from(limit))
        )
    }

    /// Those of these recordings that are known, deleted ones included.
    pub async fn recordings_by_id(&self, ids: &[Uuid]) -> Result<Vec<RecordingRow>, LedgerError> {
        let asked: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let (sql, asked) =
            (self.dialect().pick(rows::RECORDINGS_BY_ID.0, rows::RECORDINGS_BY_ID.1), json_list(&asked)?);
        committed!(self, None, ask!(&self.pool, query_as, fetch_all, sql, asked.as_str()))
    }

    /// Which of these media a recording names, or something in quarantine.
    pub async fn named_media(&self, media: &[Uuid]) -> Result<BTreeSet<Uuid>, LedgerError> {
        let asked: Vec<String> = media.iter().map(Uuid::to_string).collect();
        let sql = self.dialect().pick(
            "SELECT id FROM (SELECT id FROM recording UNION ALL SELECT id FROM quarantine WHERE ended_at IS NULL OR NOT swept) AS named \
             WHERE id IN (SELECT value FROM json_each(?))",
            "SELECT id FROM (SELECT id FROM recording UNION ALL SELECT id FROM quarantine WHERE ended_at IS NULL OR NOT swept) AS named \
             WHERE id IN (SELECT json_array_elements_text(CAST(? AS json)))",
        );
        let found: Vec<String> = ask!(&self.pool, query_scalar, fetch_all, sql, json_list(&asked)?)?;
        let read = |id: String| id.parse().map_err(|_| LedgerError::Damaged(format!("`{id}` is not an id")));
        found.into_iter().map(read).collect()
    }

    /// The sealed key of a subject.
    pub async fn subject(&self, tag: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        ask_here!(&self.pool, query_scalar, fetch_optional, "SELECT key FROM subject WHERE tag = ?", tag)
    }

    /// The version of the table that is in force; none before the first start.
    pub async fn law(&self) -> Result<Option<VersionRow>, LedgerError> {
        let sql = "SELECT version, digest, in_force_at, document, salt FROM table_version ORDER BY version DESC LIMIT 1";
        let mut next = String::new();
        for _ in 0..=RETRIES {
            let found: Option<VersionRow> =
                committed!(self, None, ask!(&self.pool, query_as, fetch_optional, sql))?;
            next = found.as_ref().map_or(1, |found| found.version.saturating_add(1)).to_string();
            if self.registers.knows(SYSTEM_LOG, VERSION, &next)? == Some(false) {
                return Ok(found);
            }
            // Another process may have made it since, or somebody has removed it.
            self.follow_registers(SYSTEM_LOG).await?;
        }
        Err(altered(SYSTEM_LOG, &format!("version {next} of the table is missing")))
    }

    /// Every version of the table, the newest first.
    pub async fn versions(&self) -> Result<Vec<VersionRow>, LedgerError> {
        committed!(
            self,
            Some(SYSTEM_LOG),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT version, digest, in_force_at, document, salt FROM table_version ORDER BY version DESC"
            )
        )
    }

    /// The text of a table.
    pub async fn table(&self, digest: &str) -> Result<Option<String>, LedgerError> {
        let text: Option<String> = ask!(
            &self.pool,
            query_scalar,
            fetch_optional,
            "SELECT text FROM jurisdiction_table WHERE digest = ?",
            sought(digest)
        )?;
        text.map(|text| of_digest(digest, text)).transpose()
    }

    /// Every table that ever decided: its digest and its text.
    pub async fn tables(&self) -> Result<Vec<(String, String)>, LedgerError> {
        let sql = "SELECT digest, text FROM jurisdiction_table ORDER BY digest";
        let rows: Vec<(String, String)> = ask!(&self.pool, query_as, fetch_all, sql)?;
        let checked = |(digest, text): (String, String)| Ok((digest.clone(), of_digest(&digest, text)?));
        rows.into_iter().map(checked).collect()
    }

    /// The digest of the last table that this source has offered.
    pub async fn table_source(&self, origin: &str) -> Result<Option<String>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_optional,
            "SELECT digest FROM table_source WHERE origin = ?",
            origin
        )?)
    }

    /// Proposals, the newest first: all, or those that are open.
    pub async fn proposals(&self, open: bool) -> Result<Vec<ProposalRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT uid, digest, base, state, credential, person, document, proposed_at, expires_at, decided_at, decision, salt \
             FROM proposal WHERE state = 'open' OR NOT ? ORDER BY proposed_at DESC, uid",
                open
            )
        )
    }

    /// A proposal.
    pub async fn proposal(&self, uid: &str) -> Result<Option<ProposalRow>, LedgerError> {
        committed!(
            self,
            None,
            ask!(
                &self.pool,
                query_as,
                fetch_optional,
                "SELECT uid, digest, base, state, credential, person, document, proposed_at, expires_at, decided_at, decision, salt \
             FROM proposal WHERE uid = ?",
                sought(uid)
            )
        )
    }

    /// How an account reads the law: every reading it ever stated, the newest first.
    pub async fn readings(&self, account: &str) -> Result<Vec<ReadingRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT account, id, code, document, credential, person, proposed_at, approver, in_force_at, end_proposer, \
                 end_proposed_at, ended_at, decision, salt FROM reading WHERE account = ? ORDER BY proposed_at DESC, id",
                account
            )
        )
    }

    /// Where the law desk lets an account read the law otherwise, in the order of the places.
    pub async fn reading_allowances(&self, account: &str) -> Result<Vec<ReadingAllowanceRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT account, code, document, allowed_at, salt FROM reading_allowance WHERE account = ? ORDER BY code",
                account
            )
        )
    }

    /// How many entries of an account's log have reached calls that they are no entries of; `None` if there is no such
    /// account.
    pub async fn restrictions(&self, account: &str) -> Result<Option<i64>, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_optional,
            "SELECT restrictions FROM account WHERE id = ?",
            account
        )?)
    }

    /// The last moment in the system's log or the table's history.
    pub async fn last_of_law(&self) -> Result<i64, LedgerError> {
        Ok(ask!(
            &self.pool,
            query_scalar,
            fetch_one,
            "SELECT max(moment) FROM (SELECT in_force_at AS moment FROM table_version UNION ALL SELECT proposed_at FROM proposal \
             UNION ALL SELECT coalesce(decided_at, 0) FROM proposal UNION ALL SELECT 0) AS moments"
        )?)
    }

    /// How many calls there are that were opened at `from` or later, in milliseconds.
    pub async fn count_calls(&self, from: i64, account: Option<&str>) -> Result<u64, LedgerError> {
        let count: i64 = ask!(
            &self.pool,
            query_scalar,
            fetch_one,
            "SELECT count(*) FROM call WHERE opened_at >= ? AND (? IS NULL OR account = ?)",
            from,
            account,
            account
        )?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// These calls with all of their entries, as a stream, by account, the oldest first. Damaged leaves are
    /// not checked.
    pub fn histories<'l>(
        &'l self,
        from: i64,
        account: Option<&'l str>,
    ) -> BoxStream<'l, Result<History, LedgerError>> {
        let sql = self.dialect().pick(
            "SELECT call.uid, CAST((SELECT group_concat(CAST(leaf AS TEXT), char(10) ORDER BY epoch, seq) \
             FROM entry WHERE entry.call = call.uid) AS BLOB) AS leaves \
             FROM call WHERE opened_at >= ? AND (? IS NULL OR account = ?) ORDER BY account, opened_at, uid",
            // Sorted before their leaves are looked up, which would be sorted along.
            "SELECT call.uid, (SELECT string_agg(leaf, '\\x0a' ORDER BY epoch, seq) \
             FROM entry WHERE entry.call = call.uid) AS leaves \
             FROM (SELECT uid FROM call WHERE opened_at >= ? AND (? IS NULL OR account = ?) ORDER BY account, opened_at, uid) AS call",
        );
        let sql = self.dialect().write(sql);
        match &self.pool {
            Pool::Sqlite(pool, _) => sqlx::query_as(sql)
                .bind(from)
                .bind(account)
                .bind(account)
                .fetch(pool)
                .map_err(LedgerError::from)
                .boxed(),
            Pool::Postgres(pool) => sqlx::query_as(sql)
                .bind(from)
                .bind(account)
                .bind(account)
                .fetch(pool)
                .map_err(LedgerError::from)
                .boxed(),
        }
    }

    /// Which of these recordings are not deleted.
    pub async fn live_recordings(&self, ids: &[String]) -> Result<Vec<String>, LedgerError> {
        let ids = serde_json::to_string(ids).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        Ok(ask!(&self.pool, query_scalar, fetch_all, self.dialect().pick(
            "SELECT id FROM recording WHERE id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL",
            "SELECT id FROM recording WHERE id IN (SELECT json_array_elements_text(CAST(? AS json))) AND deleted_at IS NULL"), ids)?)
    }

    /// Everybody who was enrolled in an account, in the order of enrolment.
    pub async fn people(&self, account: &str) -> Result<Vec<PersonRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT id, account, folded, name, founding, enrolled_at, salt FROM person WHERE account = ? ORDER BY enrolled_at, id",
                account
            )
        )
    }

    /// Who in an account has confirmed whom.
    pub async fn confirmed(&self, account: &str) -> Result<Vec<ConfirmedRow>, LedgerError> {
        committed!(
            self,
            Some(account),
            ask!(
                &self.pool,
                query_as,
                fetch_all,
                "SELECT account, person, confirmer, confirmed_at FROM person_confirmed WHERE account = ? ORDER BY confirmed_at, person, confirmer",
                account
            )
        )
    }
}

/// A table's text, if it is the one that its digest names.
fn of_digest(digest: &str, text: String) -> Result<String, LedgerError> {
    if policy::Table::digest_of(&text) == digest {
        return Ok(text);
    }
    Err(LedgerError::Altered(format!(
        "the text of the table {digest} is not the one that was registered: somebody changed it in the database; restore the ledger from a backup"
    )))
}

/// A name to look for. PostgreSQL cannot be asked for one with a NUL, which no name holds: the empty name,
/// which nothing has either, replaces it.
pub(super) fn sought(name: &str) -> &str {
    if name.contains('\0') { "" } else { name }
}

/// Which recordings: they must match every part that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Of this call.
    pub call: Option<Uuid>,
    /// Uploaded with this credential.
    pub uploader: Option<String>,
    /// Recorded after this moment, at least in part; in milliseconds since 1970.
    pub from: Option<i64>,
    /// Recorded before this moment, at least in part.
    pub until: Option<i64>,
    /// Of calls on which the platform had somebody of this id.
    pub participant: Option<String>,
    /// That may be listened to for this purpose.
    pub purpose: Option<String>,
}

#[derive(sqlx::FromRow)]
struct HistoryRow {
    epoch: i64,
    seq: i64,
    leaf: Option<Vec<u8>>,
    id: Option<String>,
    number: Option<String>,
    ip: Option<String>,
    consent_grant: Option<String>,
}

found!(HistoryRow { epoch, seq, leaf, id, number, ip, consent_grant });

/// A gap of the log belongs to no call, but concerns every call that was open.
const HISTORY: &str = "SELECT epoch, seq, leaf, NULL AS id, NULL AS number, NULL AS ip, NULL AS consent_grant \
     FROM entry WHERE call = ? \
     UNION ALL SELECT gap.epoch, gap.seq, gap.leaf, NULL, NULL, NULL, NULL \
     FROM call JOIN entry AS gap ON gap.log = call.account AND gap.type = 'audit.gap' \
     WHERE call.uid = ? AND (call.ended_at IS NULL OR gap.at <= call.ended_at) AND (gap.epoch, gap.seq) > \
     (SELECT epoch, seq FROM entry WHERE call = ? ORDER BY epoch, seq LIMIT 1) \
     UNION ALL SELECT 0, participant, NULL, id, number, ip, consent_grant FROM participant WHERE call = ? \
     ORDER BY 1, 2";
